//! In place, a role that came later goes when it is nobody else's: one that nothing refers to only where no other database
//! of the server is anybody's, and a login only when the guarded command made it. What stays is named.

use crate::support::commands::{guard, into, snapshot};
use crate::support::{Cluster, Database, Place, Ran};

/// The roles of the test that are there.
fn there(target: &Cluster) -> String {
    let sql = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^(before|later|made)_'";
    target.sql("postgres", sql)
}

/// Restores; only these roles may stay, each with what removes or renames it.
#[track_caller]
fn restored(target: &Cluster, place: &Place, database: &Database, stay: &[&str]) -> Ran {
    let ran = Ran::of(&mut into(
        target,
        place,
        database.access(),
        &["restore", "latest"],
        &["--confirm", &database.name, "-o", "json"],
    ));
    assert_eq!(ran.code, if stay.is_empty() { 0 } else { 3 }, "{ran:?}");
    let named: Vec<String> = ran.json()["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            assert!(e["code"] == "role_stays" && e["todo"].as_str().unwrap().contains(" ROLE "), "{ran:?}");
            e["what"].as_str().unwrap().strip_prefix("ROLE ").unwrap().to_string()
        })
        .collect();
    assert_eq!(named, stay, "{ran:?}");
    ran
}

#[test]
fn a_role_that_came_later_or_was_renamed_is_named_and_not_called_equal() {
    let (place, target) = (Place::new(), Cluster::start(15));
    let database = target.small();
    database.sql("CREATE ROLE before_group; CREATE ROLE before_login LOGIN");
    snapshot(&place, &database, &[]);
    restored(&target, &place, &database, &[]);
    let later = "CREATE ROLE later_super SUPERUSER LOGIN; CREATE ROLE \"later Maker\" LOGIN CREATEROLE;
        GRANT before_group TO \"later Maker\"; ALTER ROLE before_login RENAME TO later_name;
        CREATE ROLE supabase_later SUPERUSER";
    database.sql(later);
    let stay = ["\"later Maker\"", "later_name", "later_super", "supabase_later"];
    let planned = Ran::of(&mut into(&target, &place, database.access(), &["restore", "latest"], &["--dry-run"]));
    for role in stay {
        assert!(planned.stdout.contains(&format!("ROLE {role}: ")), "{planned:?}");
    }
    assert!(planned.stdout.contains("ALTER ROLE later_name RENAME TO before_login"), "{planned:?}");
    assert!(planned.stdout.contains("it is a superuser, it may log in"), "{planned:?}");
    restored(&target, &place, &database, &stay);
    assert_eq!(there(&target), "before_group before_login later_name later_super");
    let member = "SELECT pg_has_role('later Maker', 'before_group', 'MEMBER')";
    assert_eq!(target.sql("postgres", member), "f");
    // Nothing is left to do, and it is no more equal than before.
    let said =
        Ran::of(&mut into(&target, &place, database.access(), &["restore", "latest"], &["--confirm", &database.name]));
    assert!(said.code == 3 && !said.stdout.contains('✅') && said.stdout.contains("later_super"), "{said:?}");
}

#[test]
fn a_role_that_nothing_refers_to_goes_where_it_can_be_nobody_elses() {
    let (place, target) = (Place::new(), Cluster::start(15));
    let database = target.small();
    database.sql("CREATE ROLE before_group; CREATE ROLE before_login LOGIN; GRANT before_group TO before_login");
    snapshot(&place, &database, &[]);
    let later = "CREATE ROLE later_group; GRANT before_group TO later_group; GRANT later_group TO before_login;
        CREATE ROLE later_login LOGIN; CREATE ROLE later_of_login; GRANT later_of_login TO later_login";
    database.sql(later);
    let planned = Ran::of(&mut into(&target, &place, database.access(), &["restore", "latest"], &["--dry-run"]));
    assert!(planned.stdout.contains("ROLE later_group"), "{planned:?}");
    assert!(planned.stdout.contains("DROP ROLE later_login"), "named, and not dropped: {planned:?}");
    restored(&target, &place, &database, &["later_login", "later_of_login"]);
    assert_eq!(there(&target), "before_group before_login later_login later_of_login");
    let among = "SELECT pg_has_role('later_login', 'later_of_login', 'MEMBER')";
    assert_eq!(target.sql("postgres", among), "t", "what is among roles that stay is theirs");

    // Another database may be what a role is for.
    target.sql("postgres", "CREATE DATABASE neighbours");
    target.sql("postgres", "CREATE ROLE later_group");
    restored(&target, &place, &database, &["later_group", "later_login", "later_of_login"]);
    assert_eq!(there(&target), "before_group before_login later_group later_login later_of_login");
    target.sql("postgres", "DROP DATABASE neighbours");
    restored(&target, &place, &database, &["later_login", "later_of_login"]);
    assert_eq!(there(&target), "before_group before_login later_login later_of_login");

    // What a guarded command made is known to be its own; what came before the command is not.
    let script =
        "$PSQL -c 'CREATE ROLE made_login LOGIN; CREATE ROLE made_group; GRANT made_group TO made_login'; exit 3";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "on-failure"], script));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("rolled back"), "{ran:?}");
    assert_eq!(there(&target), "before_group before_login later_login later_of_login", "{ran:?}");
}
