//! `restore` and `undo` around the engine: who names the target, who says yes, what is refused before the first write,
//! the safety snapshot, the record, the way back.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

use std::os::unix::fs::PermissionsExt;

use crate::support::commands::{contents, restore, snapshot, target_of, undo};
use crate::support::{Place, Ran, alone, server};
use serde_json::Value;

fn records(place: &Place) -> Vec<Value> {
    let Ok(listing) = std::fs::read_dir(place.root().join("restores")) else { return Vec::new() };
    let mut paths: Vec<_> = listing.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|p| serde_json::from_str(&std::fs::read_to_string(p).unwrap()).unwrap()).collect()
}

#[test]
fn a_target_is_typed_or_named_and_never_guessed() {
    let place = Place::new();
    for (args, words) in [
        (&["restore", "latest"][..], "--to"),
        (&["restore", "latest", "--to", "postgresql:///shop", "--dry-run"], "host"),
        (&["restore", "latest", "--to", "host=127.0.0.1", "--dry-run"], "database"),
        (&["restore", "latest", "--to", "env:NOT_SET", "--dry-run"], "NOT_SET"),
        (&["restore", "latest", "--to", "env:postgresql://u:canary@h/d"], "name of a variable"),
        (&["restore", "latest", "--to", "postgresql://u:x@a.pooler.supabase.com:6543/postgres"], "5432"),
        (&["restore", "latest", "--to", "host=h dbname=d", "-t", "orders"], "schema.name"),
        (&["restore", "latest", "--to", "host=h dbname=d", "--only", "polices"], "policies"),
        (&["restore", "latest", "--to", "host=h dbname=d", "--plan", "f", "--dry-run"], "--dry-run"),
        (&["undo", "restore_20260130_120005"], "--to"),
        (&["guard"], "COMMAND"),
    ] {
        let mut command = place.bare(args);
        command.env("PGHOST", "127.0.0.1").env("PGDATABASE", "postgres").env("DATABASE_URL", "postgresql://h/d");
        command.env("STACKSNAP_DB_URL", "postgresql://h/d");
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, 64, "{args:?} {ran:?}");
        assert!(ran.stderr.contains(words), "{args:?} {ran:?}");
        assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
    }
}

#[test]
fn without_a_yes_nothing_is_begun() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    database.sql("DROP TABLE app.notes");
    let before = contents(&database);
    // Nobody to ask, no --confirm: refused before anything is connected to or locked.
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &[]));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stderr.contains("--confirm NAME") && ran.stderr.contains("nothing was written"), "{ran:?}");
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["-o", "json"]));
    assert_eq!((ran.code, ran.json()["code"].as_str()), (14, Some("not_confirmed")), "{ran:?}");
    // The name of another database.
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--confirm", "postgres"]));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stderr.contains("is not the target's") && ran.stderr.contains("app.notes   400"), "{ran:?}");
    // --yes says yes, but not for a protected project.
    let config = place.dir.path().join("stacksnap.toml");
    std::fs::write(&config, "schema = 1\n[projects.shop]\nprotect = \"production\"\n").unwrap();
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--yes"]));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stderr.contains("the project shop is protected"), "{ran:?}");
    assert_eq!(contents(&database), before);
    assert_eq!(records(&place), Vec::<Value>::new(), "what was not begun has no record");
    assert_eq!(place.entries().len(), 2, "and no safety snapshot");
    std::fs::write(&config, "schema = 1\n[projects.shop]\n").unwrap();
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--yes", "--no-proof"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "400");
}

#[test]
fn a_damaged_snapshot_is_refused_before_the_first_write() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    database.sql("DROP TABLE app.notes");
    let before = contents(&database);
    let file = folder.join("access_grants.sql");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for more in [&["--dry-run"][..], &["--confirm", &database.name]] {
        let ran = Ran::of(&mut restore(&place, database.access(), "latest", more));
        assert_eq!(ran.code, 13, "{ran:?}");
        assert!(ran.stderr.contains("access_grants.sql") && ran.stderr.contains("nothing was written"), "{ran:?}");
    }
    assert_eq!(contents(&database), before);
    assert!(records(&place).is_empty());
}

#[test]
fn a_partial_snapshot_needs_a_word() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &["-t", "public.people", "--label", "PEOPLE"]);
    let ran = Ran::of(&mut restore(&place, database.access(), "PEOPLE", &["--dry-run"]));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stderr.contains("--allow-partial") && ran.stderr.contains("taken with only a part"), "{ran:?}");
}

