//! Tests of which files are trusted: with the user that the tests run as, and, as root, with files of other owners.

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;

const STRANGER: u32 = 54_321;

fn owners(uids: &[u32]) -> Owners {
    Owners { uids: uids.to_vec(), accounts: Accounts::of_system() }
}

fn own() -> Owners {
    Owners::of(None)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A folder with a file in it, both private.
fn scene() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().canonicalize().unwrap().join("file");
    std::fs::write(&file, "text").unwrap();
    mode(&file, 0o600);
    (dir, file)
}

fn refused(owners: &Owners, path: &Path) -> String {
    let failure = open_as(owners, path, "the file", Last::MayBeLink).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    format!("{failure}; {}", failure.hints.join("; "))
}

fn used(owners: &Owners, path: &Path) -> bool {
    open_as(owners, path, "the file", Last::MayBeLink).unwrap().is_some()
}

#[test]
fn what_is_ours_below_a_sticky_folder_is_used_and_what_is_missing_is_missing() {
    let (dir, file) = scene();
    assert!(used(&own(), &file));
    mode(dir.path(), 0o1777);
    assert!(used(&own(), &file));
    for missing in ["none", "none/deeper", "file/deeper"] {
        assert!(open(&dir.path().join(missing), "the file", Last::MayBeLink).unwrap().is_none(), "{missing}");
    }
    // The owner is not trusted, but the file does not exist anyway.
    assert!(open_as(&owners(&[STRANGER]), &dir.path().join("none"), "x", Last::MayBeLink).unwrap().is_none());
}

#[test]
fn a_file_or_a_folder_that_everybody_can_write_to_is_refused_by_its_name() {
    let (dir, file) = scene();
    mode(&file, 0o602);
    let said = refused(&own(), &file);
    assert!(said.contains(&format!("everybody can write to {}", file.display())), "{said}");
    assert!(said.contains("chmod go-w"), "{said}");
    mode(&file, 0o600);
    mode(dir.path(), 0o777);
    let said = refused(&own(), &file);
    assert!(said.contains(&format!("everybody can write to {}", file.parent().unwrap().display())), "{said}");
}

#[test]
fn another_users_file_is_refused_with_the_owner_and_the_way_to_allow_it() {
    let (_dir, file) = scene();
    let me = rustix::process::geteuid().as_raw();
    let said = refused(&owners(&[STRANGER]), &file);
    assert!(said.contains("/ belongs to") && said.contains("uid 0"), "{said}");
    if me != 0 {
        return;
    }
    for (path, what) in [(file.clone(), "the file"), (file.parent().unwrap().to_path_buf(), "its folder")] {
        chown(&path, Some(STRANGER), None).unwrap();
        let said = refused(&own(), &file);
        assert!(said.contains(&format!("{} belongs to uid {STRANGER}", path.display())), "{what}: {said}");
        assert!(said.contains(&format!("{TRUST_OWNER}={STRANGER}")), "{what}: {said}");
        assert!(used(&owners(&[0, STRANGER]), &file), "{what}");
        chown(&path, Some(me), None).unwrap();
    }
    // In a sticky folder a link of another user is refused, whatever it points to.
    let sticky = tempfile::tempdir().unwrap();
    mode(sticky.path(), 0o1777);
    let link = sticky.path().join("link");
    symlink(&file, &link).unwrap();
    assert!(used(&own(), &link));
    std::os::unix::fs::lchown(&link, Some(STRANGER), None).unwrap();
    let said = refused(&own(), &link);
    assert!(said.contains("link belongs to uid"), "{said}");
}

