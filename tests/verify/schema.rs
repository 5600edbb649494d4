//! `create --verify schema` end to end: when it is done, what it says, and that nothing of it stays behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::network::Slow;
use crate::support::throw_away::{Scene, gaps, verified};
use crate::support::{Database, Ran, is_root, server, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// Tables with indexes and keys: some seconds of work.
fn many_tables() -> Database {
    let database = server().database("TEMPLATE template0");
    database.sql(
        "DO $$ BEGIN FOR n IN 1..250 LOOP EXECUTE format('CREATE TABLE public.t%s (id int PRIMARY KEY, a text, b int)', n); \
         EXECUTE format('CREATE INDEX ON public.t%s (a, b)', n); \
         EXECUTE format('CREATE POLICY p ON public.t%s USING (b > 1)', n); END LOOP; END $$",
    );
    database
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn by_default_the_schema_is_verified_where_a_server_can_run_without_rights() {
    let database = server().small();
    let scene = Scene::new();
    let ran = scene.run(database.access(), &[]);
    assert_eq!((ran.code, &ran.json()["complete"]), (0, &true.into()), "{ran:?}");
    let found = verified(&ran);
    assert_eq!(found["requested"], false, "{found}");
    let sentence = if is_root() {
        assert_eq!(found["outcome"], "verified", "{found}");
        let version = found["server_version"].as_str().unwrap();
        assert!(version.starts_with(&format!("{}.", server().major())), "{found}");
        assert!(found["objects"].as_u64().unwrap() > 10 && found["duration_ms"].as_u64().unwrap() > 0, "{found}");
        assert!(found.get("reason").is_none() && found.get("not_tried").is_none(), "{found}");
        format!("verified on PostgreSQL {version} in ")
    } else {
        assert_eq!(found["outcome"], "not_verified", "{found}");
        "on request".to_string()
    };
    // The same everywhere: manifest, page, show, list, and the screen.
    let folder = ran.folder();
    crate::support::assert_verified(&scene.place, &folder);
    let page = std::fs::read_to_string(folder.join("BACKUP_MANIFEST.md")).unwrap();
    assert!(
        page.contains(&format!("| Schema | schema {}", if is_root() { &sentence } else { "not verified" })),
        "{page}"
    );
    let shown = Ran::of(scene.place.bare(&["show", "latest"]).arg("-q"));
    assert!(shown.stdout.lines().any(|l| l.starts_with("schema ") && l.contains(&sentence)), "{shown:?}");
    let document = Ran::of(&mut scene.place.bare(&["-o", "json", "show", "latest"])).json();
    assert_eq!(document["snapshot"]["schema_verification"], found);
    let listed = Ran::of(&mut scene.place.bare(&["-o", "json", "list"])).json();
    assert_eq!(listed["snapshots"][0]["schema"], found["outcome"], "{listed}");
    let text = scene.run(database.access(), &["-o", "text"]);
    assert!(text.stdout.contains(&sentence), "{text:?}");
}

#[test]
fn it_is_done_when_it_is_asked_for_and_left_when_it_is_not_wanted() {
    let database = server().small();
    let scene = Scene::new();
    let asked = verified(&scene.run(database.access(), &["--verify", "schema"]));
    assert_eq!((asked["outcome"].as_str(), &asked["requested"]), (Some("verified"), &true.into()), "{asked}");
    let none = verified(&scene.run(database.access(), &["--verify", "none"]));
    assert_eq!(none["outcome"], "not_verified", "{none}");
    assert!(none["reason"].as_str().unwrap().contains("switched off"), "{none}");
    // The variable says it too, and the file; what is nearer counts.
    let by_variable = Ran::of(scene.create(database.access(), &[]).env("STACKSNAP_VERIFY", "none"));
    assert_eq!(verified(&by_variable)["outcome"], "not_verified");
    let file = scene.place.dir.path().join("stacksnap.toml");
    std::fs::write(&file, "schema = 1\n[snapshot]\nverify = \"schema\"\n").unwrap();
    assert_eq!(verified(&scene.run(database.access(), &[]))["requested"], true);
    let flag = Ran::of(scene.create(database.access(), &["--verify", "none"]).env("STACKSNAP_VERIFY", "schema"));
    assert_eq!(verified(&flag)["outcome"], "not_verified");
    std::fs::write(&file, "schema = 1\n[snapshot]\nverify = \"always\"\n").unwrap();
    let wrong = scene.run(database.access(), &[]);
    assert_eq!(wrong.code, 78, "{wrong:?}");
    assert!(wrong.error().contains("none, schema, restore"), "{wrong:?}");
}

#[test]
fn a_part_of_a_snapshot_is_not_verified() {
    let database = server().small();
    let scene = Scene::new();
    let refused = scene.run(database.access(), &["--verify", "schema", "--only", "archive"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    let part = scene.run(database.access(), &["--only", "archive"]);
    let found = verified(&part);
    assert_eq!((part.code, found["outcome"].as_str()), (0, Some("not_verified")), "{part:?}");
    assert!(found["reason"].as_str().unwrap().contains("full"), "{found}");
    // Of parts without an archive nothing can be restored.
    let found = verified(&scene.run(database.access(), &["--only", "policies"]));
    assert_eq!(found["outcome"], "not_verified", "{found}");
}

#[test]
fn with_verify_restore_the_drill_says_it() {
    let database = server().small();
    let scene = Scene::new();
    let ran = scene.run(database.access(), &["--verify", "restore"]);
    let document = ran.json();
    assert_eq!((ran.code, document["drill"]["verdict"].as_str()), (0, Some("restorable")), "{document}");
    assert!(document["schema_verification"]["reason"].as_str().unwrap().contains("--verify restore"), "{document}");
}

/// The programs of the server, with one of them replaced.
fn programs(replaced: &str, script: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("bin").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["pg_dump", "pg_restore", "initdb", "postgres", "pg_ctl"] {
        let place = folder.path().join(program);
        if program == replaced {
            std::fs::write(&place, script).unwrap();
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
        } else {
            let real = server().bin.join(program);
            // A wrapper: programs look for their files beside the place that they were started from.
            std::fs::write(&place, format!("#!/bin/sh\nexec {} \"$@\"\n", real.display())).unwrap();
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    folder
}

#[test]
fn a_server_that_cannot_be_made_costs_the_snapshot_nothing_unless_it_was_asked_for() {
    let database = server().small();
    let scene = Scene::new();
    let broken = programs("initdb", "#!/bin/sh\necho 'no room for a cluster' >&2\nexit 1\n");
    let bin = ["--pg-bin", broken.path().to_str().unwrap()];
    let ran = scene.run(database.access(), &bin);
    let found = verified(&ran);
    assert_eq!((ran.code, &ran.json()["complete"]), (0, &true.into()), "{ran:?}");
    assert_eq!(found["outcome"], "not_verified", "{found}");
    if is_root() {
        assert!(found["reason"].as_str().unwrap().contains("no room for a cluster"), "{found}");
    }
    let asked = scene.run(database.access(), &[&bin[..], &["--verify", "schema"]].concat());
    assert_eq!(asked.code, 15, "{asked:?}");
    assert_eq!(verified(&asked)["requested"], true);
    crate::support::assert_verified(&scene.place, Path::new(asked.json()["place"].as_str().unwrap()));
}

#[test]
fn without_a_server_of_that_major_nothing_is_verified_by_default() {
    let database = server().small();
    let scene = Scene::new();
    // An older server cannot hold what the source has.
    let old = programs("postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.1'\n");
    let bin = ["--pg-bin", old.path().to_str().unwrap()];
    let ran = scene.run(database.access(), &bin);
    let found = verified(&ran);
    assert_eq!(ran.code, 0, "{ran:?}");
    let installed = PathBuf::from(format!("/usr/lib/postgresql/{}/bin/initdb", server().major())).exists();
    if is_root() && !installed {
        assert_eq!(found["outcome"], "not_verified", "{found}");
        let reason = found["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("{}", server().major())), "{reason}");
    }
    let mut doctor = scene.place.bare(&["-o", "json", "doctor", "--pg-bin", bin[1]]);
    doctor.env_remove("STACKSNAP_VERIFY").env("PGHOST", &server().host).env("PGPORT", server().port.to_string());
    doctor.env("PGUSER", &server().user).env("PGPASSWORD", &server().password).env("PGDATABASE", &database.name);
    let document = Ran::of(&mut doctor).json();
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "verify_schema").unwrap();
    if installed {
        assert_eq!(check["status"], "ok", "{check}");
    } else {
        assert_eq!(check["status"], "warn", "{check}");
        assert!(check["todo"].as_str().unwrap().contains(&format!("postgresql-{}", server().major())), "{check}");
    }
}

#[test]
fn a_server_that_is_killed_costs_the_snapshot_nothing() {
    let database = many_tables();
    let scene = Scene::new();
    let mut command = scene.create(database.access(), &["--verify", "schema", "-v"]);
    let err = scene.place.dir.path().join("err");
    command.stdout(std::process::Stdio::piped()).stderr(std::fs::File::create(&err).unwrap());
    let child = command.spawn().unwrap();
    let pid = scene.throw_away_server();
    wait_until("the restore", || std::fs::read_to_string(&err).unwrap().contains("verifying …"));
    std::thread::sleep(Duration::from_millis(200));
    kill(pid, Signal::KILL);
    let output = child.wait_with_output().unwrap();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: std::fs::read_to_string(&err).unwrap(),
    };
    assert_eq!(ran.code, 15, "{ran:?}");
    assert_eq!((&ran.json()["complete"], gaps(&ran).len()), (&true.into(), 0), "{ran:?}");
    assert_eq!(verified(&ran)["outcome"], "not_verified", "{ran:?}");
    scene.assert_nothing_left();
    crate::support::assert_verified(&scene.place, Path::new(ran.json()["place"].as_str().unwrap()));
}

#[test]
fn ctrl_c_stops_the_verification_and_keeps_the_snapshot() {
    let database = many_tables();
    let scene = Scene::new();
    let (out, err) = (scene.place.dir.path().join("out"), scene.place.dir.path().join("err"));
    let mut command = scene.create(database.access(), &["-v"]);
    if !is_root() {
        command.arg("--verify").arg("schema");
    }
    command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    wait_until("the restore", || std::fs::read_to_string(&err).unwrap().contains("verifying …"));
    std::thread::sleep(Duration::from_millis(300));
    kill(child.id(), Signal::INT);
    let status = child.wait().unwrap();
    let ran = Ran {
        code: status.code().unwrap_or(-1),
        stdout: std::fs::read_to_string(&out).unwrap(),
        stderr: std::fs::read_to_string(&err).unwrap(),
    };
    assert_eq!(ran.code, if is_root() { 0 } else { 15 }, "{ran:?}");
    let found = verified(&ran);
    assert!(found["reason"].as_str().unwrap().contains("interrupted"), "{found}");
    scene.assert_nothing_left();
    crate::support::assert_verified(&scene.place, Path::new(ran.json()["place"].as_str().unwrap()));
}

#[test]
fn a_run_that_ends_early_leaves_no_cluster() {
    let database = server().small();
    crate::support::fill(&database, "public.large", 8);
    let scene = Scene::new();
    let slow = Slow::to(server().port, 200_000);
    for signal in [Signal::INT, Signal::KILL] {
        let mut command = scene.create(database.through(slow.port), &["--verify", "schema"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        // It is up while the source is read.
        scene.throw_away_server();
        kill(child.id(), signal);
        let status = child.wait().unwrap();
        assert!(signal == Signal::KILL || status.code() == Some(130), "{status:?}");
        scene.assert_nothing_left();
        let sealed = scene.place.entries().into_iter().filter(|name| !name.ends_with(".partial"));
        assert_eq!(sealed.collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[test]
fn two_runs_at_once_are_apart() {
    let database = server().small();
    let scenes = [Scene::new(), Scene::new()];
    let runs: Vec<Ran> = std::thread::scope(|scope| {
        let database = &database;
        let start = |scene| scope.spawn(move || Scene::run(scene, database.access(), &["--verify", "schema"]));
        let started: Vec<_> = scenes.iter().map(start).collect();
        started.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for ran in &runs {
        assert_eq!((ran.code, verified(ran)["outcome"].as_str()), (0, Some("verified")), "{ran:?}");
    }
}
