//! The commit that the project's folder is at, read from the files in `.git`; no program is run.
//!
//! Invariant: it reads `HEAD`, the reference that it names and `packed-refs`, nothing else. A reference's name cannot
//! lead out of the repository. Whether files differ from the commit cannot be determined this way and is recorded as
//! unknown.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

const LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// The facts in `.git`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitFacts {
    pub commit: Option<String>,
    pub branch: Option<String>,
}

/// Searches upwards for the repository of a folder; `None` when there is none.
pub fn git_facts(folder: &Path) -> Option<GitFacts> {
    let folder = folder.canonicalize().ok()?;
    let dir = folder.ancestors().find_map(|f| git_dir(&f.join(".git")))?;
    // A worktree has its own HEAD and shares the references.
    let common = match read(&dir.join("commondir")) {
        Ok(path) => dir.join(path.trim()),
        Err(_) => dir.clone(),
    };
    let head = read(&dir.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(GitFacts { commit: commit(&head), branch: None });
    };
    let inside = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
    if !name.starts_with("refs/") || !inside {
        return None;
    }
    let loose = [&dir, &common].into_iter().find_map(|d| read(&d.join(name)).ok()).and_then(|text| commit(&text));
    let packed = || packed(&read(&common.join("packed-refs")).ok()?, name);
    let branch = name.strip_prefix("refs/heads/").unwrap_or(name).to_string();
    Some(GitFacts { commit: loose.or_else(packed), branch: Some(branch) })
}

/// `.git` is a folder, or in a worktree a file with the path of that folder.
fn git_dir(place: &Path) -> Option<PathBuf> {
    if place.is_dir() {
        return Some(place.to_path_buf());
    }
    let text = read(place).ok()?;
    let path = text.trim().strip_prefix("gitdir: ")?;
    Some(place.parent()?.join(path)).filter(|dir| dir.is_dir())
}

fn packed(text: &str, name: &str) -> Option<String> {
    let of_name = |line: &str| line.split_once(' ').filter(|(_, n)| n.trim() == name).and_then(|(id, _)| commit(id));
    text.lines().find_map(of_name)
}

/// An object id: exactly 40 or 64 hexadecimal digits.
fn commit(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| text.to_string())
}

fn read(path: &Path) -> io::Result<String> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(LIMIT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0af6c92f0af6c92f0af6c92f0af6c92f0af6c92f";

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn loose_packed_and_detached() {
        let branch = |name: &str| Some(name.to_string());
        let id = Some(ID.to_string());
        let loose = repository(&[(".git/HEAD", "ref: refs/heads/a/b\n"), (".git/refs/heads/a/b", ID), ("sub/x", "")]);
        assert_eq!(git_facts(&loose.path().join("sub")), Some(GitFacts { commit: id.clone(), branch: branch("a/b") }));
        let refs = format!("# pack-refs\n{ID} refs/heads/main\n");
        let packed = repository(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &refs)]);
        assert_eq!(git_facts(packed.path()), Some(GitFacts { commit: id.clone(), branch: branch("main") }));
        let detached = repository(&[(".git/HEAD", ID)]);
        assert_eq!(git_facts(detached.path()), Some(GitFacts { commit: id, branch: None }));
        let unborn = repository(&[(".git/HEAD", "ref: refs/heads/main\n")]);
        assert_eq!(git_facts(unborn.path()), Some(GitFacts { commit: None, branch: branch("main") }));
    }

    #[test]
    fn a_worktree_shares_references() {
        let dir = repository(&[
            ("main/.git/worktrees/w/HEAD", "ref: refs/heads/w\n"),
            ("main/.git/worktrees/w/commondir", "../..\n"),
            ("main/.git/refs/heads/w", ID),
        ]);
        fs::create_dir(dir.path().join("w")).unwrap();
        fs::write(dir.path().join("w/.git"), "gitdir: ../main/.git/worktrees/w\n").unwrap();
        assert_eq!(git_facts(&dir.path().join("w")).unwrap().commit.as_deref(), Some(ID));
    }

    #[test]
    fn a_hostile_head_leads_nowhere() {
        for head in ["ref: ../../secret", "ref: refs/../../secret", "ref: /etc/passwd"] {
            let dir = repository(&[(".git/HEAD", head), ("secret", ID)]);
            assert_eq!(git_facts(dir.path()), None, "{head}");
        }
        let text = repository(&[(".git/HEAD", "ref: refs/heads/x"), (".git/refs/heads/x", "password=canary")]);
        assert_eq!(git_facts(text.path()).unwrap().commit, None);
    }
}
