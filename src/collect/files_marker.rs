//! A cheap fingerprint of all files that are copied from folders: equal means that nothing changed.
//!
//! Invariant: it covers what the collectors of files read (names, kinds, sizes, timestamps, link targets), and reads no
//! content. A file that cannot be read counts with its error, so that a change is noticed.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::context::CollectSettings;
use super::folder::{self, Kind};
use super::git_facts::git_facts;
use super::project::{COPIED, ENV_FILES};
use super::tree::{is_skipped_folder, walk};
use crate::model::hex::hex;

/// The fingerprint of the project's and the storage folder: 64 hexadecimal digits.
pub fn files_marker(settings: &CollectSettings) -> String {
    let mut hasher = Sha256::new();
    if let Some(project) = &settings.project_dir {
        note(&mut hasher, "project", project_marker(&mut Sha256::new(), project));
        let git = git_facts(project);
        note(&mut hasher, "git", Ok(format!("{git:?}")));
    }
    if let Some(storage) = &settings.storage_dir {
        note(&mut hasher, "storage", tree_marker(storage));
    }
    hex(&hasher.finalize())
}

fn note(hasher: &mut Sha256, what: &str, marker: io::Result<String>) {
    let text = marker.unwrap_or_else(|error| format!("error {error}"));
    hasher.update(format!("{what}={text}\0"));
}

fn project_marker(hasher: &mut Sha256, project: &Path) -> io::Result<String> {
    let root = folder::open_root(project)?;
    let config: &[&str] = &["supabase", "config.toml"];
    for steps in COPIED.iter().chain(&ENV_FILES).chain([&config]) {
        let stat = folder::open_file_below(root.as_fd(), steps)
            .map(|file| file.map_or_else(String::new, |(_, stat)| format!("{} {}", stat.st_size, time(&stat))));
        note(hasher, &steps.join("/"), stat);
    }
    for name in ["functions", "migrations"] {
        let marker = match folder::open_below(root.as_fd(), &["supabase", name]) {
            Ok(Some(below)) => walk_marker(below.as_fd()),
            Ok(None) => Ok(String::new()),
            Err(error) => Err(error),
        };
        note(hasher, name, marker);
    }
    Ok(hex(&hasher.finalize_reset()))
}

fn tree_marker(root: &Path) -> io::Result<String> {
    walk_marker(folder::open_root(root)?.as_fd())
}

fn walk_marker(root: std::os::fd::BorrowedFd<'_>) -> io::Result<String> {
    let mut hasher = Sha256::new();
    walk(root, &mut |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err((path, error)) => {
                note(&mut hasher, &hex(&path.join(&b'/')), Err(error));
                return Ok(false);
            }
        };
        let path = hex(&entry.path.join(&b'/'));
        let facts = match entry.kind {
            // A folder's own mtime changes with files that are not copied; its entries count themselves.
            Kind::Folder => Ok(String::new()),
            Kind::Link => folder::link_target(entry.folder, entry.name).map(|target| hex(&target)),
            Kind::Special(what) => Ok(what.to_string()),
            Kind::File => folder::look(entry.folder, entry.name).map(|(_, s)| format!("{} {}", s.st_size, time(&s))),
        };
        note(&mut hasher, &path, facts);
        Ok(entry.kind == Kind::Folder && !is_skipped_folder(entry.name.to_bytes()))
    })?;
    Ok(hex(&hasher.finalize()))
}

/// mtime and ctime: a copy that preserves mtime still changes ctime.
fn time(stat: &rustix::fs::Stat) -> String {
    format!("{}.{} {}.{}", stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_kind_of_change_is_noticed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let settings = CollectSettings {
            project_dir: Some(dir.path().join("p")),
            storage_dir: Some(dir.path().join("s")),
            ..Default::default()
        };
        let at = |name: &str| dir.path().join(name);
        let mut seen = vec![files_marker(&settings)];
        let changes: [(&str, &dyn Fn()); 9] = [
            ("folders", &|| {
                fs::create_dir_all(at("p/supabase/functions/a")).unwrap();
                fs::create_dir_all(at("s/b")).unwrap();
            }),
            ("function", &|| fs::write(at("p/supabase/functions/a/index.ts"), "1").unwrap()),
            ("content of the same length", &|| fs::write(at("p/supabase/functions/a/index.ts"), "2").unwrap()),
            ("rename", &|| fs::rename(at("p/supabase/functions/a"), at("p/supabase/functions/c")).unwrap()),
            ("link", &|| std::os::unix::fs::symlink("x", at("p/supabase/functions/l")).unwrap()),
            ("config", &|| fs::write(at("p/supabase/config.toml"), "a = 1").unwrap()),
            ("env", &|| fs::write(at("p/.env"), "A=1").unwrap()),
            ("stored file", &|| fs::write(at("s/b/x"), "1").unwrap()),
            ("removed", &|| fs::remove_file(at("s/b/x")).unwrap()),
        ];
        for (what, change) in changes {
            std::thread::sleep(std::time::Duration::from_millis(15));
            change();
            let now = files_marker(&settings);
            assert_ne!(seen.last(), Some(&now), "{what} was not noticed");
            assert_eq!(now, files_marker(&settings));
            seen.push(now);
        }
        assert_eq!(seen[seen.len() - 1], seen[seen.len() - 3], "the same files, the same marker");
        let before = files_marker(&settings);
        fs::create_dir_all(at("p/supabase/functions/c/node_modules/x")).unwrap();
        fs::write(at("p/unrelated"), "x").unwrap();
        let names = [at("p/supabase/functions/c/node_modules/x/y")];
        fs::write(&names[0], "x").unwrap();
        let with_modules = files_marker(&settings);
        fs::write(&names[0], "xyz").unwrap();
        assert_eq!(files_marker(&settings), with_modules);
        assert_ne!(before, with_modules, "the skipped folder is recorded by name");
    }
}
