//! The codes of status messages.

/// Makes the enum and its table of one list: name, name for scripts, severities, meaning, what to do.
macro_rules! codes {
    ($($variant:ident $name:literal [$($severity:ident),*] $meaning:literal, $action:literal;)+) => {
        /// What a status message is about: a stable name for scripts.
        ///
        /// `gpoctl help codes` shows this table. In text and JSON a code is its [name](Code::name).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ". To do: ", $action, ".")] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the names.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name for scripts, lower case with hyphens, such as `unmapped-reference`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The severities that messages of this code can have. None for the reasons of `gpoctl check --for`, which have no
            /// severity.
            pub fn severities(self) -> &'static [Severity] {
                match self {
                    $(Self::$variant => &[$(Severity::$severity),*],)+
                }
            }

            /// What it means: one lower-case sentence without a full stop.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// What to do: one lower-case sentence without a full stop.
            pub fn action(self) -> &'static str {
                match self {
                    $(Self::$variant => $action,)+
                }
            }

            /// The code of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

// After the macro, which it uses.
mod list;

pub use list::Code;

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests;
