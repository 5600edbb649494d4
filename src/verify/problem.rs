//! Why a file is not as recorded: a stable code and a sentence.

/// Why a file is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub what: String,
}

impl Problem {
    pub fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, what: what.into() }
    }
}
