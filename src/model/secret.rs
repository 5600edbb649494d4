//! A value that must stay hidden: passwords, keys, verifiers.
//!
//! Invariant: it never implements `Display` or serialization, and its `Debug` is `***`. Only `reveal` returns the
//! value, so every use can be found by searching for that word.

/// A secret text. Compare it with `==`; never print it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the protocol, a 0600 file or a sealed artifact; never for argv, a log or a message.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
