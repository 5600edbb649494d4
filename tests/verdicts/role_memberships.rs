//! Who is in which role, by whom and with which options: after a restore as a superuser exactly as in the snapshot; as a
//! role without that right the same rights, and what another role had to grant is named.
//!
//! Roles are the whole server's, so each test has clusters of its own.

use std::path::Path;
use std::process::Command;

use crate::support::restored::{Restored, restore};
use crate::support::{Cluster, Snapshot, ok};

/// A hosted project's `postgres` makes roles and lets itself into them; a manager hands on what it may, and so does whom
/// it handed it to. Before 16 there are no such options.
const ROLES: &str = "CREATE ROLE postgres LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS PASSWORD 'postgres';
    GRANT SET ON PARAMETER session_replication_role TO postgres;
    SET ROLE postgres; CREATE ROLE app_worker; GRANT app_worker TO postgres;
    SET createrole_self_grant = 'set, inherit'; CREATE ROLE app_two; CREATE ROLE \"app by three\" NOINHERIT;
    GRANT app_two TO \"app by three\" WITH ADMIN OPTION; RESET ROLE; RESET createrole_self_grant;
    CREATE ROLE manager CREATEROLE; CREATE ROLE middle; CREATE ROLE leaf;
    GRANT middle TO manager WITH ADMIN OPTION; GRANT leaf TO manager WITH ADMIN OPTION, INHERIT FALSE;
    SET ROLE manager; CREATE ROLE team; CREATE ROLE made; GRANT team TO middle WITH ADMIN OPTION;
    SET ROLE middle; GRANT team TO leaf WITH INHERIT FALSE; RESET ROLE;
    GRANT pg_read_all_settings TO leaf WITH SET FALSE; GRANT team TO leaf WITH INHERIT TRUE, SET FALSE";

/// Every grant, and (first) what each member may do by all of them together.
const GRANTS: &str = "SELECT format('%s in %s by %s: %s %s %s', m.rolname, g.rolname, b.rolname, admin_option, inherit_option, set_option)
    FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles b ON b.oid = a.grantor
    WHERE m.rolname !~ '^pg_' ORDER BY 1";
const RIGHTS: &str = "SELECT format('%s in %s: %s %s %s', m.rolname, g.rolname, bool_or(admin_option), bool_or(inherit_option), bool_or(set_option))
    FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
    WHERE m.rolname !~ '^pg_' AND g.rolname !~ '^pg_' AND m.rolname <> current_setting('my.restorer') GROUP BY m.rolname, g.rolname ORDER BY 1";

/// A server with a little database of `postgres`, and a snapshot of it.
fn source(major: u32, roles: &str, place: &Path) -> (Cluster, Snapshot) {
    let cluster = Cluster::start(major);
    cluster.sql("postgres", roles);
    cluster.empty("source");
    cluster.sql("postgres", "ALTER DATABASE source OWNER TO postgres");
    cluster.as_user("postgres", "postgres").sql(
        "source",
        "CREATE SCHEMA app; CREATE TABLE app.things (id int PRIMARY KEY); INSERT INTO app.things VALUES (1);
         GRANT SELECT ON app.things TO app_worker",
    );
    let snapshot = cluster.create("source", &place.join("snapshots"), 0, &[]);
    (cluster, snapshot)
}

/// As on a new server: no database of ours, and no role but those of the server itself.
fn wiped(cluster: &Cluster, database: &str) {
    let databases = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'";
    for name in cluster.sql("template1", databases).lines() {
        cluster.drop_database(name);
    }
    cluster.sql(
        "postgres",
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'postgres') THEN
        REVOKE ALL ON PARAMETER session_replication_role FROM postgres; END IF; END $$",
    );
    let roles = "SELECT quote_ident(rolname) FROM pg_roles WHERE oid >= 16384 ORDER BY 1";
    // What one granted goes with the other.
    for _ in 0..4 {
        for role in cluster.sql("postgres", roles).lines() {
            let _ = cluster.psql("postgres").args(["-c", &format!("DROP ROLE {role}")]).output().unwrap();
        }
    }
    assert_eq!(cluster.sql("postgres", roles), "");
    cluster.empty(database);
}

