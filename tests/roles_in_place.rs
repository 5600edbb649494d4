//! In place, a role that came later goes when it is nobody else's: one that nothing refers to only where no other database
//! of the server is anybody's, and a login only when the guarded command made it.
#![allow(clippy::disallowed_methods)]

mod own_target;
#[path = "restore_cli_support/mod.rs"]
mod restore_cli_support;
mod round_support;
mod take_support;

use own_target::Target;
use restore_cli_support::{guard, snapshot};
use take_support::{Database, Place, Ran};

/// The roles of the test that are there.
fn there(target: &Target) -> String {
    let sql = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^(before|later|made)_'";
    target.server.psql("postgres", sql)
}

#[track_caller]
fn restored(target: &Target, place: &Place, database: &Database) -> Ran {
    let ran =
        target.run(place, database.access(), &["restore", "latest"], &["--confirm", &database.name, "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn a_role_that_nothing_refers_to_goes_where_it_can_be_nobody_elses() {
    let (place, target) = (Place::new(), Target::new(15));
    let database = target.server.small();
    database.sql("CREATE ROLE before_group; CREATE ROLE before_login LOGIN; GRANT before_group TO before_login");
    snapshot(&place, &database, &[]);
    let later = "CREATE ROLE later_group; GRANT before_group TO later_group; GRANT later_group TO before_login;
        CREATE ROLE later_login LOGIN; CREATE ROLE later_of_login; GRANT later_of_login TO later_login";
    database.sql(later);
    let planned = target.run(&place, database.access(), &["restore", "latest"], &["--dry-run"]);
    assert!(planned.stdout.contains("ROLE later_group"), "{planned:?}");
    assert!(!planned.stdout.contains("later_login") && !planned.stdout.contains("later_of_login"), "{planned:?}");
    restored(&target, &place, &database);
    assert_eq!(there(&target), "before_group before_login later_login later_of_login");
    let among = "SELECT pg_has_role('later_login', 'later_of_login', 'MEMBER')";
    assert_eq!(target.server.psql("postgres", among), "t", "what is among roles that stay is theirs");

    // Another database may be what a role is for.
    target.server.psql("postgres", "CREATE DATABASE neighbours");
    target.server.psql("postgres", "CREATE ROLE later_group");
    restored(&target, &place, &database);
    assert_eq!(there(&target), "before_group before_login later_group later_login later_of_login");
    target.server.psql("postgres", "DROP DATABASE neighbours");
    restored(&target, &place, &database);
    assert_eq!(there(&target), "before_group before_login later_login later_of_login");

    // What a guarded command made is known to be its own; what came before the command is not.
    let script =
        "$PSQL -c 'CREATE ROLE made_login LOGIN; CREATE ROLE made_group; GRANT made_group TO made_login'; exit 3";
    let ran = Ran::of(&mut guard(&place, database.access(), &["--rollback", "on-failure"], script));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("rolled back"), "{ran:?}");
    assert_eq!(there(&target), "before_group before_login later_login later_of_login", "{ran:?}");
}
