//! The restore script against a real server: right for an empty database, and for nothing else.

mod scene;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use stacksnap::model::gap::Gap;
use stacksnap::model::manifest::Manifest;
use stacksnap::render::{RestoreScriptFacts, restore_script};

use crate::support::turns::Alone;
use crate::support::{Cluster, Database, alone, server, success};
use scene::{SCRIPT, fill, snapshot};

/// Runs the script against `target`, in the empty folder `work` so that a marker file would be seen.
fn run(server: &Cluster, folder: &Path, target: &str, arguments: &[&str]) -> Output {
    command(server, folder, target, arguments).stdin(Stdio::null()).output().unwrap()
}

fn command(server: &Cluster, folder: &Path, target: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder.join(SCRIPT));
    command.env("PGDATABASE", target).current_dir(folder.parent().unwrap());
    if !arguments.contains(&"--pg-bin") {
        command.arg("--pg-bin").arg(&server.bin);
    }
    command.args(arguments);
    command
}

#[track_caller]
fn ended(output: &Output, code: i32, says: &str) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{says:?} is not in: {text}");
}

/// Is there nothing in it?
fn is_empty(database: &Database) -> bool {
    let sql = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'app')";
    database.sql(sql) == "0"
}

#[track_caller]
fn no_marker(root: &Path) {
    let marks: Vec<_> = walkdir::WalkDir::new(root).into_iter().flatten().filter(|e| e.file_name() == "MARK").collect();
    assert!(marks.is_empty() && !Path::new("MARK").exists(), "something ran: {marks:?}");
}

/// A source, its snapshot and an empty target.
struct Scene<'a> {
    server: &'a Cluster,
    /// The script makes a role.
    _alone: Alone,
    root: tempfile::TempDir,
    folder: PathBuf,
    source: Database,
    target: Database,
}

impl<'a> Scene<'a> {
    fn new(server: &'a Cluster, change: impl FnOnce(&mut Manifest)) -> Self {
        let (alone, root) = (alone(), tempfile::tempdir().unwrap());
        let (source, target) = (server.database("TEMPLATE template0"), server.database("TEMPLATE template0"));
        fill(&source);
        let folder = snapshot(server, &source, root.path(), change);
        Self { server, _alone: alone, root, folder, source, target }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(self.server, &self.folder, &self.target.name, arguments)
    }

    fn restore(&self) -> Output {
        self.run(&["--confirm", &self.target.name])
    }
}

#[test]
fn an_empty_database_becomes_equal() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    ended(&scene.run(&["--dry-run"]), 0, "dry run: nothing was written");
    assert!(is_empty(&scene.target));
    ended(&scene.restore(), 0, "restored");
    no_marker(scene.root.path());
    for query in [
        "SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM app.orders o",
        "SELECT n FROM app.totals",
        "SELECT string_agg(relname || ' ' || coalesce(obj_description(oid), ''), ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace",
        "SELECT string_agg(polname || pg_get_expr(polqual, polrelid), ',' ORDER BY polname) FROM pg_policy",
        "SELECT prosrc FROM pg_proc WHERE proname = 'hostile'",
        "SELECT lo_get(4711)",
        "SELECT count(*) FROM app.ddl_log",
        "SELECT evtname, evtowner::regrole, evtenabled, obj_description(oid) FROM pg_event_trigger",
        "SELECT nextval('app.orders_id_seq') > 3000",
    ] {
        assert_eq!(scene.source.sql(query), scene.target.sql(query), "{query}");
    }
    assert!(!scene.target.sql("SELECT relacl FROM pg_class WHERE relname = 'lines'").contains("{="));
    assert!(scene.target.sql("SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())").contains("app.x=1"));
    // A second time it is not empty any more.
    let again = scene.restore();
    ended(&again, 14, "not empty");
    ended(&again, 14, "relation app.orders");
    no_marker(scene.root.path());
}

#[test]
fn trap_8_a_database_with_the_name_of_a_connection_string() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    let name = "host=evil.invalid dbname=x 'q' \"$(touch MARK)\"";
    server.empty(name);
    let odd = Database { server: server.clone(), name: name.to_string() };
    ended(&run(&server, &scene.folder, name, &["--confirm", name]), 0, "restored");
    assert_eq!(odd.sql("SELECT count(*) FROM app.orders"), "3000");
    no_marker(scene.root.path());
    let url = "postgresql://evil.invalid/x";
    ended(&run(&server, &scene.folder, url, &["--confirm", url]), 69, "does not exist");
}