/// The right to restore for a role that is no superuser, and may make roles.
fn let_in(cluster: &Cluster, role: &str, database: &str) {
    cluster.sql(
        "postgres",
        &format!(
            "CREATE ROLE {role} LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS PASSWORD 'postgres';
             GRANT SET ON PARAMETER session_replication_role TO {role}; ALTER DATABASE {database} OWNER TO {role}"
        ),
    );
}

fn rights(cluster: &Cluster, restorer: &str) -> String {
    cluster.sql("postgres", &format!("SET my.restorer = {restorer}; {RIGHTS}"))
}

/// Each as the words of its code; nothing is wrong but what is named.
#[track_caller]
fn named(done: &Restored) -> Vec<String> {
    assert_eq!((done.code, done.findings()), (3, Vec::new()), "{}", done.said);
    done.exceptions()
}

/// As a superuser, in place, into an empty database, and by the folder's own script.
fn of_the_same_major(major: u32) -> (Cluster, Snapshot, tempfile::TempDir, String, String) {
    let place = tempfile::tempdir().unwrap();
    let (cluster, snapshot) = source(major, ROLES, place.path());
    let (grants, all) = (cluster.sql("postgres", GRANTS), rights(&cluster, "nobody"));
    assert!(grants.contains("postgres in app_worker by postgres: f t t"), "{grants}");
    assert!(grants.contains("postgres in app_worker by supabase_admin: t f f"), "{grants}");
    let as_superuser = |database: &str| {
        let done = restore(&cluster, "supabase_admin", "postgres", database, &snapshot, place.path());
        assert_eq!((done.code, done.findings()), (0, Vec::new()), "{}", done.said);
        assert_eq!(cluster.sql("postgres", GRANTS), grants, "{}", done.said);
    };
    let damages = [
        "REVOKE app_worker FROM postgres GRANTED BY postgres",
        "GRANT app_worker TO postgres WITH ADMIN OPTION, INHERIT TRUE, SET TRUE",
        "GRANT app_worker TO postgres WITH ADMIN FALSE, INHERIT TRUE; GRANT middle TO leaf; GRANT leaf TO app_two WITH SET FALSE",
        "REVOKE team FROM middle GRANTED BY manager CASCADE; GRANT team TO middle WITH ADMIN OPTION",
        "REVOKE middle FROM manager CASCADE; REVOKE INHERIT OPTION FOR pg_read_all_settings FROM leaf",
    ];
    for damage in damages {
        cluster.sql("postgres", damage);
        as_superuser("source");
    }
    wiped(&cluster, "target");
    as_superuser("target");
    // The folder's own script, and what has to be the same before it has nothing to do.
    wiped(&cluster, "scripted");
    cluster.restore(&snapshot, "scripted", 0);
    assert_eq!(cluster.sql("postgres", GRANTS), grants);
    (cluster, snapshot, place, grants, all)
}

/// The lines that do not begin like that.
fn without(text: &str, start: &str) -> String {
    text.lines().filter(|l| !l.starts_with(start)).collect::<Vec<_>>().join("\n")
}

#[test]
fn grants_of_each_grantor_come_back_on_17() {
    let (cluster, snapshot, place, grants, all) = of_the_same_major(17);
    // The role of that name: its own grants are its own again, and in the roles that it makes it is let in by the server.
    wiped(&cluster, "hosted");
    let_in(&cluster, "postgres", "hosted");
    let done = restore(&cluster, "postgres", "postgres", "hosted", &snapshot, place.path());
    let names = named(&done);
    assert_eq!(rights(&cluster, "postgres"), without(&all, "postgres in "), "{}", done.said);
    let own = |text: &str| {
        let lines: Vec<_> = text.lines().filter(|l| l.starts_with("postgres in app")).map(str::to_string).collect();
        lines
    };
    assert_eq!(own(&cluster.sql("postgres", GRANTS)), own(&grants), "{}", done.said);
    assert!(names.contains(&"granted_by_another ROLE MEMBERSHIP middle in team by manager".to_string()), "{names:#?}");
    assert!(
        names.contains(&"not_permitted ROLE MEMBERSHIP postgres in team by supabase_admin".to_string()),
        "{names:#?}"
    );
    assert!(!names.iter().any(|n| n.contains("in app_worker") || n.contains("in app_two")), "{names:#?}");

    // Another role has to grant everything, once for each member.
    wiped(&cluster, "other");
    let_in(&cluster, "restorer", "other");
    cluster.sql(
        "postgres",
        "CREATE ROLE postgres LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS; \
        GRANT postgres TO restorer WITH ADMIN OPTION",
    );
    let done = restore(&cluster, "restorer", "postgres", "other", &snapshot, place.path());
    let names = named(&done);
    assert_eq!(rights(&cluster, "restorer"), all, "{}", done.said);
    assert!(
        names.contains(&"granted_by_another ROLE MEMBERSHIP postgres in app_worker by supabase_admin".to_string()),
        "{names:#?}"
    );
}

