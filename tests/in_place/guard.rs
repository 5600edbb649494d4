//! `guard`: the snapshot before, the command as it was typed, what it changed, the way back.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::commands::{contents, guard};
use crate::support::{Access, Place, Ran, alone, server};

#[test]
fn a_command_that_is_not_there_is_said_before_the_snapshot() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let access = database.access();
    let mut command = place.bare(&["guard", "--", "no-such-program", "x"]);
    let ran = Ran::of(command.env("PGHOST", access.host).env("PGDATABASE", access.database));
    assert_eq!(ran.code, 10, "{ran:?}");
    assert!(ran.stderr.contains("no-such-program") && ran.stderr.contains("PATH"), "{ran:?}");
    assert!(place.entries().is_empty());
}

#[test]
fn without_a_snapshot_the_command_is_not_run() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let ran = Ran::of(&mut guard(&place, Access { password: "wrong", ..database.access() }, &[], "touch ran"));
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(ran.stderr.contains("the command was not run"), "{ran:?}");
    assert!(!place.dir.path().join("ran").exists());
}

#[test]
fn the_command_has_its_own_input_output_mask_and_exit_code() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let script = "umask; cat; echo to stderr >&2; echo $CANARY; exit 7";
    let mut command = guard(&place, database.access(), &["--rollback", "never"], script);
    command.env("CANARY", "its environment").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "umask 027; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell.env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?)))).current_dir(place.dir.path());
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert_eq!(stdout, "0027\ntyped\nits environment\n", "standard output is the command's alone");
    assert!(stderr.contains("to stderr\n") && stderr.contains("the command failed with 7"), "{stderr}");
    assert!(stderr.contains("nothing changed in the database"), "{stderr}");
    assert!(place.entries().contains(&"comprehensive_backup_BEFORE_MIGRATION".to_string()), "{:?}", place.entries());
    assert_eq!(place.status()["last_run"]["state"], "ok");
}

#[test]
fn a_signal_of_the_command_is_its_exit_code() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "never"], "kill -s TERM $$"));
    assert_eq!(ran.code, 143, "{ran:?}");
    assert!(ran.stderr.contains("ended by signal 15"), "{ran:?}");
}

#[test]
fn ctrl_c_reaches_the_command_and_guard_stays_for_the_end() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let script = "trap 'exit 9' INT; touch started; while :; do sleep 0.1; done";
    let mut command = guard(&place, database.access(), &["--rollback", "never", "--no-proof"], script);
    let child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !place.dir.path().join("started").exists() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    let group = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(9), "{stderr}");
    assert!(stderr.contains("the command failed with 9") && stderr.contains("nothing changed"), "{stderr}");
}

/// Fails halfway, each statement committed on its own.
const HALFWAY: &str = "$PSQL -c 'CREATE TABLE public.half (a int)' && $PSQL -c 'ALTER TABLE public.people DROP COLUMN name' \
    && $PSQL -c 'DELETE FROM app.notes WHERE id > 390' && $PSQL -c 'ALTER TABLE app.notes ADD COLUMN broken nonsense'";

