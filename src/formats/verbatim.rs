//! A value that remembers the bytes it was read from.

/// What has a written form.
pub trait ToGpmcBytes: Clone + PartialEq {
    /// The bytes of the value in the form GPMC writes.
    fn to_gpmc_bytes(&self) -> Vec<u8>;
}

/// A value and the bytes it was read from, which it gives back as long as it is not changed.
#[derive(Debug, Clone)]
pub struct Verbatim<T> {
    /// The value.
    pub value: T,
    parsed: Option<(T, Vec<u8>)>,
}

impl<T: ToGpmcBytes> Verbatim<T> {
    /// A value that was not read from anywhere.
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

    /// The bytes that were read when the value is still the same, else its written form.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.parsed {
            Some((value, bytes)) if *value == self.value => bytes.clone(),
            _ => self.value.to_gpmc_bytes(),
        }
    }
}
