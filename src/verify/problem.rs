//! Why a file is not what it should be: a stable word and a sentence.

/// Why a file is not what it should be.
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
