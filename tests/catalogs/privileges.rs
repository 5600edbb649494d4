//! What a role lacks is named before anything is started; what it has is not.

use crate::support::alone;
use crate::support::sessions::{fresh, open, role};
use stacksnap::model::connection::ConnSpec;
use stacksnap::pg::catalog::privileges::missing_privileges;

const SCHEMA: &str = "CREATE SCHEMA s; CREATE TABLE s.t (id serial PRIMARY KEY, x text); CREATE SCHEMA closed;
    CREATE TABLE closed.t (id int); CREATE TABLE s.guarded (id int); ALTER TABLE s.guarded ENABLE ROW LEVEL SECURITY;
    CREATE VIEW s.v AS SELECT 1 AS a; CREATE EXTENSION IF NOT EXISTS supabase_vault; SELECT lo_create(4711)";

async fn missing(spec: &ConnSpec) -> Vec<String> {
    let session = open(spec).await;
    let found = missing_privileges(&session).await.unwrap();
    found.into_iter().filter(|m| m.blocking).map(|m| format!("{} on {}", m.privilege, m.what)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_6_each_missing_right_is_named() {
    let _alone = alone();
    let (spec, session) = fresh("catalog_privileges").await;
    let vault = !session
        .rows("SELECT 1 FROM pg_available_extensions WHERE name = 'supabase_vault'", &[])
        .await
        .unwrap()
        .is_empty();
    let own = SCHEMA.replace(if vault { "\0" } else { "CREATE EXTENSION IF NOT EXISTS supabase_vault;" }, "");
    session.execute(&own).await.unwrap();
    let reader = role(&session, "catalog_reader", "", &spec).await;
    let found = missing(&reader).await;
    for wanted in [
        "USAGE on schema s",
        "USAGE on schema closed",
        "SELECT on table s.t",
        "SELECT on table closed.t",
        "SELECT on sequence s.t_id_seq",
        "SELECT on large object 4711",
        "BYPASSRLS on table s.guarded",
    ] {
        assert!(found.iter().any(|f| f == wanted), "{wanted} is not among {found:?}");
    }
    assert!(!found.iter().any(|f| f.contains("s.v")), "a view is not read: {found:?}");

    session
        .execute(
            "GRANT USAGE ON SCHEMA s, closed TO catalog_reader; GRANT SELECT ON ALL TABLES IN SCHEMA s, closed TO catalog_reader;
             GRANT SELECT ON ALL SEQUENCES IN SCHEMA s TO catalog_reader; GRANT SELECT ON LARGE OBJECT 4711 TO catalog_reader",
        )
        .await
        .unwrap();
    session.execute("DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'vault') THEN
        GRANT USAGE ON SCHEMA vault TO catalog_reader; GRANT SELECT ON ALL TABLES IN SCHEMA vault TO catalog_reader; END IF; END $$").await.unwrap();
    assert_eq!(missing(&reader).await, ["BYPASSRLS on table s.guarded"]);
    session.execute("ALTER ROLE catalog_reader BYPASSRLS").await.unwrap();
    assert_eq!(missing(&reader).await, [""; 0]);
    assert!(missing_privileges(&session).await.unwrap().is_empty());
    session.execute("DROP OWNED BY catalog_reader; DROP ROLE catalog_reader").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_guarded_table_needs_bypassrls_only_when_it_is_forced() {
    let _alone = alone();
    let (spec, session) = fresh("catalog_privileges_owner").await;
    let owner = role(&session, "catalog_owner", "", &spec).await;
    session
        .execute(
            "CREATE SCHEMA o AUTHORIZATION catalog_owner; SET ROLE catalog_owner; CREATE TABLE o.t (id int);
             ALTER TABLE o.t ENABLE ROW LEVEL SECURITY; RESET ROLE",
        )
        .await
        .unwrap();
    assert_eq!(missing(&owner).await, [""; 0]);
    session.execute("ALTER TABLE o.t FORCE ROW LEVEL SECURITY").await.unwrap();
    assert_eq!(missing(&owner).await, ["BYPASSRLS on table o.t"]);
    let found = missing_privileges(&open(&owner).await).await.unwrap();
    assert!(found.iter().any(|m| !m.blocking && m.what == "passwords of roles"), "{found:?}");
    session.execute("DROP OWNED BY catalog_owner; DROP ROLE catalog_owner").await.unwrap();
}
