//! Files that somebody else could have written decide nothing: not what is run, not what is read, not what is sealed.
//!
//! What needs files of another user is tested as root, who alone can give files away.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::support::{Place, Ran, is_root};

const STRANGER: u32 = 54_321;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(STRANGER), None).unwrap();
}

/// A shared sticky folder as `/tmp` is, with a folder of ours in it, where the command is run.
struct Shared {
    place: Place,
}

impl Shared {
    fn new() -> Self {
        let place = Place::new();
        mode(place.dir.path(), 0o1777);
        std::fs::create_dir(place.dir.path().join("mywork")).unwrap();
        Self { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.dir.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn root_with_a_snapshot(&self) -> String {
        self.place.snapshot("2026-01-30T12:00:05Z", |_| {});
        self.place.root().to_str().unwrap().to_string()
    }

    fn run(&self, args: &[&str], trust: Option<u32>) -> Ran {
        let mut command = self.place.command(args);
        command.current_dir(self.path("mywork")).env("HOME", "/nonexistent");
        command.envs(trust.map(|uid| ("STACKSNAP_TRUST_OWNER", uid.to_string())));
        Ran::of(&mut command)
    }
}

fn assert_refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 78, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word}: {ran:?}");
    }
}

/// A configuration whose command leaves a mark when it is run.
fn with_command(shared: &Shared) -> (PathBuf, String) {
    let mark = shared.path("mywork/mark");
    let url = "postgresql://u@127.0.0.1:1/d";
    let command = format!("cmd = [\"/bin/sh\", \"-c\", \"echo > {}; echo {url}\"]", mark.display());
    (mark, format!("schema = 1\n[projects.shop]\ndb_url = {{ {command} }}\n"))
}

#[test]
fn a_command_of_somebody_elses_configuration_is_not_run() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    let (mark, text) = with_command(&shared);
    let file = shared.write("stacksnap.toml", &text);
    give_away(&file);
    let owner = format!("{} belongs to uid {STRANGER}", file.display());
    let allow = format!("STACKSNAP_TRUST_OWNER={STRANGER}");
    for verb in
        [&["create"][..], &["doctor"], &["list"], &["config", "show"], &["--config", file.to_str().unwrap(), "create"]]
    {
        assert_refused(&shared.run(verb, None), &[&owner, &allow]);
        assert!(!mark.exists(), "{verb:?}");
    }
    // Trusted by name, or ours: it is used, and fails only because there is no server.
    assert_eq!(shared.run(&["create"], Some(STRANGER)).code, 69);
    assert!(mark.exists());
    std::fs::remove_file(&mark).unwrap();
    chown(&file, Some(0), None).unwrap();
    assert_eq!(shared.run(&["create"], None).code, 69);
    assert!(mark.exists());
}

#[test]
fn a_configuration_that_everybody_can_write_to_is_not_used() {
    let shared = Shared::new();
    let (mark, text) = with_command(&shared);
    let file = shared.write("mywork/stacksnap.toml", &text);
    mode(&file, 0o666);
    assert_refused(&shared.run(&["create"], None), &["everybody can write to", "chmod go-w"]);
    mode(&file, 0o644);
    mode(&shared.path("mywork"), 0o777);
    assert_refused(&shared.run(&["create"], None), &["everybody can write to", "chmod go-w"]);
    mode(&shared.path("mywork"), 0o755);
    assert!(!mark.exists());
    assert_eq!(shared.run(&["create"], None).code, 69);
}

#[test]
fn a_link_and_a_folder_of_somebody_else_are_as_good_as_a_file_of_theirs() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    let (mark, text) = with_command(&shared);
    let own = shared.write("mywork/ours.toml", &text);
    symlink(&own, shared.path("stacksnap.toml")).unwrap();
    give_away(&shared.path("stacksnap.toml"));
    assert_refused(&shared.run(&["create"], None), &["stacksnap.toml belongs to"]);
    std::fs::remove_file(shared.path("stacksnap.toml")).unwrap();
    std::fs::create_dir(shared.path("theirs")).unwrap();
    std::fs::write(shared.path("theirs/c.toml"), &text).unwrap();
    give_away(&shared.path("theirs"));
    let config = shared.path("theirs/c.toml");
    assert_refused(&shared.run(&["--config", config.to_str().unwrap(), "create"], None), &["theirs belongs to"]);
    assert!(!mark.exists());
}

