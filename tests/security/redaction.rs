//! A secret in every input shows up nowhere but where it belongs: in no argument of a process, log, record, document
//! or message; and no file is open to others, whatever the umask.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Access, Place, Ran, alone, read, server};

/// In every secret of this test.
const CANARY: &str = "canary7291";

/// Samples the arguments of every process of the machine until it is stopped; those that hold a canary.
fn watch_arguments(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeSet<String>> {
    std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !stop.load(Ordering::Relaxed) {
            for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                if line.contains(CANARY) {
                    seen.insert(line);
                }
            }
        }
        seen
    })
}

fn assert_silent(what: &str, text: &str) {
    let found = text.lines().find(|l| l.contains(CANARY));
    let around = found.map(|l| {
        let at = l.find(CANARY).unwrap();
        l.chars().skip(l[..at].chars().count().saturating_sub(80)).take(160).collect::<String>()
    });
    assert!(around.is_none(), "{what} holds a secret: {around:?}");
}

/// Logs, status and the records of snapshots; not the data files, whose purpose is to hold what the database holds.
fn assert_records_silent(root: &Path) {
    let records = ["manifest.json", "BACKUP_MANIFEST.md", "inventory.json", "SHA256SUMS", "restore_complete_backup.sh"];
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let depth = entry.depth();
        let log = entry.path().starts_with(root.join("logs"));
        if entry.file_type().is_file() && (depth == 1 || log || records.contains(&name.as_str())) {
            assert_silent(&entry.path().display().to_string(), &read(root, entry.path().to_str().unwrap()));
        }
    }
}

fn assert_modes(root: &Path) {
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        if entry.path_is_symlink() {
            continue;
        }
        let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
        let name = entry.file_name().to_string_lossy();
        let fine = if entry.file_type().is_dir() || name.ends_with(".sh") { mode == 0o700 } else { mode == 0o600 };
        assert!(fine, "{} has mode {mode:o}", entry.path().display());
    }
}

fn prepare(place: &Place, database: &crate::support::Database, role: &str) {
    database.sql(&format!(
        "CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'url-{CANARY}';
         ALTER DATABASE {} SET \"app.settings.jwt_secret\" = 'jwt-{CANARY}';
         ALTER ROLE {role} SET \"app.settings.jwt_secret\" = 'jwt-role-{CANARY}';
         SELECT vault.create_secret('vault-{CANARY}', 'canary');
         CREATE EXTENSION IF NOT EXISTS postgres_fdw WITH SCHEMA extensions;
         CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
         CREATE USER MAPPING FOR {role} SERVER elsewhere OPTIONS (user 'x', password 'fdw-{CANARY}')",
        database.name
    ));
    let project = place.dir.path().join("project/supabase/functions/hello");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(project.join("index.ts"), "Deno.serve(() => new Response())").unwrap();
    std::fs::write(project.join(".env"), format!("STRIPE_KEY=edge-{CANARY}\n")).unwrap();
    let config = format!(
        "schema = 1\n[projects.shop]\ndb_url = \"postgresql://{role}:literal-{CANARY}@127.0.0.1:1/x?sslmode=disable\"\n"
    );
    std::fs::write(place.dir.path().join("stacksnap.toml"), config).unwrap();
    let env = format!("DATABASE_URL=postgresql://u:dotenv-{CANARY}@127.0.0.1:1/x\nSERVICE_ROLE_KEY=service-{CANARY}\n");
    std::fs::write(place.dir.path().join(".env"), env).unwrap();
}

#[test]
fn threats_9_and_10_no_secret_leaves_its_place() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().stack());
    let role = format!("{}_canary", database.name);
    prepare(&place, &database, &role);
    let Access { host, port, database: name, .. } = database.access();
    let url = format!("postgresql://{role}:url-{CANARY}@{host}:{port}/{name}?sslmode=disable");
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = watch_arguments(Arc::clone(&stop));
    let with_secrets = |command: &mut Command| {
        command.env("PGPASSWORD", format!("pgpassword-{CANARY}")).stdin(Stdio::null());
        Ran::of(command)
    };
    // Under the most careless umask.
    let mut create = place.bare(&["create", "-v", "--project-dir", "project", "--pg-bin"]);
    create.arg(&server().bin);
    let mut careless = Command::new("/bin/sh");
    careless.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(create.get_program()).args(create.get_args());
    careless.env_clear().envs(create.get_envs().filter_map(|(k, v)| v.map(|v| (k.to_owned(), v.to_owned()))));
    careless.current_dir(place.dir.path()).env("STACKSNAP_DB_URL", &url);
    for output in ["text", "json", "ndjson"] {
        let ran = with_secrets(careless.args(["-o", output]));
        let ran = if output == "text" {
            ran
        } else {
            with_secrets(
                place.bare(&["create", "-o", output, "--pg-bin"]).arg(&server().bin).env("STACKSNAP_DB_URL", &url),
            )
        };
        assert!(ran.code == 3 || ran.code == 0, "{ran:?}");
        assert_silent("create's output", &(ran.stdout + &ran.stderr));
        if output == "text" {
            assert_modes(&place.root());
        }
    }
    // The connection of the configuration, of .env, a wrong password and help: what fails keeps silent too.
    for (args, variable) in [
        (vec!["create", "--project", "shop"], None),
        (vec!["create", "-v"], None),
        (vec!["create", "-v", "-o", "json"], Some(url.replace("url-", "wrong-"))),
        (vec!["doctor", "-v"], Some(url.clone())),
        (vec!["config", "show"], Some(url.clone())),
        (vec!["create", "--help"], Some(url.clone())),
        (vec!["show", "latest", "--gaps"], Some(url.clone())),
        (vec!["list"], Some(url.clone())),
        (vec!["logs", "latest"], Some(url.clone())),
    ] {
        let mut command = place.bare(&args);
        if let Some(url) = variable {
            command.env("STACKSNAP_DB_URL", url);
        }
        let ran = with_secrets(&mut command);
        assert_silent(&args.join(" "), &(ran.stdout + &ran.stderr));
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(watcher.join().unwrap(), BTreeSet::new(), "arguments of processes");
    assert_records_silent(&place.root());
    // Sealed or not, the plain value of a vault secret is in no file.
    for entry in walkdir::WalkDir::new(place.root()).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
        assert!(!text.contains(&format!("vault-{CANARY}")), "{}", entry.path().display());
        assert!(!text.contains(&format!("url-{CANARY}")), "{}", entry.path().display());
    }
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
