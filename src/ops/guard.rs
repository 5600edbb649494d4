//! `guard`: the decisions around a command that may break the database.
//!
//! Invariant: the snapshot is taken before the command starts, and a missing command is reported before the snapshot is
//! taken. A rollback needs a failed command and consent: an answer, `--yes`, or `on-failure`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{Settings, Verify};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::Manifest;
use crate::model::name::visible;
use crate::model::restore::{RestorePlan, RestoreReport, TargetFacts, TargetKind};
use crate::proc::foreground::{self, Ending};

/// The label of the snapshot if the user gives none.
pub const LABEL: &str = "BEFORE_MIGRATION";

/// `--rollback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Ask,
    OnFailure,
    Never,
}

/// What to do after the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The command succeeded: show what it changed.
    Keep,
    RollBack,
    /// Ask; if the project is protected, the user must type its name.
    Ask {
        typed_name: bool,
    },
    /// Print the command that rolls back.
    Tell,
}

/// `on-failure` is consent given beforehand, so it is enough for a protected project too; `--yes` is not.
pub fn decide(mode: Mode, succeeded: bool, can_ask: bool, yes: bool, protected: bool) -> Decision {
    match mode {
        _ if succeeded => Decision::Keep,
        Mode::OnFailure => Decision::RollBack,
        Mode::Never => Decision::Tell,
        Mode::Ask if yes && !protected => Decision::RollBack,
        Mode::Ask if can_ask => Decision::Ask { typed_name: protected },
        Mode::Ask => Decision::Tell,
    }
}

/// A command whose program was found.
#[derive(Debug, Clone)]
pub struct Command {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// Finds the program of a command line. `NotFound` when no such executable exists.
pub fn find(words: &[OsString], folders: &[PathBuf], current_dir: &Path) -> Result<Command> {
    let Some((name, args)) = words.split_first() else {
        return Err(Failure::msg(FailureKind::Usage, "there is no command after --")
            .hint("for example: stacksnap guard -- supabase db push"));
    };
    let Some(program) = foreground::find(Path::new(name), folders, current_dir) else {
        let text = format!("no executable program '{}' was found", visible(&name.to_string_lossy()));
        return Err(Failure::msg(FailureKind::NotFound, text)
            .hint("no snapshot was taken; is it installed, and in a folder of PATH? For shell syntax: -- sh -c '…'"));
    };
    Ok(Command { program, args: args.to_vec() })
}

/// The settings of the snapshot before the command. All rows are included, because a rollback restores only what the
/// snapshot holds. It is not verified, because the command waits for it.
pub fn settings(settings: &Settings) -> Settings {
    let verify = Some(Verify::Nothing);
    Settings { exclude_data: Vec::new(), keep_sessions: true, verify, ..settings.clone() }
}

/// The report of `guard`.
#[derive(Debug, Clone, Serialize)]
pub struct GuardReport {
    pub snapshot: String,
    pub complete: bool,
    pub command: Ending,
    /// The changes of restoring the snapshot, which show what the command did. `None` when the database could not be
    /// read.
    pub plan: Option<RestorePlan>,
    pub rolled_back: bool,
    pub restore: Option<RestoreReport>,
    /// What failed after the command.
    pub problem: Option<String>,
    /// The command that rolls back by hand.
    pub rollback_command: String,
}

/// The facts of the source: the rollback goes into no other database.
pub fn facts(manifest: &Manifest) -> TargetFacts {
    let source = &manifest.source;
    TargetFacts {
        kind: TargetKind::SameDatabase,
        database: source.database.clone(),
        user: source.user.clone(),
        host_sha256: source.host_sha256.clone(),
        system_identifier: source.system_identifier.clone(),
        database_oid: source.database_oid,
        server_version_num: source.server_version_num,
        is_superuser: false,
        sets_replica_role: false,
        is_supabase: source.is_supabase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_needs_a_failure_and_somebodys_word() {
        for mode in [Mode::Ask, Mode::OnFailure, Mode::Never] {
            assert_eq!(decide(mode, true, true, true, false), Decision::Keep);
        }
        assert_eq!(decide(Mode::OnFailure, false, false, false, true), Decision::RollBack);
        assert_eq!(decide(Mode::Never, false, true, true, false), Decision::Tell);
        assert_eq!(decide(Mode::Ask, false, true, false, false), Decision::Ask { typed_name: false });
        assert_eq!(decide(Mode::Ask, false, true, true, true), Decision::Ask { typed_name: true });
        assert_eq!(decide(Mode::Ask, false, false, true, false), Decision::RollBack);
        assert_eq!(decide(Mode::Ask, false, false, true, true), Decision::Tell, "--yes is not enough when protected");
        assert_eq!(decide(Mode::Ask, false, false, false, false), Decision::Tell);
    }

    #[test]
    fn a_command_that_is_not_there_is_found_out_first() {
        let failure = find(&["no_such_program".into()], &["/bin".into()], Path::new("/")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
        assert_eq!(find(&[], &[], Path::new("/")).unwrap_err().kind, FailureKind::Usage);
        let found = find(&["sh".into(), "-c".into()], &["/bin".into()], Path::new("/")).unwrap();
        assert_eq!((found.program, found.args), ("/bin/sh".into(), vec!["-c".into()]));
    }
}
