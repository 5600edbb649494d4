//! In place: damage in the platform's own schemas. What is at the snapshot's version comes back as far as the rights go;
//! what is not, and what this role may not change, is left and named. `diff` agrees, and nothing is called equal that is not.

use std::path::Path;

use crate::support::restored::{Restored, plan, restore};
use crate::support::{Cluster, Snapshot};

const DATABASE: &str = "damaged";

struct World {
    cluster: Cluster,
    place: tempfile::TempDir,
    snapshot: Snapshot,
}

impl World {
    fn new(memberships: &str) -> Self {
        let (cluster, place) = (Cluster::start(15), tempfile::tempdir().unwrap());
        cluster.load(DATABASE, memberships, &["stack", "app"]);
        let snapshot = cluster.create(DATABASE, &place.path().join("snapshots"), 3, &[]);
        Self { cluster, place, snapshot }
    }

    /// The fixture's own event trigger writes a log of what is changed.
    fn damage(&self, sql: &str) {
        self.cluster.sql(DATABASE, &format!("SET session_replication_role = replica; {sql}"));
    }

    fn plan(&self, user: &str) -> Restored {
        plan(&self.cluster, user, "postgres", DATABASE, &self.snapshot, self.place())
    }

    fn restore(&self, user: &str) -> Restored {
        restore(&self.cluster, user, "postgres", DATABASE, &self.snapshot, self.place())
    }

    fn place(&self) -> &Path {
        self.place.path()
    }

    /// The program's own comparison.
    fn differs(&self) -> bool {
        let mut command = self.cluster.stacksnap(DATABASE, self.snapshot.folder.parent().unwrap());
        let output = command.args(["diff"]).arg(&self.snapshot.folder).arg("live").output().unwrap();
        match output.status.code() {
            Some(0) => false,
            Some(4) => true,
            _ => panic!("{}", crate::support::text(&output)),
        }
    }

    fn undamaged_is_a_no_op(&self) {
        for user in ["supabase_admin", "postgres"] {
            let done = self.restore(user);
            assert_eq!((done.code, done.report["statements"].as_u64()), (0, Some(0)), "{user}: {}", done.said);
        }
    }
}

/// Of the services' owners, who may be members of: a member may put all of it right.
const OF_OWNERS: [(&str, &str); 7] = [
    ("ALTER TABLE auth.users DISABLE ROW LEVEL SECURITY", "ROW SECURITY auth.users"),
    (
        "CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT NULL::uuid'",
        "FUNCTION auth.uid()",
    ),
    ("ALTER FUNCTION storage.foldername(text) SECURITY DEFINER", "FUNCTION storage.foldername(text)"),
    ("DROP INDEX auth.users_instance_id_idx", "INDEX auth.users_instance_id_idx"),
    (
        "ALTER TABLE auth.identities DROP CONSTRAINT identities_user_id_fkey",
        "FK CONSTRAINT identities_user_id_fkey on auth.identities",
    ),
    ("ALTER TABLE auth.users ADD COLUMN extra text", "TABLE auth.users"),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE supabase_auth_admin GRANT ALL ON TABLES TO anon",
        "DEFAULT ACL for role supabase_auth_admin on tables",
    ),
];

/// Of the platform's superuser.
const OF_ADMIN: [(&str, &str); 4] = [
    ("ALTER EVENT TRIGGER pgrst_ddl_watch DISABLE", "EVENT TRIGGER pgrst_ddl_watch"),
    (
        "CREATE OR REPLACE FUNCTION pgbouncer.get_auth(p_usename text) RETURNS TABLE (username text, password text)
         LANGUAGE sql SECURITY DEFINER AS 'SELECT NULL::text, NULL::text'",
        "FUNCTION pgbouncer.get_auth(text)",
    ),
    ("CREATE VIEW storage.v AS SELECT * FROM auth.users; GRANT SELECT ON storage.v TO anon", "VIEW storage.v"),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE supabase_admin IN SCHEMA auth GRANT ALL ON TABLES TO anon",
        "DEFAULT ACL for role supabase_admin in schema auth on tables",
    ),
];

/// What the owner of a thing may put back and anybody else may not: these decide who may do what.
const OPEN: [&str; 7] = [
    "ROW SECURITY auth.users",
    "FUNCTION auth.uid()",
    "FUNCTION storage.foldername(text)",
    "DEFAULT ACL for role supabase_auth_admin on tables",
    "FUNCTION pgbouncer.get_auth(text)",
    "VIEW storage.v",
    "DEFAULT ACL for role supabase_admin in schema auth on tables",
];

fn sql(damages: &[(&str, &str)]) -> String {
    damages.iter().map(|(sql, _)| *sql).collect::<Vec<_>>().join("; ")
}

fn named(done: &Restored, pointer: &str) -> Vec<String> {
    let mut all = done.list(pointer, &["what"]);
    all.sort();
    all
}

#[test]
fn a_superuser_puts_the_platform_back_and_its_user_names_what_stays() {
    let world = World::new("revoked");
    world.undamaged_is_a_no_op();
    world.damage(&sql(&OF_OWNERS));
    world.damage(&sql(&OF_ADMIN));
    assert!(world.differs());
    // The platform's user may change none of it: all is in the plan, and what is open is a finding.
    let planned = world.plan("postgres");
    let left = named(&planned, "/exceptions");
    for (_, what) in OF_OWNERS.iter().chain(&OF_ADMIN) {
        assert!(left.iter().any(|l| l == what), "{what}: {}", planned.said);
    }
    let done = world.restore("postgres");
    let found = named(&done, "/proof/findings");
    assert_eq!(done.code, 13, "{}", done.said);
    for what in OPEN {
        assert!(found.iter().any(|f| f == what), "{what}: {found:?}");
    }
    assert!(!found.iter().any(|f| f.starts_with("INDEX") || f.starts_with("TABLE")), "named is enough: {found:?}");
    assert!(world.differs());
    let done = world.restore("supabase_admin");
    done.is_well();
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    assert!(!world.differs());
    world.undamaged_is_a_no_op();
}

