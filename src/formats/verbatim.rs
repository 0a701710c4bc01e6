//! A value that remembers the bytes it was parsed from.

/// A value that can be written in GPMC's form.
pub trait ToGpmcBytes: Clone + PartialEq {
    /// The bytes of the value in the form that GPMC writes.
    fn to_gpmc_bytes(&self) -> Vec<u8>;
}

/// A value and the bytes it was parsed from, which it returns as long as the value is unchanged.
#[derive(Debug, Clone)]
pub struct Verbatim<T> {
    /// The value.
    pub value: T,
    parsed: Option<(T, Vec<u8>)>,
}

impl<T: ToGpmcBytes> Verbatim<T> {
    /// Wraps a new value, without original bytes.
    pub fn new(value: T) -> Self {
        Self {
            value,
            parsed: None,
        }
    }

    pub(super) fn parsed(value: T, bytes: &[u8]) -> Self {
        Self {
            parsed: Some((value.clone(), bytes.to_vec())),
            value,
        }
    }

    /// The original bytes if the value is unchanged, otherwise the value in GPMC's form.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.parsed {
            Some((value, bytes)) if *value == self.value => bytes.clone(),
            _ => self.value.to_gpmc_bytes(),
        }
    }
}