#[test]
fn one_at_a_time() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    let lock = std::fs::File::options().read(true).write(true).open(place.root().join(".stacksnap.lock")).unwrap();
    lock.lock().unwrap();
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--confirm", &database.name]));
    assert_eq!(ran.code, 75, "{ran:?}");
    assert!(ran.stderr.contains("another run holds the root folder"), "{ran:?}");
    // A plan writes nothing, so it waits for nobody.
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--dry-run"]));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_password_in_the_arguments_is_warned_of_and_kept_nowhere() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    database.sql("DELETE FROM app.notes WHERE id < 20");
    let a = database.access();
    let url = format!("postgresql://{}:{}@{}:{}/{}", a.user, a.password, a.host, a.port, a.database);
    let ran = Ran::of(&mut place.bare(&["restore", "latest", "--to", &url, "--dry-run"]));
    assert!(ran.code == 0 && ran.stderr.contains("--to env:NAME"), "{ran:?}");
    let mut command = place.bare(&["restore", "latest", "--to", "env:SHOP_URL", "--confirm", a.database, "--no-proof"]);
    let ran = Ran::of(command.env("SHOP_URL", &url).arg("--pg-bin").arg(&server().bin));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("every user of this machine"), "{ran:?}");
    let said = format!("{ran:?}");
    assert!(!said.contains(&format!(":{}@", a.password)), "{said}");
    for folder in ["restores", "logs"] {
        for file in std::fs::read_dir(place.root().join(folder)).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains(&format!(":{}@", a.password)) && !text.contains("password="), "{text}");
        }
    }
}

#[test]
fn in_place_and_back_again() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    let good = contents(&database);
    database.sql(
        "ALTER TABLE public.people DROP COLUMN name; DROP TABLE app.notes; CREATE TABLE public.added (a int);
         INSERT INTO public.added VALUES (1); DELETE FROM public.people WHERE id > 490",
    );
    let bad = contents(&database);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--confirm", &database.name, "-o", "json"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!((report["schema"].as_str(), report["snapshot"].as_str()), (Some("stacksnap.v1.restore"), Some(name)));
    assert_eq!(report["proof"]["verdict"], "restorable", "{ran:?}");
    assert_eq!(contents(&database), good);

    // The record, private, with what undo needs and no way to get in.
    let id = report["id"].as_str().unwrap();
    let file = place.root().join(format!("restores/{id}.json"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let record = &records(&place)[0];
    assert_eq!((record["state"].as_str(), record["report"]["id"].as_str()), (Some("finished"), Some(id)));
    let safety = record["safety_snapshot"].as_str().unwrap();
    assert!(place.entries().contains(&"comprehensive_backup_BEFORE_RESTORE".to_string()), "{:?}", place.entries());
    // `restore latest` a second time must not mean the broken state.
    let latest = std::fs::read_link(place.root().join("comprehensive_backup_LATEST")).unwrap();
    assert_eq!(latest.to_str(), Some(name));

    let listed = Ran::of(&mut place.bare(&["undo", "-o", "json"])).json();
    assert_eq!(listed["restores"][0]["id"], id);
    assert_eq!(listed["restores"][0]["can_undo"], true);
    // Another database is refused, whatever it is called.
    let other = server().small();
    let ran = Ran::of(&mut undo(&place, other.access(), id, &["--confirm", &other.name]));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stderr.contains("the target is another database"), "{ran:?}");
    let ran = Ran::of(&mut undo(&place, database.access(), id, &["--dry-run"]));
    assert!(ran.code == 0 && ran.stdout.contains("TABLE app.notes"), "{ran:?}");
    assert_eq!(contents(&database), good);
    let ran = Ran::of(&mut undo(&place, database.access(), id, &["--confirm", &database.name]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("is equal to"), "{ran:?}");
    assert_eq!(contents(&database), bad);
    assert_eq!(records(&place).len(), 2);
    assert_eq!(records(&place)[0]["undone_by"], records(&place)[1]["id"]);
    assert_eq!(records(&place)[1]["undo_of"], id);
    assert_eq!(records(&place)[1]["safety_snapshot"], Value::Null);
    assert!(Ran::of(&mut place.bare(&["undo"])).stdout.contains("undone by"));
    // A safety snapshot that is gone, or another one, is said.
    std::fs::remove_dir_all(place.root().join(safety)).unwrap();
    let ran = Ran::of(&mut undo(&place, database.access(), id, &["--dry-run"]));
    assert!(ran.code == 10 && ran.stderr.contains("was removed"), "{ran:?}");
}

#[test]
fn what_cannot_be_undone_says_so() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let ran = Ran::of(&mut place.bare(&["undo"]));
    assert!(ran.code == 0 && ran.stdout.contains("no restore has been made"), "{ran:?}");
    for id in ["restore_20260130_120005", "../../x", "latest"] {
        let ran = Ran::of(&mut undo(&place, database.access(), id, &["--dry-run"]));
        assert_eq!(ran.code, 10, "{ran:?}");
    }
    snapshot(&place, &database, &[]);
    database.sql("DELETE FROM app.notes");
    let args = ["--confirm", &database.name, "--no-proof", "--no-safety-snapshot", "-o", "json"];
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &args));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["safety_snapshot"], Value::Null);
    let id = ran.json()["id"].as_str().unwrap().to_string();
    let ran = Ran::of(&mut undo(&place, database.access(), &id, &["--dry-run"]));
    assert!(ran.code == 10 && ran.stderr.contains("--no-safety-snapshot"), "{ran:?}");
}