#[test]
fn variables_secrets_passwords_services_and_programs_of_somebody_else_are_not_used() {
    if !is_root() {
        return;
    }
    let url = "postgresql://u@127.0.0.1:1/d";
    let project = |secret: &str| format!("schema = 1\n[projects.shop]\ndb_url = {{ {secret} }}\n");
    let passfile = "postgresql://u@127.0.0.1:1/d?passfile=";
    let shared = Shared::new();
    let theirs = |name: &str, text: &str| {
        let path = shared.write(name, text);
        mode(&path, 0o700);
        give_away(&path);
        path.to_str().unwrap().to_string()
    };
    let env = theirs("env", &format!("DATABASE_URL={url}\n"));
    let secret = theirs("secret", url);
    let program = theirs("program", &format!("#!/bin/sh\necho {url}\n"));
    let passwords = theirs("pgpass", "*:*:*:*:p\n");
    let service = theirs("service", "[s]\nhost=127.0.0.1\nport=1\ndbname=d\n");
    let key = theirs("identity", "AGE-SECRET-KEY-1\n");
    std::fs::create_dir(shared.path("bin")).unwrap();
    let pg_dump = theirs("bin/pg_dump", "#!/bin/sh\n");
    let bin = shared.path("bin");
    shared.write("mywork/secret.toml", &project(&format!("file = \"{secret}\"")));
    shared.write("mywork/program.toml", &project(&format!("cmd = [\"{program}\"]")));
    let root = shared.root_with_a_snapshot();
    let by_passfile = format!("{passfile}{passwords}");
    let (authority, cert) = (theirs("root.crt", ""), theirs("client.crt", ""));
    let by_authority = format!("{url}?sslmode=verify-full&sslrootcert={authority}");
    let by_cert = format!("{url}?sslmode=require&sslcert={cert}&sslkey={cert}");
    let cases: [(&str, Vec<&str>); 8] = [
        (&authority, vec!["--db-url", &by_authority, "create"]),
        (&cert, vec!["--db-url", &by_cert, "create"]),
        (&env, vec!["--env-file", &env, "create"]),
        (&secret, vec!["--config", "secret.toml", "create"]),
        (&program, vec!["--config", "program.toml", "create"]),
        (&passwords, vec!["--db-url", &by_passfile, "create"]),
        (&key, vec!["--root", &root, "restore", "latest", "--to", url, "--seal-identity", &key]),
        (&pg_dump, vec!["--db-url", url, "create", "--pg-bin", bin.to_str().unwrap()]),
    ];
    for (path, args) in cases {
        assert_refused(&shared.run(&args, None), &[&format!("{path} belongs to uid {STRANGER}")]);
    }
    let mut command = shared.place.command(&["--db-url", "postgresql:///?service=s", "create"]);
    command.current_dir(shared.path("mywork")).env("PGSERVICEFILE", &service);
    assert_refused(&Ran::of(&mut command), &[&format!("{service} belongs to uid {STRANGER}")]);
}

#[test]
fn a_pipe_a_socket_a_device_or_a_folder_is_said_at_once() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let shared = Shared::new();
    let pipe = |name: &str| mknodat(CWD, shared.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for name in [".env", "stacksnap.toml"] {
        let at = format!("mywork/{name}");
        pipe(&at);
        let started = Instant::now();
        assert_refused(&shared.run(&["create"], None), &[name, "is a pipe, not an ordinary file"]);
        std::fs::remove_file(shared.path(&at)).unwrap();
        std::fs::create_dir(shared.path(&at)).unwrap();
        assert_refused(&shared.run(&["create"], None), &[name, "is a folder, not an ordinary file"]);
        std::fs::remove_dir(shared.path(&at)).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(shared.path(&at)).unwrap();
        mode(&shared.path(&at), 0o600);
        assert_refused(&shared.run(&["create"], None), &[name, "is a socket, not an ordinary file"]);
        drop(socket);
        std::fs::remove_file(shared.path(&at)).unwrap();
        assert!(started.elapsed().as_secs() < 20);
    }
    for args in [["--env-file", "/dev/zero", "create"], ["--config", "/dev/zero", "create"]] {
        assert_eq!(shared.run(&args, None).code, 78);
    }
    pipe("mywork/identity");
    let url = "postgresql://u@127.0.0.1:1/d";
    let root = shared.root_with_a_snapshot();
    let ran = shared.run(&["--root", &root, "restore", "latest", "--to", url, "--seal-identity", "identity"], None);
    assert_refused(&ran, &["is a pipe"]);
    // A virtual environment of Python is a folder, and none of our business.
    std::fs::create_dir(shared.path("mywork/.env")).unwrap();
    shared.write("mywork/.env/pyvenv.cfg", "home = /usr/bin\n");
    assert_eq!(shared.run(&["--db-url", url, "create"], None).code, 69);
}

