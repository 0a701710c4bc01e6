//! The chainable setters of options: outside this crate they take the place of a struct literal, which `#[non_exhaustive]` forbids.

/// Gives a struct one setter for each of these fields, with the name of the field. A field of type `Option<T>` takes a `T`.
macro_rules! setters {
    ($name:ident $(<$life:lifetime>)? { $($field:ident: $value:ty),+ $(,)? }) => {
        impl $(<$life>)? $name $(<$life>)? {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $value) -> Self {
                    self.$field = $field.into();
                    self
                }
            )+
        }
    };
}

pub(crate) use setters;