#[test]
fn a_saved_plan_is_done_exactly_or_not_at_all() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    database.sql("DROP TABLE app.notes");
    let file = place.dir.path().join("plan.json");
    let path = file.to_str().unwrap();
    let ran =
        Ran::of(&mut restore(&place, database.access(), "latest", &["--dry-run", "--save-plan", path, "-o", "json"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["schema"], "stacksnap.v1.restore_plan");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ran.stdout);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = |path: &str| {
        let args = ["--plan", path, "--confirm", &database.name, "--no-proof"];
        Ran::of(&mut restore(&place, database.access(), "latest", &args))
    };
    // A plan that somebody has changed.
    let changed = place.dir.path().join("changed.json");
    std::fs::write(&changed, std::fs::read_to_string(&file).unwrap().replace("app.notes", "app.other")).unwrap();
    let ran = again(changed.to_str().unwrap());
    assert!(ran.code == 14 && ran.stderr.contains("was changed after it was made"), "{ran:?}");
    assert_eq!(again("/no/such/plan").code, 10);
    // The target has changed since.
    database.sql("CREATE TABLE public.added (a int)");
    let ran = again(path);
    assert!(ran.code == 14 && ran.stderr.contains("changed since the plan was made"), "{ran:?}");
    assert_eq!(database.sql("SELECT to_regclass('app.notes') IS NULL"), "t");
    database.sql("DROP TABLE public.added");
    let ran = again(path);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "400");
}

#[test]
fn on_a_terminal_the_name_is_typed() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    database.sql("DROP TABLE app.notes");
    let typed = |answer: &str| {
        let mut command = restore(&place, database.access(), "latest", &["--no-proof"]);
        crate::support::commands::on_a_terminal(&mut command, answer)
    };
    let ran = typed("yes\n");
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stdout.contains("Type the name") && ran.stdout.contains("will be created"), "{ran:?}");
    let ran = typed(&format!("{}\n", database.name));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "400");
}

#[test]
fn r33_kill_9_leaves_the_target_as_it_was_or_undo_brings_it_back() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    crate::support::fill(&database, "public.large", 3);
    snapshot(&place, &database, &[]);
    let good = contents(&database);
    database.sql(
        "ALTER TABLE public.people DROP COLUMN name; DROP TABLE app.notes; UPDATE public.large SET body = 'x';
         DROP FUNCTION public.greet; CREATE TABLE public.added (a int)",
    );
    let bad = contents(&database);
    let to = target_of(database.access());
    let args = ["restore", "latest", "--to", &to, "--confirm", &database.name, "--no-proof", "--no-safety-snapshot"];
    let mut seen = Vec::new();
    for round in 0..8u64 {
        let mut command = place.bare(&args);
        command.env("PGPASSWORD", database.access().password);
        let mut child =
            command.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(150 + 220 * round));
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        let _ = child.wait();
        // The server ends the transaction of a client that is gone as soon as it notices.
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'stacksnap%'";
        for _ in 0..200 {
            if database.sql(busy) == "0" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let now = contents(&database);
        assert!(now == bad || now == good, "round {round}: something in between");
        seen.push(now == good);
        if ended || now == good {
            break;
        }
    }
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &args[4..]));
    assert_eq!(ran.code, 0, "{seen:?} {ran:?}");
    assert_eq!(contents(&database), good);
}

#[test]
fn killed_while_it_fills_an_empty_database_undo_empties_it_again() {
    let _roles = alone();
    let (place, source) = (Place::new(), server().small());
    // More than what is restored in one transaction.
    crate::support::fill(&source, "public.large", 70);
    snapshot(&place, &source, &[]);
    let target = server().database("TEMPLATE template0");
    let empty = contents(&target);
    let args = ["--confirm", target.name.as_str(), "--no-proof"];
    let mut command = restore(&place, target.access(), "latest", &args);
    let mut child = command.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let there = "SELECT count(*) FROM pg_class WHERE relname = 'large'";
    for _ in 0..600 {
        if target.sql(there) != "0" || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(contents(&target), empty, "it was killed in the middle");
    let listed = Ran::of(&mut place.bare(&["undo", "-o", "json"])).json();
    let row = &listed["restores"][0];
    assert_eq!((row["state"].as_str(), row["can_undo"].as_bool()), (Some("died"), Some(true)), "{listed}");
    let ran = Ran::of(&mut undo(&place, target.access(), row["id"].as_str().unwrap(), &args));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(contents(&target), empty);
}

#[test]
fn a_planted_bad_migration_of_a_whole_stack_is_taken_back_and_proved() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().stack());
    snapshot(&place, &database, &["--label", "BEFORE"]);
    let good = contents(&database);
    database.sql(
        "ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY; GRANT ALL ON public.api_keys TO anon;
         UPDATE auth.users SET encrypted_password = 'gone'; DELETE FROM auth.identities; DROP TABLE public.payments CASCADE",
    );
    let ran = Ran::of(&mut restore(
        &place,
        database.access(),
        "BEFORE",
        &["--allow-partial", "--sessions", "keep", "--confirm", &database.name, "-o", "json"],
    ));
    assert!(ran.code == 0 || ran.code == 3, "{ran:?}");
    assert_eq!(ran.json()["proof"]["findings"].as_array().map(Vec::len), Some(0), "{ran:?}");
    assert_eq!(contents(&database), good);
}
