//! The objects that a restore had to leave out: which, what exists instead, why, and the server's message.
//!
//! Invariant: every object that is left out is listed once: either as a cause, with the server's message, or with the
//! cause it depends on. It never hides an object that leaves data less protected than in the source
//! ([`LeftOut::security`]).

use crate::model::object_kind::ObjectKind;
use serde::{Deserialize, Serialize};

use super::exception::Exception;
use super::object_name::ObjectName;

/// The kind for the rows of a table, in pg_dump's words.
pub const TABLE_DATA: ObjectKind = ObjectKind::TableData;

/// The kind for a file of the snapshot that restores many objects at once.
pub const FILE: ObjectKind = ObjectKind::File;

/// What exists in place of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// Nothing.
    Missing,
    /// A foreign key or check that is enforced for new rows but not validated for existing ones.
    NotValid,
    /// A materialized view without rows.
    NotPopulated,
    /// A table whose generated columns are ordinary columns without values.
    NotGenerated,
    /// A table without its rows.
    NoRows,
    /// An object that differs from the snapshot.
    Differs,
}

/// One object that was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeftOut {
    #[serde(flatten)]
    pub object: ObjectName,
    pub instead: Instead,
    /// The object whose failure caused this one. `None`: this is a cause itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because_of: Option<ObjectName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The server's message, or the difference that was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// The objects it would protect exist without it: a policy, a grant, row security, an owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub security: bool,
}

impl Instead {
    /// The code for exceptions.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "left_out",
            Self::NotValid => "left_not_valid",
            Self::NotPopulated => "left_not_populated",
            Self::NotGenerated => "left_not_generated",
            Self::NoRows => "left_without_rows",
            Self::Differs => "left_different",
        }
    }

    /// Whether `word` is the code of one of them.
    pub fn is_code(word: &str) -> bool {
        use Instead::{Differs, Missing, NoRows, NotGenerated, NotPopulated, NotValid};
        [Missing, NotValid, NotPopulated, NotGenerated, NoRows, Differs].iter().any(|one| one.code() == word)
    }

    fn why(self) -> &'static str {
        match self {
            Self::Missing => "left out",
            Self::NotValid => "made NOT VALID: existing rows violate it, new rows are checked",
            Self::NotPopulated => "it holds no rows: REFRESH failed",
            Self::NotGenerated => "its generated columns are ordinary columns without values: their expressions failed",
            Self::NoRows => "its rows are left out",
            Self::Differs => "it differs from the snapshot",
        }
    }
}

impl LeftOut {
    /// True if there is no error that explains the difference. A proof must not excuse it then.
    pub fn is_unexplained(&self) -> bool {
        self.because_of.is_none() && self.sqlstate.is_none()
    }

    /// `KIND name`, the format of `--leave-out`.
    pub fn what(&self) -> String {
        self.object.to_string()
    }
}

/// The number of objects that failed because of `cause`.
pub fn fallen(cause: &LeftOut, all: &[LeftOut]) -> usize {
    all.iter().filter(|other| other.because_of.as_ref() == Some(&cause.object)).count()
}

/// True if anything is less protected than in the source, or differs without an explanation.
pub fn is_open(all: &[LeftOut]) -> bool {
    all.iter().any(|one| one.security || one.is_unexplained())
}

/// One exception per cause. Dependents are counted there and listed in the left-out list.
pub fn exceptions(all: &[LeftOut]) -> Vec<Exception> {
    all.iter().filter(|one| one.because_of.is_none()).map(|cause| exception(cause, all)).collect()
}

/// The exception of one cause.
pub fn exception(cause: &LeftOut, all: &[LeftOut]) -> Exception {
    let dependents = match fallen(cause, all) {
        0 => String::new(),
        1 => "; 1 object that depends on it is left out too".to_string(),
        n => format!("; {n} objects that depend on it are left out too"),
    };
    let said = if cause.said.is_empty() { "the server reported no error" } else { &cause.said };
    Exception {
        code: cause.instead.code().to_string(),
        what: cause.what(),
        why: format!("{}: {said}{dependents}", cause.instead.why()),
        todo: todo(cause),
    }
}

fn todo(cause: &LeftOut) -> String {
    let ObjectName { kind, identity } = &cause.object;
    match cause.instead {
        Instead::NotPopulated => {
            format!("fix what its query needs, then: REFRESH MATERIALIZED VIEW {identity}")
        }
        Instead::NotValid => match identity.split_once(" on ") {
            Some((name, table)) if !identity.contains('"') => {
                let (word, table) =
                    table.strip_prefix("domain ").map_or((ObjectKind::Table, table), |d| (ObjectKind::Domain, d));
                format!("fix the rows, then: ALTER {word} {table} VALIDATE CONSTRAINT {name}")
            }
            _ => "fix the rows, then validate the constraint".to_string(),
        },
        Instead::NoRows => format!("fix the cause, then: stacksnap restore SNAPSHOT --to … -t {identity}"),
        Instead::Missing | Instead::NotGenerated | Instead::Differs if *kind == FILE => {
            format!("fix the cause, then run {identity} of the snapshot")
        }
        Instead::Missing | Instead::NotGenerated | Instead::Differs => {
            "fix the cause in the target, then create it by hand: complete_database_with_data.sql has it".to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: &str, identity: &str, because_of: Option<&LeftOut>) -> LeftOut {
        LeftOut {
            object: ObjectName { kind: kind.into(), identity: identity.into() },
            instead: Instead::Missing,
            because_of: because_of.map(|cause| cause.object.clone()),
            sqlstate: because_of.is_none().then(|| "42883".to_string()),
            said: String::new(),
            security: false,
        }
    }

    #[test]
    fn a_cause_is_one_exception_and_counts_what_fell_with_it() {
        let cause = LeftOut { said: "no such function".into(), ..one("VIEW", "public.v", None) };
        let all = [cause.clone(), one("ACL", "TABLE public.v", Some(&cause)), one("VIEW", "public.w", Some(&cause))];
        let exceptions = exceptions(&all);
        assert_eq!(exceptions.len(), 1);
        assert_eq!(exceptions[0].what, "VIEW public.v");
        assert_eq!(exceptions[0].why, "left out: no such function; 2 objects that depend on it are left out too");
        assert!(!is_open(&all));
    }

    #[test]
    fn what_nobody_explains_and_what_protects_is_open() {
        let policy = LeftOut { security: true, ..one("POLICY", "p on public.t", None) };
        assert!(is_open(&[policy]));
        assert!(is_open(&[LeftOut { sqlstate: None, ..one("VIEW", "public.v", None) }]));
    }

    #[test]
    fn a_key_says_how_it_is_validated() {
        let key = LeftOut { instead: Instead::NotValid, ..one("FK CONSTRAINT", "k on public.t", None) };
        let said = exception(&key, &[]);
        assert_eq!(said.todo, "fix the rows, then: ALTER TABLE public.t VALIDATE CONSTRAINT k");
        assert_eq!(said.code, "left_not_valid");
        let text = serde_json::to_value(&key).unwrap();
        assert_eq!(text["kind"], "FK CONSTRAINT");
        assert!(text.get("because_of").is_none() && text.get("security").is_none());
    }
}
