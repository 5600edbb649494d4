//! Tests of the configuration file: parsing, errors with their line, suggestions.

use super::*;
use crate::model::name::QualifiedName;

fn read_text(text: &str) -> Result<FileSettings> {
    parse(text, Path::new("/srv/app/stacksnap.toml"), &Environment::of([("HOME", "/home/ann")], "/srv/app"))
}

const FULL: &str = r#"schema = 1
[snapshot]
root = "backups"
formats = ["dump", "sql", "csv"]
readable_compression = "zstd"
keep_days = 14
jobs = 4
lock_wait = "30s"
timeout = "1h"
pg_bin = "~/pg/bin"
sessions = "keep"
seal_passphrase = { file = "pass.txt" }
[projects.shop]
db_url = { env = "SHOP_DB_URL" }
project_dir = "."
storage_dir = "/srv/storage"
protect = "production"
exclude_data = ["public.http_logs"]
[projects.shop.user_roles]
tables = ["public.user_roles"]
[projects.shop.encryption]
functions = ["enc_*"]
[projects.shop.tenants]
root = "public.organizations"
shared_tables = ["public.countries"]
"#;

#[test]
fn every_key_of_the_interface_is_read() {
    let file = read_text(FULL).unwrap();
    assert_eq!(file.root, Some(At { value: PathBuf::from("/srv/app/backups"), line: 3 }));
    assert_eq!(file.pg_bin.unwrap().value, PathBuf::from("/home/ann/pg/bin"));
    assert_eq!(file.timeout.unwrap().value, Duration::from_secs(3600));
    assert!(file.keep_sessions.unwrap().value);
    let passphrase = SecretRef::File("/srv/app/pass.txt".into());
    assert_eq!(file.seal.unwrap().value, SealSetting::Passphrase(passphrase));
    let shop = &file.projects["shop"];
    assert_eq!(shop.db_url.as_ref().unwrap().value, SecretRef::Env("SHOP_DB_URL".into()));
    let tenants = &shop.tenants.as_ref().unwrap().settings;
    assert_eq!(tenants.root, Some(QualifiedName::new("public", "organizations")));
    assert_eq!(tenants.shared_tables, [QualifiedName::new("public", "countries")]);
    assert_eq!(shop.user_role_tables.as_ref().unwrap().value, ["public.user_roles"]);
    assert!(file.warnings.is_empty());
}

#[test]
fn mistakes_name_the_line_and_a_suggestion() {
    for (text, message, hint) in [
        ("", "line 1: 'schema' is missing", "begin the file with: schema = 1"),
        ("schema = 2", "line 1: schema 2 is not known to this version", "this version reads schema = 1"),
        (
            "schema = 1\n\n[snapshot]\nkeep_dyas = 3",
            "line 4: unknown key 'keep_dyas' in [snapshot]",
            "did you mean 'keep_days'?",
        ),
        ("schema = 1\n[project.a]", "line 2: unknown key 'project'", "did you mean 'projects'?"),
        (
            "schema = 1\n[projects.a]\ndburl = 1",
            "line 3: unknown key 'dburl' in [projects.a]",
            "did you mean 'db_url'?",
        ),
        (
            "schema = 1\n[projects.a.tenants]\nrot = \"x\"",
            "line 3: unknown key 'rot' in [projects.a.tenants]",
            "did you mean 'root'?",
        ),
        (
            "schema = 1\n[projects.a]\ndb_url = {}",
            "line 3: 'db_url' needs exactly one of env, file, cmd",
            "for example: db_url = { env = \"NAME\" }",
        ),
    ] {
        let failure = read_text(text).unwrap_err();
        assert_eq!(failure.to_string(), message);
        assert_eq!(failure.hints, [hint]);
        assert_eq!(failure.kind, FailureKind::Configuration);
    }
}

#[test]
fn wrong_values_are_named_by_key_and_never_repeated_where_they_can_be_secrets() {
    for (text, message) in [
        ("schema = 1\n[snapshot]\njobs = 0", "line 3: 'snapshot.jobs' must be a whole number from 1 up"),
        ("schema = 1\n[snapshot]\njobs = \"canary\"", "line 3: 'snapshot.jobs' must be a whole number from 1 up"),
        (
            "schema = 1\n[snapshot]\nlock_wait = \"30\"",
            "line 3: 'snapshot.lock_wait': '30' is not a duration: write 30s, 5m, 1h or 1h30m",
        ),
        (
            "schema = 1\n[snapshot]\nformats = [\"cvs\"]",
            "line 3: 'snapshot.formats': unknown format 'cvs': did you mean 'csv'?",
        ),
        ("schema = 1\n[projects.a]\ndb_url = 1", "line 3: 'projects.a.db_url' must be a table, not integer"),
        (
            "schema = 1\n[snapshot]\nseal_recipients = [\"AGE-SECRET-KEY-1CANARY\"]",
            "line 3: 'seal_recipients' holds a SECRET key: put its public key (age1…) here",
        ),
    ] {
        assert_eq!(read_text(text).unwrap_err().to_string(), message);
    }
    let failure = read_text("schema = 1\n[projects.a]\ndb_url = \"postgres://u:canary@h/d").unwrap_err();
    assert!(!format!("{failure} {failure:?} {:?}", failure.hints).contains("canary"));
    assert!(failure.to_string().starts_with("line 3: not TOML"), "{failure}");
}

#[test]
fn a_literal_secret_is_taken_with_a_warning_that_does_not_repeat_it() {
    let file = read_text("schema = 1\n[projects.a]\ndb_url = \"postgres://u:canary@h/d\"").unwrap();
    assert_eq!(file.warnings.len(), 1);
    assert!(!format!("{file:?}").contains("canary"));
}

#[test]
fn names_of_projects_are_plain() {
    assert!(read_text("schema = 1\n[projects.\"a b\"]").is_err());
}