#[test]
fn never_shows_the_line_that_rolls_back_and_does_nothing() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "never", "-o", "json"], HALFWAY));
    assert_eq!(ran.code, 1, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["schema"], "stacksnap.v1.guard");
    assert_eq!((document["command"]["exited"].as_u64(), document["rolled_back"].as_bool()), (Some(1), Some(false)));
    assert!(document["plan"]["drop"].as_array().unwrap().iter().any(|o| o["identity"] == "public.half"), "{document}");
    assert_eq!(database.sql("SELECT to_regclass('public.half') IS NOT NULL"), "t");
    let line = document["rollback_command"].as_str().unwrap();
    assert!(ran.stderr.contains(line) && !line.contains(database.access().password.repeat(2).as_str()), "{ran:?}");
    // The line that was shown does it.
    let before = database.sql("SELECT count(*) FROM app.notes");
    assert_eq!(before, "390");
    let program = crate::support::program().display();
    let words = line.strip_prefix("stacksnap").unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{program} {words} --confirm {} --no-proof --no-safety-snapshot", database.name)]);
    shell.env_clear().env("HOME", place.dir.path()).env("PGPASSWORD", database.access().password);
    let ran = Ran::of(shell.current_dir(place.dir.path()).stdin(Stdio::null()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT count(name) FROM public.people"), "500");
}

#[test]
fn a_migration_that_fails_halfway_outside_of_a_transaction_is_rolled_back() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let before = contents(&database);
    let args = ["--rollback", "on-failure", "-o", "json"];
    let ran = Ran::of(&mut guard(&place, database.access(), &args, HALFWAY));
    assert_eq!(ran.code, 1, "the command's own code: {ran:?}");
    assert_eq!(ran.json()["rolled_back"], true, "{ran:?}");
    assert_eq!(ran.json()["restore"]["proof"]["verdict"], "restorable", "{ran:?}");
    assert_eq!(contents(&database), before);
    // The rollback can be undone: what was broken is kept.
    assert!(ran.json()["restore"]["safety_snapshot"].is_string(), "{ran:?}");
    assert!(ran.stderr.contains("stacksnap undo restore_"), "{ran:?}");
}

#[test]
fn a_migration_that_succeeds_stays_and_is_shown() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let script = "$PSQL -c 'CREATE TABLE public.fresh (a int)' -c 'INSERT INTO public.fresh VALUES (1)'";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "on-failure"], script));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("+ TABLE public.fresh") && ran.stderr.contains("the command succeeded"), "{ran:?}");
    assert!(!ran.stderr.contains("roll"), "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM public.fresh"), "1");
}

#[test]
fn a_dropped_column_comes_back_with_its_data() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let before = contents(&database);
    let script = "$PSQL -c 'ALTER TABLE public.people DROP COLUMN name' && exit 3";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "on-failure", "--no-proof"], script));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(contents(&database), before);
}

#[test]
fn changed_row_security_is_shown_and_taken_back() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let before = contents(&database);
    let script = "$PSQL -c 'ALTER TABLE app.notes DISABLE ROW LEVEL SECURITY' -c 'DROP POLICY own ON app.notes' \
        -c 'CREATE POLICY wide ON app.notes USING (true)' && exit 4";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "on-failure", "--no-proof"], script));
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("wide") && ran.stderr.contains("POLICY"), "{ran:?}");
    assert_eq!(contents(&database), before);
}

#[test]
fn nobody_to_ask_means_no_rollback_and_yes_is_not_enough_when_protected() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let script = "$PSQL -c 'DELETE FROM app.notes' && exit 5";
    let ran = Ran::of(&mut guard(&place, database.access(), &[], script));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("to roll back: stacksnap --root"), "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "0");
    let config = place.dir.path().join("stacksnap.toml");
    std::fs::write(&config, "schema = 1\n[projects.shop]\nprotect = \"production\"\n").unwrap();
    let script = "$PSQL -c 'DELETE FROM public.people WHERE id > 400' && exit 5";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--yes"], script));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM public.people"), "400");
    std::fs::remove_file(&config).unwrap();
    let script = "$PSQL -c 'DELETE FROM public.people WHERE id > 300' && exit 5";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--yes", "--no-proof"], script));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM public.people"), "400", "back to before this command");
}

#[test]
fn on_a_terminal_it_asks() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let script = "$PSQL -c 'DELETE FROM app.notes WHERE id > 100' && exit 5";
    let typed = |answer: &str| {
        let mut command = guard(&place, database.access(), &["--no-proof"], script);
        crate::support::commands::on_a_terminal(&mut command, answer)
    };
    let ran = typed("n\n");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.contains("not rolled back") && ran.stdout.contains("[y/N]"), "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "100");
    database.sql("INSERT INTO app.notes SELECT n, n, 'again' FROM generate_series(101, 200) n");
    let ran = typed("y\n");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "200");
}