#[test]
fn nothing_is_written_without_the_right_name() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    ended(&scene.run(&[]), 14, "no terminal");
    ended(&scene.run(&["--confirm", "other"]), 14, "not the name");
    ended(&scene.run(&["--confirm", ""]), 14, "not the name");
    // On a terminal: a wrong name, then the right one.
    for (typed, code) in [("yes", 14), (scene.target.name.as_str(), 0)] {
        let line = format!("{} --pg-bin {}", scene.folder.join(SCRIPT).display(), server.bin.display());
        let mut terminal = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("PGDATABASE", &scene.target.name)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        use std::io::Write;
        terminal.stdin.as_mut().unwrap().write_all(format!("{typed}\n").as_bytes()).unwrap();
        assert_eq!(terminal.wait().unwrap().code(), Some(code), "{typed}");
        assert_eq!(is_empty(&scene.target), code == 14);
    }
}

#[test]
fn damage_anywhere_writes_nothing() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(&scene.folder)
        .into_iter()
        .flatten()
        .filter(|e| e.file_type().is_file())
        .map(|e| e.into_path())
        .collect();
    files.sort();
    // The signature is for stacksnap: the script, a part of the folder itself, looks at checksums.
    for file in files.iter().filter(|f| !f.ends_with(SCRIPT) && !f.ends_with("manifest.sig")) {
        let bytes = fs::read(file).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 2;
            fs::write(file, flipped).unwrap();
            ended(&scene.restore(), 13, "");
        }
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        ended(&scene.restore(), 13, "");
        let aside = scene.root.path().join("aside");
        fs::rename(file, &aside).unwrap();
        ended(&scene.restore(), 13, "");
        symlink(&aside, file).unwrap();
        ended(&scene.restore(), 13, "");
        fs::remove_file(file).unwrap();
        fs::rename(&aside, file).unwrap();
        fs::write(file, &bytes).unwrap();
    }
    for name in ["extension_state/0.sql", "x\ny", ".hidden"] {
        fs::write(scene.folder.join(name), "SELECT 1;").unwrap();
        ended(&scene.restore(), 13, "do not belong");
        fs::remove_file(scene.folder.join(name)).unwrap();
    }
    // A comment in the script itself: it still runs, and finds that it was changed.
    let text = fs::read_to_string(scene.folder.join(SCRIPT)).unwrap();
    fs::write(scene.folder.join(SCRIPT), text.replacen("# 2. Programs.", "# 2. programs.", 1)).unwrap();
    ended(&scene.restore(), 13, SCRIPT);
    assert!(is_empty(&scene.target));
    fs::write(scene.folder.join(SCRIPT), text).unwrap();
    ended(&scene.restore(), 0, "restored");
}