#[test]
fn the_variable_of_trust_takes_a_number() {
    let shared = Shared::new();
    let mut command = shared.place.command(&["list"]);
    command.env("STACKSNAP_TRUST_OWNER", "ann");
    assert_refused(&Ran::of(&mut command), &["STACKSNAP_TRUST_OWNER is not the number of a user"]);
}

/// A `create` onto this root, against a server that is not there: what is refused is refused before.
fn create_in(shared: &Shared, root: &Path, trust: Option<u32>) -> Ran {
    let url = "postgresql://u@127.0.0.1:1/d";
    shared.run(&["--root", root.to_str().unwrap(), "--db-url", url, "create"], trust)
}

#[test]
fn a_root_folder_and_a_key_that_somebody_else_made_are_not_used() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    let root = shared.path("backups");
    std::fs::create_dir(&root).unwrap();
    mode(&root, 0o700);
    give_away(&root);
    assert_refused(&create_in(&shared, &root, None), &["the root folder", "backups belongs to uid 54321"]);
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing was written into it");
    assert_eq!(create_in(&shared, &root, Some(STRANGER)).code, 69);
    // One below a folder of a stranger is no better than theirs.
    assert_refused(&create_in(&shared, &root.join("deeper"), None), &["backups belongs to uid 54321"]);
    assert!(!root.join("deeper").exists());
    // Root is nobody special: a key of a stranger seals nothing, though root could read it.
    let own = shared.path("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join(".stacksnap.key"), [7; 32]).unwrap();
    mode(&own.join(".stacksnap.key"), 0o600);
    give_away(&own.join(".stacksnap.key"));
    assert_refused(&create_in(&shared, &own, None), &["the key", ".stacksnap.key belongs to uid 54321"]);
}

#[test]
fn links_in_a_root_folder_are_not_followed() {
    let shared = Shared::new();
    let root = shared.path("backups");
    for name in ["logs", "restores", "drills"] {
        let elsewhere = shared.path(&format!("elsewhere_{name}"));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, root.join(name)).unwrap();
    }
    assert_refused(&create_in(&shared, &root, None), &["logs is a link"]);
    assert_eq!(std::fs::read_dir(shared.path("elsewhere_logs")).unwrap().count(), 0);
    let id = stacksnap::root::folder::folder_in(&root, "restores").unwrap_err();
    assert!(id.to_string().contains("is a link"), "{id}");
}

#[test]
fn pipes_in_a_root_folder_are_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let shared = Shared::new();
    let root = shared.path("backups");
    std::fs::create_dir(&root).unwrap();
    let started = Instant::now();
    for name in ["status.json", ".stacksnap.lock", ".stacksnap.key"] {
        mknodat(CWD, root.join(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    for verb in [&["list"][..], &["logs"], &["create", "--db-url", "postgresql://u@127.0.0.1:1/d"]] {
        let _ = shared.run(&[&["--root", root.to_str().unwrap()], verb].concat(), None);
    }
    assert_refused(&create_in(&shared, &root, None), &[".stacksnap.lock is not an ordinary file"]);
    std::fs::remove_file(root.join(".stacksnap.lock")).unwrap();
    assert_refused(&create_in(&shared, &root, None), &[".stacksnap.key is a pipe"]);
    assert!(started.elapsed().as_secs() < 30);
}
