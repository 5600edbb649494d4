//! Snapshot, restore script, and then source and target compared object by object and row by row.

mod complete;
mod parts;
mod readable;

use std::path::Path;

use crate::support::compare::{self, same_but};
use crate::support::{Cluster, EVERYTHING, Snapshot, client, ok, server};

/// What a restore by a superuser of plain PostgreSQL cannot bring back, and why.
const EVENT_TRIGGER: (&str, &str) =
    ("EVENT TRIGGER log_ddl: owner", "plain PostgreSQL wants a superuser as owner of an event trigger");
const EXTENSION: (&str, &str) =
    ("EXTENSION pgmq: owner", "an extension's owner is who creates it, and cannot be changed");
const ROLE: (&str, &str) = ("ROLE supabase_admin: definition", "the role that restores keeps its own password");
const CRON: (&str, &str) = ("rows of cron.job: values", "jobs run in the database that they were restored into");
const STACK: [(&str, &str); 4] = [EVENT_TRIGGER, EXTENSION, ROLE, CRON];
const ZOO: [(&str, &str); 1] = [(
    "FK CONSTRAINT ri_disabled_parent_fkey on zoo.ri_disabled: definition",
    "its rows break it, so it comes back NOT VALID",
)];

const STORAGE_GAP: &str = "storage_files_not_captured 41 files, 607288 bytes in 3 buckets";
const VAULT_GAPS: [&str; 3] = [
    "vault_secrets_not_captured vault secret 'smtp_password'",
    "vault_secrets_not_captured vault secret 'stripe_key'",
    "vault_secrets_not_captured vault secret without a name",
];

fn expected_gaps(more: &[&str]) -> Vec<String> {
    let mut gaps: Vec<String> = VAULT_GAPS.iter().chain([&STORAGE_GAP]).chain(more).map(|g| (*g).to_string()).collect();
    gaps.sort();
    gaps
}

/// A project's folder with everything that a whole snapshot wants.
fn project() -> String {
    crate::support::repo("fixtures/project").to_str().unwrap().to_string()
}

/// What the tolerances leave to be compared by itself.
fn tolerated_in_part(source: &Cluster, from: &str, target: &Cluster, to: &str) {
    option_order(source, from, target, to);
    let rights = "SELECT coalesce(r.rolname, 'PUBLIC'), a.privilege_type, a.is_grantable FROM pg_database d, \
        aclexplode(coalesce(datacl, acldefault('d', datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee \
        WHERE datname = current_database() AND a.grantee <> datdba AND r.rolname IS DISTINCT FROM 'postgres' ORDER BY 1, 2, 3";
    assert_eq!(source.sql(from, rights), target.sql(to, rights), "rights on the database");
    let jobs =
        "SELECT jobid, jobname, schedule, command, username, active, nodename, nodeport FROM cron.job ORDER BY 1";
    assert_eq!(source.sql(from, jobs), target.sql(to, jobs), "cron jobs");
    assert_eq!(target.sql(to, "SELECT DISTINCT database = current_database() FROM cron.job"), "t");
}

fn option_order(source: &Cluster, from: &str, target: &Cluster, to: &str) {
    let sql = "SELECT s.srvname, m.usename, o.* FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid, \
               pg_options_to_table(m.umoptions) o ORDER BY 1, 2, 3, 4";
    let options = source.sql(from, sql);
    assert!(options.contains("mapping-secret-1"), "{options}");
    assert_eq!(options, target.sql(to, sql));
}

/// Takes and restores everything of a database; gives back the snapshot and the look at its source.
fn there_and_back(source: &Cluster, from: &str, target: &Cluster, to: &str, root: &Path) -> (Snapshot, Snapshot) {
    let snapshot = source.create(from, root, 3, &["--project-dir", &project()]);
    assert!(!snapshot.manifest.complete);
    snapshot.is_good();
    target.empty(to);
    let said = target.restore(&snapshot, to, 3);
    assert!(said.contains("restored what the snapshot holds"), "{said}");
    assert!(said.contains("extension pgmq belongs to supabase_admin, in the snapshot to postgres"), "{said}");
    (snapshot, target.look(to))
}

#[test]
fn everything_as_superuser_and_as_postgres() {
    let (source, target) = (server(), Cluster::start(15));
    let place = tempfile::tempdir().unwrap();
    let from = source.load("round_source", "revoked", EVERYTHING);
    source.sql(
        &from,
        "ALTER DATABASE round_source CONNECTION LIMIT 70; COMMENT ON DATABASE round_source IS 'everything'",
    );
    let (snapshot, restored) = there_and_back(&source, &from, &target, "round_target", &place.path().join("all"));
    assert_eq!(snapshot.gaps(), expected_gaps(&[]));
    same_but(&snapshot, &restored, &[&STACK[..], &ZOO].concat());
    tolerated_in_part(&source, &from, &target, "round_target");
    as_postgres(&source, &from, &target, &snapshot, place.path());
    parts::each_file_runs_twice_and_repairs(&snapshot, &target, "round_target", &restored);
    readable::sql_equals_the_archive(&source, &from, &target, place.path());
    source.drop_database(&from);
}