#[test]
fn grants_of_each_grantor_come_back_on_16() {
    of_the_same_major(16);
}

#[test]
fn grants_of_each_grantor_come_back_on_18() {
    of_the_same_major(18);
}

#[test]
fn a_drill_and_a_server_whose_first_role_has_another_name_hold_them_too() {
    let place = tempfile::tempdir().unwrap();
    let (cluster, snapshot) = source(17, ROLES, place.path());
    let grants = cluster.sql("postgres", GRANTS);
    let mut drill = Command::new(crate::support::program());
    drill.arg("drill").arg(&snapshot.folder).arg("--pg-bin").arg(&cluster.bin);
    let said = ok(drill.current_dir(place.path()).env("HOME", place.path()));
    assert!(said.contains("restorable:"), "{said}");

    let other = Cluster::start(18);
    other.sql("postgres", "CREATE ROLE renames LOGIN SUPERUSER PASSWORD 'postgres'");
    let rename = "ALTER ROLE supabase_admin RENAME TO cluster_owner; ALTER ROLE cluster_owner PASSWORD 'postgres'";
    other.as_user("renames", "postgres").sql("postgres", rename);
    let target = other.as_user("cluster_owner", "postgres");
    target.sql("postgres", "DROP ROLE renames");
    target.empty("target");
    let done = restore(&target, "cluster_owner", "postgres", "target", &snapshot, place.path());
    done.is_well();
    let renamed = grants.replace(" by supabase_admin:", " by cluster_owner:");
    let sorted = |text: &str| text.lines().map(str::to_string).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&target.sql("postgres", GRANTS)), sorted(&renamed), "{}", done.said);
    assert!(!done.exceptions().iter().any(|e| e.contains("ROLE MEMBERSHIP")), "{:#?}", done.exceptions());
}

#[test]
fn members_of_a_server_before_16_come_back_on_a_newer_one() {
    let roles = "CREATE ROLE postgres LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS PASSWORD 'postgres';
        GRANT SET ON PARAMETER session_replication_role TO postgres;
        SET ROLE postgres; CREATE ROLE app_worker; GRANT app_worker TO postgres; CREATE ROLE team; CREATE ROLE leaf;
        GRANT team TO leaf; CREATE ROLE lead; GRANT team TO lead, postgres WITH ADMIN OPTION; RESET ROLE; GRANT leaf TO lead";
    let place = tempfile::tempdir().unwrap();
    let (_source, snapshot) = source(15, roles, place.path());
    let target = Cluster::start(17);
    let members = "SELECT string_agg(DISTINCT format('%s in %s%s', m.rolname, g.rolname, CASE WHEN admin THEN ' as its admin' END), E'\\n')
        FROM (SELECT member, roleid, bool_or(admin_option) AS admin, bool_or(set_option) AS becomes FROM pg_auth_members GROUP BY 1, 2) a
        JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid WHERE m.rolname !~ '^pg_' AND becomes";
    let wanted = "lead in leaf\nlead in team as its admin\nleaf in team\npostgres in team as its admin";
    for user in ["supabase_admin", "postgres"] {
        wiped(&target, "target");
        if user == "postgres" {
            let_in(&target, user, "target");
        }
        let done = restore(&target, user, "postgres", "target", &snapshot, place.path());
        done.is_well();
        let seen = target.sql("postgres", members);
        for line in wanted.lines() {
            assert!(seen.lines().any(|l| l == line), "{user}: {line} in {seen}: {}", done.said);
        }
        assert!(seen.lines().any(|l| l.starts_with("postgres in app_worker")), "{user}: {seen}");
    }
}
