//! `scripts/verify_user_creation_system.sh` on a whole stack and on broken ones.

use std::process::Output;

use crate::support::{Database, alone, server};

fn check(database: &Database, user: &str, arguments: &[&str]) -> Output {
    let script = crate::support::repo("scripts/verify_user_creation_system.sh");
    // Every variable but the program is the server's: the password of both users is the same.
    let mut command = std::process::Command::new(script);
    let Database { server, name } = database;
    command.env("PGHOST", &server.host).env("PGPORT", server.port.to_string()).env("PGUSER", user);
    command.env("PGPASSWORD", &server.password).env("PGDATABASE", name).env_remove("PGOPTIONS");
    command.arg("--psql").arg(server.bin.join("psql")).args(arguments).output().unwrap()
}

#[track_caller]
fn ended(output: &Output, code: i32, says: &[&str]) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    for said in says {
        assert!(text.contains(said), "{said:?} is not in: {text}");
    }
    // No hash is ever told.
    assert!(!text.contains("$2a$"), "{text}");
}

/// Without pgcrypto (not every server of the tests has it) a stack is not healthy.
fn has_pgcrypto(database: &Database) -> bool {
    database.sql("SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto'") == "1"
}

const STATE: &str = "SELECT (SELECT count(*) FROM auth.users) || ' ' || (SELECT count(*) FROM public.profiles) || ' ' \
                     || (SELECT count(*) FROM private.ddl_log)";

#[test]
fn a_whole_stack_is_healthy_and_nothing_stays() {
    let _alone = alone();
    let database = server().stack();
    let (before, code) = (database.sql(STATE), i32::from(!has_pgcrypto(&database)));
    for user in ["supabase_admin", "postgres"] {
        let output =
            check(&database, user, &["--profile", "public.profiles", "--min-users", "6", "--min-policies", "88"]);
        ended(
            &output,
            code,
            &["6 users", "23 of 23 tables", "90 policies", "a row appears in public.profiles", "bcrypt 6"],
        );
    }
    assert_eq!(database.sql(STATE), before);
    let quiet = check(&database, "postgres", &["-q"]);
    assert_eq!((quiet.status.code(), quiet.stdout.is_empty()), (Some(code), code == 0));
}

#[test]
fn what_is_broken_is_named_and_the_exit_code_says_so() {
    let _alone = alone();
    let cases = [
        (
            "ALTER TABLE auth.users DISABLE TRIGGER on_auth_user_created",
            &["triggers on auth.users are disabled: on_auth_user_created", "no row appears in public.profiles"][..],
        ),
        ("DROP TRIGGER on_auth_user_created ON auth.users", &["there is no trigger on auth.users"]),
        ("ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY", &["row security is off: public.orders"]),
        ("ALTER TABLE storage.objects DISABLE ROW LEVEL SECURITY", &["row security is off: storage.objects"]),
        ("DROP EXTENSION IF EXISTS pgcrypto CASCADE", &["pgcrypto is not installed"]),
        (
            "DROP TABLE public.profiles CASCADE",
            &["a user cannot be created: relation \"public.profiles\" does not exist"],
        ),
        (
            "UPDATE auth.users SET recovery_token = NULL WHERE email LIKE 'b%'",
            &["1 users cannot log in: auth.users.recovery_token is NULL"],
        ),
        (
            "ALTER TABLE auth.users OWNER TO supabase_admin; REVOKE ALL ON auth.users FROM supabase_auth_admin",
            &[
                "supabase_auth_admin may not do this on auth.users: SELECT INSERT UPDATE DELETE",
                "a user cannot be created: permission denied",
            ],
        ),
        (
            "ALTER TABLE auth.users OWNER TO supabase_admin; ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY; GRANT ALL ON auth.users TO supabase_auth_admin",
            &["row security hides the users"],
        ),
        ("DELETE FROM auth.users WHERE email LIKE 'f%'", &["5 users, at least 6 expected"]),
        ("DROP SCHEMA auth CASCADE", &["there is no table auth.users"]),
    ];
    for (damage, says) in cases {
        let database = server().stack();
        database.sql(&format!("SET session_replication_role = replica; {damage}"));
        let output = check(&database, "supabase_admin", &["--profile", "public.profiles", "--min-users", "6"]);
        ended(&output, 1, says);
        assert!(String::from_utf8_lossy(&output.stdout).contains("FAIL"), "{damage}");
    }
}

#[test]
fn options_are_kept_and_what_cannot_be_looked_at_is_no_health() {
    let _alone = alone();
    let database = server().stack();
    let code = i32::from(!has_pgcrypto(&database));
    database.sql("ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY; CREATE FUNCTION public.boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$; CREATE TRIGGER boom AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.boom()");
    ended(
        &check(&database, "postgres", &["--allow-rls-off", "public.orders"]),
        1,
        &["a user cannot be created: called"],
    );
    let tame = check(&database, "postgres", &["--allow-rls-off", "public.orders", "--no-create"]);
    ended(&tame, code, &["as allowed", "--no-create"]);
    ended(&check(&database, "supabase_storage_admin", &[]), 69, &["does not answer"]);
    database.sql("ALTER ROLE supabase_functions_admin PASSWORD 'postgres'");
    let denied = check(&database, "supabase_functions_admin", &[]);
    database.sql("ALTER ROLE supabase_functions_admin PASSWORD 'supabase_functions_admin'");
    ended(&denied, 12, &["may not read auth.users"]);
    ended(&check(&database, "postgres", &["--help"]), 0, &["exit codes:"]);
    ended(&check(&database, "postgres", &["--what"]), 64, &["unknown option"]);
    ended(&check(&database, "postgres", &["--min-users", "x"]), 64, &["a number"]);
}

#[test]
fn hostile_names_run_nothing() {
    let database = server().stack();
    let marks = tempfile::tempdir().unwrap();
    let mark = marks.path().join("MARK");
    let evil = format!("t\n\\! touch {0}\n`touch {0}` $(touch {0}) '; --", mark.display());
    let name = stacksnap::model::name::ident(&evil);
    database.sql(&format!("CREATE TABLE public.{name} (a int); CREATE TRIGGER {name} AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.handle_new_user(); ALTER TABLE auth.users DISABLE TRIGGER {name}"));
    let output =
        check(&database, "supabase_admin", &["--profile", &format!("public.{name}"), "--allow-rls-off", &evil]);
    ended(&output, 1, &["row security is off: public."]);
    assert!(!mark.exists());
}