/// A folder with the server's psql and another pg_restore.
fn fake_pg_restore(server: &Cluster, folder: &Path, body: &str) {
    fs::create_dir_all(folder).unwrap();
    let _ = symlink(server.bin.join("psql"), folder.join("psql"));
    let real = server.bin.join("pg_restore");
    let text = format!(
        "#!/bin/bash\ncase \"$*\" in *'-f -'*) ;; *) exec {0} \"$@\" ;; esac\n{1}\n",
        real.display(),
        body.replace("REAL", &format!("{} \"$@\"", real.display()))
    );
    fs::write(folder.join("pg_restore"), text).unwrap();
    fs::set_permissions(folder.join("pg_restore"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn trap_1_a_pg_restore_that_dies_or_stops_early_commits_nothing() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    let bin = scene.root.path().join("bin");
    let whole = success(
        server
            .program("pg_restore", "postgres")
            .args(["-f", "-", "--single-transaction", "--restrict-key=00000000000000000000000000000000"])
            .arg(scene.folder.join("complete_database_with_data.dump")),
    )
    .len();
    // What is missing at the end, in bytes.
    let cuts: Vec<usize> = (1..12).map(|n| whole * n / 12).chain([1, 30, 200]).collect();
    for cut in cuts {
        // `head` ends early and the real one fails of it, or says nothing of it.
        for end in ["kill -9 $$", "exit 0"] {
            fake_pg_restore(&server, &bin, &format!("REAL 2>/dev/null | head -c -{cut}\n{end}"));
            ended(
                &scene.run(&["--pg-bin", bin.to_str().unwrap(), "--confirm", &scene.target.name]),
                1,
                "nothing was written",
            );
            assert!(is_empty(&scene.target), "{cut} of {whole} cut, then {end}");
        }
    }
    fake_pg_restore(&server, &bin, "REAL");
    ended(&scene.run(&["--pg-bin", bin.to_str().unwrap(), "--confirm", &scene.target.name]), 0, "restored");
}

#[test]
fn an_error_in_the_last_part_rolls_back_the_first() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    // The role that the grants need cannot be made: another of the same run stands in the way of nothing else.
    let bin = scene.root.path().join("bin");
    fake_pg_restore(&server, &bin, "REAL | sed 's/^CREATE TABLE app.lines /CREATE TABLE app.other /'");
    ended(&scene.run(&["--pg-bin", bin.to_str().unwrap(), "--confirm", &scene.target.name]), 1, "nothing was written");
    fake_pg_restore(&server, &bin, "REAL | sed 's/^SET row_security = off;$/COMMIT;/'");
    ended(&scene.run(&["--pg-bin", bin.to_str().unwrap(), "--confirm", &scene.target.name]), 1, "");
}

#[test]
fn programs_target_and_usage() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    let nothing = scene.root.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    ended(
        &scene.run(&["--pg-bin", nothing.to_str().unwrap(), "--confirm", "x"]),
        1,
        "psql and pg_restore of PostgreSQL 15",
    );
    ended(&scene.run(&["--help"]), 0, "--allow-partial");
    for wrong in [&["--nonsense"][..], &["--only", "nothing"], &["--confirm"]] {
        ended(&scene.run(wrong), 64, "");
    }
    ended(&run(&server, &scene.folder, "", &["--confirm", "x"]), 64, "PGDATABASE");
    let unreachable = command(&server, &scene.folder, "x", &["--confirm", "x"]).env("PGPORT", "1").output().unwrap();
    ended(&unreachable, 69, "does not answer");
    // A Supabase project is not an empty database.
    scene.target.sql("CREATE SCHEMA auth; CREATE SCHEMA storage");
    ended(&scene.restore(), 14, "which this script must not touch");
}

#[test]
fn a_partial_snapshot_needs_a_word_and_says_what_is_missing() {
    let server = server();
    let scene = Scene::new(&server, |manifest| {
        manifest.complete = false;
        manifest.gaps.push(Gap::new("x", "role $(touch MARK) `x`\n'", "why", "todo"));
    });
    ended(&scene.restore(), 14, "PARTIAL");
    assert!(is_empty(&scene.target));
    let allowed = scene.run(&["--allow-partial", "--confirm", &scene.target.name]);
    ended(&allowed, 3, "role $(touch MARK) `x`\\u{a}'");
    no_marker(scene.root.path());
}

#[test]
fn row_counts_that_differ_are_named() {
    let server = server();
    let scene = Scene::new(&server, |manifest| manifest.tables[1].rows = 501);
    ended(&scene.restore(), 15, "app.lines: 500 rows, the snapshot has 501");
}

#[test]
fn one_part_at_a_time() {
    let server = server();
    let scene = Scene::new(&server, |_| {});
    ended(&scene.restore(), 0, "restored");
    let confirm = scene.target.name.clone();
    ended(&scene.run(&["--only", "policies", "--confirm", &confirm]), 0, "restored");
    assert_eq!(
        scene.target.sql("SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'mine'"),
        "(id > 1)"
    );
    ended(&scene.run(&["--only", "users", "--confirm", &confirm]), 1, "no users_with_encrypted_passwords.sql");
    ended(&scene.run(&["--only", "data", "--confirm", &confirm]), 14, "not empty");
    let tables = scene
        .target
        .sql("SELECT string_agg(format('%I.%I', schemaname, tablename), ',') FROM pg_tables WHERE schemaname = 'app'");
    scene.target.sql(&format!("TRUNCATE {tables}; SELECT lo_unlink(4711)"));
    ended(&scene.run(&["--only", "data", "--confirm", &confirm]), 0, "restored");
    assert_eq!(scene.target.sql("SELECT count(*) FROM app.orders"), "3000");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let mut manifest = crate::support::handmade::draft();
    manifest.gaps.push(Gap::new("x", "a", "b", "c"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), restore_script(&RestoreScriptFacts::from_manifest(&manifest)).unwrap()).unwrap();
    match Command::new("shellcheck").args(["-s", "bash"]).arg(file.path()).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}
