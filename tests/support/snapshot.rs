//! A sealed snapshot: its folder, manifest and inventory.

use std::path::{Path, PathBuf};
use std::process::Command;

use stacksnap::model::gap::Gap;
use stacksnap::model::inventory::Inventory;
use stacksnap::model::manifest::Manifest;
use stacksnap::snapshot::manifest_file::read_manifest;

use super::{ok, program, text};

pub struct Snapshot {
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub inventory: Inventory,
    pub keep: Option<tempfile::TempDir>,
}

impl Snapshot {
    #[track_caller]
    pub fn made(command: &mut Command, root: &Path, code: i32) -> Self {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
            .unwrap()
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .map(|e| e.path())
            .filter(|p| p.join("manifest.json").exists())
            .collect();
        // By time and then by number: `..._2` is younger than the name without one.
        folders.sort();
        Self::open(folders.last().unwrap())
    }

    pub fn open(folder: &Path) -> Self {
        let manifest = read_manifest(folder).unwrap();
        let inventory = serde_json::from_slice(&std::fs::read(folder.join("inventory.json")).unwrap()).unwrap();
        Self { folder: folder.to_path_buf(), manifest, inventory, keep: None }
    }

    pub fn has(&self, path: &str) -> bool {
        self.manifest.artifacts.iter().any(|a| a.path == path) && self.folder.join(path).exists()
    }

    /// `code what` of each gap, sorted.
    pub fn gaps(&self) -> Vec<String> {
        let line = |gap: &Gap| {
            let id = gap.what.strip_prefix("vault secret ").filter(|id| id.len() == 36 && !id.contains('\''));
            format!("{} {}", gap.code, if id.is_some() { "vault secret without a name" } else { &gap.what })
        };
        let mut gaps: Vec<String> = self.manifest.gaps.iter().map(line).collect();
        gaps.sort();
        gaps
    }

    /// `verify --level read` says that it is good.
    #[track_caller]
    pub fn is_good(&self) {
        let mut command = Command::new(program());
        ok(command.args(["verify", "--level", "read"]).arg(&self.folder));
    }
}