/// From a cluster of its own into another one, and what differs then.
fn in_clusters_of(major: u32, world: &str, fixtures: &[&str], expected: &[(&str, &str)], also: &[&str]) {
    let (source, target) = (Cluster::start(major), Cluster::start(major));
    let place = tempfile::tempdir().unwrap();
    let from = source.load("round_source", world, fixtures);
    let (snapshot, restored) = there_and_back(&source, &from, &target, "round_target", &place.path().join("b"));
    assert_eq!(snapshot.gaps(), expected_gaps(also));
    let version = &snapshot.manifest.tools.pg_dump;
    assert!(version.contains(&format!("(PostgreSQL) {major}.")), "{version}");
    // As the source is, not as the snapshot's inventory says: pg_dump's own fingerprints of now.
    same_but(&source.look(&from), &restored, expected);
    tolerated_in_part(&source, &from, &target, "round_target");
}

#[test]
fn everything_where_postgres_belongs_to_the_admins() {
    in_clusters_of(15, "member", EVERYTHING, &[&STACK[..], &ZOO].concat(), &[]);
}

const FEWER: &[&str] = &["stack", "app", "types", "schema_zoo"];

#[test]
fn of_16() {
    // Its build has no contrib: one of the two foreign servers of the zoo cannot be there.
    in_clusters_of(16, "revoked", FEWER, &[&STACK[..], &ZOO].concat(), &[]);
}

#[test]
fn of_18() {
    in_clusters_of(18, "revoked", FEWER, &[&STACK[..], &ZOO].concat(), &[]);
}

/// trap_11: a newer client than the server writes what that server's own client cannot read; the manifest says which.
#[test]
fn trap_11_client_18_on_server_15() {
    let source = server();
    let (bin, place) = (client(18), tempfile::tempdir().unwrap());
    let from = source.load("round_newer", "revoked", &["nasty", "cycles"]);
    let snapshot = source.create(&from, &place.path().join("b"), 0, &["--pg-bin", bin.to_str().unwrap()]);
    snapshot.is_good();
    let version = &snapshot.manifest.tools.pg_dump;
    assert!(version.contains("(PostgreSQL) 18."), "{version}");
    let archive = snapshot.folder.join("complete_database_with_data.dump");
    // Back into 18 with pg_restore, and back into 15 with the script, which takes out what 15 does not know.
    let newer = Cluster::start(18);
    newer.empty("round_newer_18");
    ok(newer.psql("round_newer_18").args(["-o", "/dev/null", "-f"]).arg(snapshot.folder.join("database_roles.sql")));
    ok(newer.program("pg_restore", "round_newer_18").args(["-e", "-O", "-x", "-d", "round_newer_18"]).arg(&archive));
    let rows = compare::tables(&snapshot, &newer.look("round_newer_18"));
    assert!(rows.is_empty(), "{rows:#?}");
    source.empty("round_newer_15");
    let mut script = source.command(&snapshot.folder.join("restore_complete_backup.sh"), "round_newer_15");
    ok(script.args(["--confirm", "round_newer_15", "--pg-bin"]).arg(&bin));
    same_but(&snapshot, &source.look("round_newer_15"), &[]);
    source.drop_database("round_newer_15");
    source.drop_database(&from);
}

/// Taken by a role that is no superuser: what it may not read is named, everything else comes back.
fn as_postgres(source: &Cluster, from: &str, target: &Cluster, whole: &Snapshot, place: &Path) {
    let taker = source.as_user("postgres", "postgres");
    let (snapshot, restored) = there_and_back(&taker, from, target, "round_by_postgres", &place.join("postgres"));
    let more = [
        "privilege_missing options of the user mapping of supabase_admin on server zoo_postgres",
        "privilege_missing subscription zoo_subscription",
    ];
    assert_eq!(snapshot.gaps(), expected_gaps(&more));
    let lost = [
        ("SUBSCRIPTION zoo_subscription: lost", "only superusers dump subscriptions: a gap says so"),
        (
            "USER MAPPING supabase_admin on server zoo_postgres: definition",
            "its options may not be read: a gap says so",
        ),
    ];
    same_but(whole, &restored, &[&STACK[..], &ZOO, &lost].concat());
}
