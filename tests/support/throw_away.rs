//! For the tests of `create --verify schema`: a place whose throw-away clusters are in a folder of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Access, Place, Ran, processes};

pub struct Scene {
    pub place: Place,
    /// Every user can enter it, and write to it.
    pub clusters: tempfile::TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let clusters = tempfile::Builder::new().prefix("v").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(clusters.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        Self { place: Place::new(), clusters }
    }

    /// `create` with nothing said about verifying but what `args` say.
    pub fn create(&self, access: Access<'_>, args: &[&str]) -> Command {
        let mut command = self.place.create(access, args);
        command.env_remove("STACKSNAP_VERIFY").env("TMPDIR", self.clusters.path());
        command
    }

    /// Runs it; nothing of a throw-away cluster is left.
    #[track_caller]
    pub fn run(&self, access: Access<'_>, args: &[&str]) -> Ran {
        let ran = Ran::of(&mut self.create(access, args));
        self.assert_nothing_left();
        ran
    }

    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while !self.left().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.left(), Vec::<PathBuf>::new());
        processes::assert_gone(&self.place.mark, Duration::from_secs(5));
    }

    /// Folders of throw-away clusters.
    pub fn left(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.clusters.path()).unwrap().map(|e| e.unwrap().path());
        all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("stacksnap-drill-")).collect()
    }

    /// The process of the throw-away server, once it takes connections.
    #[track_caller]
    pub fn throw_away_server(&self) -> u32 {
        let until = Instant::now() + Duration::from_secs(40);
        loop {
            let found = self.left().into_iter().find_map(|folder| {
                let text = std::fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
                let ready = text.lines().last()?.trim() == "ready";
                text.lines().next()?.parse().ok().filter(|_| ready)
            });
            if let Some(pid) = found {
                return pid;
            }
            assert!(Instant::now() < until, "no throw-away server came up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What the report says about the schema.
#[track_caller]
pub fn verified(ran: &Ran) -> Value {
    let found = ran.json()["schema_verification"].clone();
    assert!(found.is_object(), "{ran:?}");
    found
}

/// Gaps that the verification found: what and why.
pub fn gaps(ran: &Ran) -> Vec<(String, String)> {
    let all = ran.json()["gaps"].as_array().unwrap().clone();
    let own = all.into_iter().filter(|gap| gap["code"] == "schema_not_restored");
    own.map(|gap| (gap["what"].as_str().unwrap().to_string(), gap["why"].as_str().unwrap().to_string())).collect()
}
