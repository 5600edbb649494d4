//! An error as the user gets it: one kind, one exit code, and what to do next.
//!
//! Invariant: a `Failure` never repeats its cause in its own message (the printer walks the chain) and never
//! carries a secret. The exit codes are a contract: see `doc/format.md` and the README.

use std::fmt;
use std::io::ErrorKind;

use super::left_out::LeftOut;
use super::sqlstate::SqlState;

/// Why a command failed. Each kind has one exit code and one word, the same in JSON and in manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    Failed,
    Partial,
    DifferencesFound,
    NotFound,
    Locked,
    Denied,
    Integrity,
    NotConfirmed,
    NotProven,
    Usage,
    Unreachable,
    Skipped,
    Configuration,
    Interrupted,
    Terminated,
}

impl FailureKind {
    /// The process exit code (documented in the README; `sysexits`-like above 63).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Partial => 3,
            Self::DifferencesFound => 4,
            Self::NotFound => 10,
            Self::Locked => 11,
            Self::Denied => 12,
            Self::Integrity => 13,
            Self::NotConfirmed => 14,
            Self::NotProven => 15,
            Self::Usage => 64,
            Self::Unreachable => 69,
            Self::Skipped => 75,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The stable word for JSON, logs and manifests.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::DifferencesFound => "differences_found",
            Self::NotFound => "not_found",
            Self::Locked => "locked",
            Self::Denied => "denied",
            Self::Integrity => "integrity",
            Self::NotConfirmed => "not_confirmed",
            Self::NotProven => "not_proven",
            Self::Usage => "usage",
            Self::Unreachable => "unreachable",
            Self::Skipped => "skipped",
            Self::Configuration => "configuration",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }
}

/// An error on its way to the user: kind (exit code), chain of causes, and hints.
pub struct Failure {
    pub kind: FailureKind,
    pub error: anyhow::Error,
    pub hints: Vec<String>,
    /// The server's error code, if a server raised the error.
    pub sqlstate: Option<SqlState>,
    /// The operating system's error kind, also if another program reported it.
    pub io_kind: Option<ErrorKind>,
    /// For a restore: every object that could not be created, causes and dependents.
    pub left_out: Vec<LeftOut>,
}

impl Failure {
    /// A failure of `kind` from a message or an error.
    pub fn new(kind: FailureKind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new(), sqlstate: None, io_kind: None, left_out: Vec::new() }
    }

    /// A failure of `kind` from a plain message.
    pub fn msg(kind: FailureKind, message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self {
            kind,
            error: anyhow::Error::msg(message),
            hints: Vec::new(),
            sqlstate: None,
            io_kind: None,
            left_out: Vec::new(),
        }
    }

    /// Marks the failure as caused by a full disk.
    #[must_use]
    pub fn disk_full(self) -> Self {
        Self { io_kind: Some(ErrorKind::StorageFull), ..self }
    }

    /// True if the disk is full, also if the I/O error is further down in the chain.
    pub fn is_disk_full(&self) -> bool {
        let mut causes = self.error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        self.io_kind == Some(ErrorKind::StorageFull) || causes.any(|cause| cause.kind() == ErrorKind::StorageFull)
    }

    /// Whether a server raised the error with this code.
    pub fn is_sqlstate(&self, code: &str) -> bool {
        self.sqlstate.is_some_and(|sqlstate| sqlstate.is(code))
    }

    /// Adds a line that says what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds context: what the program was doing when it failed.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(what);
        self
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#})", self.kind.word(), self.error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(FailureKind::Failed, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let kind = error.kind();
        let failure = Self { io_kind: Some(kind), ..Self::new(FailureKind::Failed, error) };
        match kind {
            ErrorKind::StorageFull => {
                failure.hint("the disk is full: free space, or set --root to a folder on another disk")
            }
            _ => failure,
        }
    }
}

/// The result of everything that can end a command with an exit code.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
