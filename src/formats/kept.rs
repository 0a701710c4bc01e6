//! A value that remembers the bytes it was read from.

/// What has a written form.
pub trait Written: Clone + PartialEq {
    /// The bytes of the value in the form GPMC writes.
    fn to_written(&self) -> Vec<u8>;
}

/// A value and the bytes it was read from, which it gives back as long as it is not changed.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    /// The value.
    pub value: T,
    read: Option<(T, Vec<u8>)>,
}

impl<T: Written> Kept<T> {
    /// A value that was not read from anywhere.
    pub fn new(value: T) -> Self {
        Self { value, read: None }
    }

    pub(super) fn read(value: T, bytes: &[u8]) -> Self {
        Self {
            read: Some((value.clone(), bytes.to_vec())),
            value,
        }
    }

    /// The bytes that were read when the value is still the same, else its written form.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.read {
            Some((value, bytes)) if *value == self.value => bytes.clone(),
            _ => self.value.to_written(),
        }
    }
}
