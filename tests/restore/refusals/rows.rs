//! Rows that are in the way: users who came later, the same address under another id, triggers that always fire.

use serde_json::Value;

use super::{refused, unchanged, yes};
use crate::support::commands::{contents, restore, snapshot};
use crate::support::{Database, Place, Ran, alone, server};

/// A stack whose `bruno@example.com` is somebody else than in the snapshot.
fn another_bruno(place: &Place) -> Database {
    let database = server().stack();
    snapshot(place, &database, &[]);
    database.sql(
        "SET session_replication_role = replica; DELETE FROM auth.identities WHERE user_id::text LIKE 'b2222222%';
         DELETE FROM auth.users WHERE email = 'bruno@example.com';
         INSERT INTO auth.users (id, email, encrypted_password, confirmation_token, recovery_token, email_change, email_change_token_new)
         VALUES ('99999999-9999-4999-8999-999999999999', 'bruno@example.com', 'later', '', '', '', '')",
    );
    database
}

fn folder(place: &Place) -> String {
    let name = place.entries().into_iter().find(|e| e.starts_with("comprehensive_backup_2")).unwrap();
    place.root().join(name).to_str().unwrap().to_string()
}

const BRUNO: &str =
    "SELECT string_agg(id || encrypted_password, ' ') FROM auth.users WHERE email = 'bruno@example.com'";
const ORPHANS: &str =
    "SELECT count(*) FROM auth.identities i WHERE NOT EXISTS (SELECT FROM auth.users u WHERE u.id = i.user_id)";

#[test]
fn r36_the_snapshots_users_replace_those_of_the_target() {
    let _alone = alone();
    let place = Place::new();
    let database = another_bruno(&place);
    let args = yes(&database, &["--allow-partial", "--sessions", "keep"]);
    let ran = Ran::of(&mut restore(&place, database.access(), &folder(&place), &args));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(database.sql(BRUNO).starts_with("b2222222-2222-4222-8222-222222222222$2a$10$"), "{}", database.sql(BRUNO));
    assert_eq!(database.sql("SELECT count(*) FROM auth.users"), "6");
    assert_eq!(database.sql(ORPHANS), "0");
}

#[test]
fn r36_users_that_are_kept_are_named_where_they_are_in_the_way() {
    let _alone = alone();
    let place = Place::new();
    let database = another_bruno(&place);
    let before = contents(&database);
    let args = yes(&database, &["--allow-partial", "--sessions", "keep", "--auth-rows", "keep", "-o", "json"]);
    let ran = Ran::of(&mut restore(&place, database.access(), &folder(&place), &args));
    assert!(database.sql(BRUNO).ends_with("later"), "the target's user stays: {ran:?}");
    // Never a user's identities, profile or roles without the user: it ends, or it says who was left out.
    if ran.code == 0 || ran.code == 3 {
        assert_eq!(database.sql(ORPHANS), "0", "{ran:?}");
        let report = ran.json();
        let named =
            |list: &Value| list.as_array().is_some_and(|l| l.iter().any(|e| e.to_string().contains("auth.users")));
        let exceptions = [&report["exceptions"], &report["proof"]["exceptions"]];
        assert!(ran.code == 3 && exceptions.into_iter().any(named), "{ran:?}");
    } else {
        unchanged(&database, &before);
        refused(&ran, ran.code, &["bruno@example.com"]);
    }
}

#[test]
fn r36_a_conflict_may_end_it_before_the_first_write() {
    let _alone = alone();
    let place = Place::new();
    let database = another_bruno(&place);
    database.sql("DROP TABLE public.tasks CASCADE");
    let before = contents(&database);
    let args = yes(&database, &["--allow-partial", "--sessions", "keep", "--auth-rows", "abort"]);
    let ran = Ran::of(&mut restore(&place, database.access(), &folder(&place), &args));
    refused(&ran, 4, &["auth.", "--auth-rows"]);
    unchanged(&database, &before);
}

#[test]
fn r37_no_trigger_of_a_user_fires_whatever_its_mode() {
    let _alone = alone();
    let place = Place::new();
    let database = server().stack();
    database.sql(
        "CREATE TABLE public.calls (id bigint GENERATED ALWAYS AS IDENTITY, what text);
         CREATE FUNCTION public.call() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
            'BEGIN INSERT INTO public.calls (what) VALUES (TG_NAME || TG_OP); RETURN coalesce(NEW, OLD); END';
         CREATE TRIGGER plain AFTER INSERT OR UPDATE OR DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION public.call();
         CREATE TRIGGER always AFTER INSERT OR UPDATE OR DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION public.call();
         CREATE TRIGGER replica AFTER INSERT OR UPDATE OR DELETE ON public.customers FOR EACH ROW EXECUTE FUNCTION public.call();
         CREATE TRIGGER emptied AFTER TRUNCATE ON public.activity_log EXECUTE FUNCTION public.call();
         ALTER TABLE auth.users ENABLE ALWAYS TRIGGER always;
         ALTER TABLE public.customers ENABLE REPLICA TRIGGER replica;
         ALTER TABLE public.activity_log ENABLE ALWAYS TRIGGER emptied",
    );
    snapshot(&place, &database, &[]);
    let before = contents(&database);
    database.sql(
        "SET session_replication_role = replica; ALTER TABLE auth.users DISABLE TRIGGER always; ALTER TABLE public.customers DISABLE TRIGGER replica;
         UPDATE auth.users SET encrypted_password = 'x'; UPDATE public.customers SET name = 'x';
         DELETE FROM public.activity_log WHERE id % 2 = 0;
         ALTER TABLE auth.users ENABLE ALWAYS TRIGGER always; ALTER TABLE public.customers ENABLE REPLICA TRIGGER replica",
    );
    let args = yes(&database, &["--allow-partial", "--sessions", "keep", "--activate-jobs"]);
    let ran = Ran::of(&mut restore(&place, database.access(), &folder(&place), &args));
    assert_eq!(database.sql("SELECT count(*) FROM public.calls"), "0", "a trigger fired: {ran:?}");
    assert_eq!(ran.code, 0, "{ran:?}");
    unchanged(&database, &before);
}