#[test]
fn a_member_of_the_owners_puts_back_what_is_theirs() {
    let world = World::new("member");
    world.undamaged_is_a_no_op();
    world.damage(&sql(&OF_OWNERS));
    let done = world.restore("postgres");
    done.is_well();
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    assert!(!world.differs());
}

const MIGRATIONS: &str =
    "SELECT (SELECT count(*) FROM auth.schema_migrations), (SELECT count(*) FROM storage.migrations)";

#[test]
fn a_platform_that_was_upgraded_is_left_and_named() {
    let world = World::new("revoked");
    world.damage(
        "INSERT INTO auth.schema_migrations VALUES ('99990101000000'); ALTER TABLE auth.users ADD COLUMN newer text;
         ALTER TABLE storage.buckets DISABLE ROW LEVEL SECURITY",
    );
    let done = world.restore("supabase_admin");
    done.is_well();
    assert_eq!((done.code, done.exceptions()), (3, vec!["platform_upgraded schema auth of the platform".to_string()]));
    assert!(done.said.contains("TABLE auth.users"), "{}", done.said);
    let newer = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'newer'";
    assert_eq!(world.cluster.sql(DATABASE, newer), "1");
    // Another service is still at the snapshot's version.
    let closed = "SELECT relrowsecurity FROM pg_class WHERE oid = 'storage.buckets'::regclass";
    assert_eq!(world.cluster.sql(DATABASE, closed), "t");
    // With nothing left to do it is no more equal than before.
    let again = world.restore("supabase_admin");
    assert_eq!((again.code, again.report["statements"].as_u64()), (3, Some(0)), "{}", again.said);
}

#[test]
fn rows_of_the_platforms_migrations_come_back_where_nothing_else_differs() {
    let world = World::new("revoked");
    let before = world.cluster.sql(DATABASE, MIGRATIONS);
    let gone = "DELETE FROM auth.schema_migrations WHERE version = (SELECT max(version) FROM auth.schema_migrations);
        DELETE FROM storage.migrations WHERE id > 9";
    world.damage(gone);
    let named = ["platform_upgraded schema auth of the platform", "platform_upgraded schema storage of the platform"];
    let done = world.restore("postgres");
    assert_eq!((done.code, done.exceptions()), (3, named.map(String::from).to_vec()), "{}", done.said);
    let done = world.restore("supabase_admin");
    done.is_well();
    assert_eq!((done.code, done.exceptions(), world.cluster.sql(DATABASE, MIGRATIONS)), (0, Vec::new(), before));
    // Where the schema is another one too, an older service may be what is there.
    world.damage(&format!("{gone}; DROP INDEX auth.users_instance_id_idx"));
    let done = world.restore("supabase_admin");
    assert!(done.exceptions().contains(&named[0].to_string()), "{}", done.said);
    assert_eq!(world.cluster.sql(DATABASE, MIGRATIONS), "23|14");
}

#[test]
fn a_column_of_the_platforms_comes_back_with_its_values() {
    let world = World::new("revoked");
    let values = "SELECT count(*), sum(hashtextextended(u::text, 0)) FROM auth.users u";
    let before = world.cluster.sql(DATABASE, values);
    world.damage("ALTER TABLE auth.users DROP COLUMN is_anonymous");
    let done = world.restore("supabase_admin");
    done.is_well();
    assert_eq!((done.code, world.cluster.sql(DATABASE, values)), (0, before), "{}", done.said);
    assert!(!world.differs());
}

#[test]
fn what_a_service_makes_while_it_runs_is_no_difference() {
    let world = World::new("revoked");
    world.damage(
        "CREATE TABLE realtime.messages_2030_01_01 PARTITION OF realtime.messages FOR VALUES FROM ('2030-01-01') TO ('2030-01-02');
         DROP TABLE realtime.messages_2025_10_12",
    );
    world.undamaged_is_a_no_op();
}

/// Functions of an extension are in no archive: whoever replaces one, replaces it for good. The restore says so.
#[test]
fn members_of_extensions_that_somebody_altered_are_named() {
    let (cluster, place) = (Cluster::start(15), tempfile::tempdir().unwrap());
    cluster.empty(DATABASE);
    cluster.sql(DATABASE, "CREATE EXTENSION pgcrypto; CREATE EXTENSION unaccent; CREATE TABLE t (a int)");
    let snapshot = cluster.create(DATABASE, &place.path().join("snapshots"), 0, &[]);
    let world = World { cluster, place, snapshot };
    let named = |told: &[&str], code: i32| {
        let done = world.restore("supabase_admin");
        let told: Vec<String> = told.iter().map(|what| format!("extension_member_differs {what}")).collect();
        assert_eq!((done.code, done.exceptions()), (code, told), "{}", done.said);
        assert!(world.differs());
    };
    world.damage(
        "CREATE OR REPLACE FUNCTION crypt(text, text) RETURNS text LANGUAGE sql AS 'SELECT $1';
         ALTER FUNCTION gen_salt(text) SECURITY DEFINER; DROP TABLE t",
    );
    let altered = ["FUNCTION public.crypt(text,text)", "FUNCTION public.gen_salt(text)"];
    named(&altered, 3);
    world.damage("ALTER EXTENSION unaccent DROP FUNCTION unaccent(text); DROP FUNCTION unaccent(text)");
    // Its grants are the user's, and nobody can give them back.
    named(&[altered[0], altered[1], "FUNCTION public.unaccent(text)"], 13);
}
