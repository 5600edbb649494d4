//! A value that must not be seen: passwords, keys, verifiers.
//!
//! Invariant: it has no `Display`, its `Debug` is `***`, and it is not serializable. Only `reveal` gives it out,
//! so every use can be found by that word.

/// A secret text. Compare with `==`; print never.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the protocol, a 0600 file or a sealed artifact, never for argv, a log or a message.
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