#[test]
fn links_are_gone_through_by_the_same_rules() {
    let (dir, file) = scene();
    let inner = dir.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    symlink("../../file", inner.join("up")).unwrap();
    symlink(&file, inner.join("absolute")).unwrap();
    symlink("a/b", dir.path().join("folder")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    for path in ["a/b/up", "a/b/absolute", "folder/up", "a/../file", "folder/../../file"] {
        assert!(used(&own(), &dir.path().join(path)), "{path}");
    }
    assert!(refused(&own(), &dir.path().join("loop")).contains("cannot be read"));
    let failure = open_as(&own(), &inner.join("up"), "the key", Last::NoLink).unwrap_err();
    assert!(failure.to_string().contains("is a link"), "{failure}");
    mode(&dir.path().join("a"), 0o757);
    assert!(refused(&own(), &dir.path().join("folder/up")).contains("/a;"));
}

#[test]
fn pipes_sockets_devices_and_folders_are_refused_at_once() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let (dir, _) = scene();
    mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    mode(&dir.path().join("socket"), 0o600);
    symlink("pipe", dir.path().join("to_pipe")).unwrap();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    for (name, kind) in [("pipe", "a pipe"), ("to_pipe", "a pipe"), ("socket", "a socket"), ("folder", "a folder")] {
        let said = refused(&own(), &dir.path().join(name));
        assert!(said.contains(&format!("is {kind}, not an ordinary file")), "{name}: {said}");
    }
    assert!(open(Path::new("/dev/zero"), "the file", Last::MayBeLink).is_err());
}

#[test]
fn a_file_of_no_end_is_not_read_to_its_end() {
    let (dir, _) = scene();
    let big = dir.path().join("big");
    std::fs::File::create(&big).unwrap().set_len(1 << 33).unwrap();
    assert!(read(&big, "the file").unwrap_err().to_string().contains("longer than 1 MiB"));
}

#[test]
fn a_group_is_private_when_nobody_else_can_be_in_it() {
    let passwd =
        "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:\nbob:x:1001:1001::/:\neve:x:1002:100::/:\nsvc:x:1003:0::/:\n";
    let group = "root:x:0:\nann:x:1000:ann\nbob:x:1001:eve\nusers:x:100:\ndev:x:2000:ann\n";
    let of = |uids: &[u32]| Owners { uids: uids.to_vec(), accounts: Accounts::parse(passwd, group) };
    let (ann, bob) = (of(&[1000, 0]), of(&[1001, 0]));
    assert!(ann.is_private(1000), "her own");
    assert!(!bob.is_private(1001), "eve is in it");
    assert!(!ann.is_private(1001) && !ann.is_private(100) && !ann.is_private(2000));
    assert!(!ann.is_private(0), "svc is in it");
    assert!(of(&[1003, 0]).is_private(0), "only svc and root are in it");
    assert!(of(&[1002, 0]).is_private(100), "her own, and nobody else's");
    assert!(of(&[7000, 0]).is_private(7000) && !of(&[7000, 0]).is_private(7001), "an account that is not listed");
    let unknown = Owners { uids: vec![9, 0], accounts: Accounts::parse("a:x:9:9::/:\n", "a:x:9:someone_of_ldap\n") };
    assert!(!unknown.is_private(9), "a member who is not listed");
}

#[test]
fn a_checkout_with_umask_002_is_used_and_one_of_a_team_is_not() {
    let me = rustix::process::geteuid().as_raw();
    let (dir, file) = scene();
    let accounts = Accounts::parse(&format!("me:x:{me}:77::/:\n"), "me:x:77:\n");
    let owners = Owners { uids: vec![me, 0], accounts };
    if me != 0 {
        return;
    }
    for path in [dir.path(), &file] {
        chown(path, None, Some(77)).unwrap();
        mode(path, 0o775);
    }
    assert!(used(&owners, &file));
    let team = Owners { accounts: Accounts::parse("me:x:0:0::/:\nann:x:5:77::/:\n", "team:x:77:\n"), ..owners };
    let said = refused(&team, &file);
    assert!(said.contains("the group team (gid 77) can write to") && said.contains("chmod g-w"), "{said}");
}

#[test]
fn the_variable_takes_the_number_of_a_user() {
    for wrong in ["ann", "-1", "", "1 2"] {
        assert_eq!(trust_also(Some(wrong)).unwrap_err().kind, FailureKind::Configuration, "{wrong}");
    }
}
