//! What users built on tables of the platform (an index on `auth.users`): on another project it comes back where the services
//! have the same migrations and the role may make it, and is named where not.

use crate::support::restored::{Restored, drill, restore, restore_with};
use crate::support::{Cluster, server};

const BUILT: &str = "CREATE UNIQUE INDEX my_ix ON auth.users (lower(email)) WHERE email IS NOT NULL;
    COMMENT ON INDEX auth.my_ix IS 'one address, one user';
    SET ROLE supabase_auth_admin; CREATE STATISTICS auth.my_stats (dependencies) ON email, phone FROM auth.users;
    ALTER TABLE auth.identities ADD CONSTRAINT my_check CHECK (provider <> 'forbidden');
    ALTER TABLE storage.objects ADD CONSTRAINT my_name CHECK (length(name) < 900) NOT VALID;
    CREATE INDEX my_objects ON storage.objects (owner, created_at)";
const NAMES: [&str; 5] = [
    "CHECK CONSTRAINT my_check on auth.identities",
    "CHECK CONSTRAINT my_name on storage.objects",
    "INDEX auth.my_ix",
    "INDEX storage.my_objects",
    "STATISTICS auth.my_stats",
];
/// What is there of it.
const SEEN: &str = "SELECT string_agg(x, ',' ORDER BY x) FROM (
    SELECT indexrelid::regclass::text || coalesce(obj_description(indexrelid), '') FROM pg_index WHERE indexrelid::regclass::text ~ 'my_'
    UNION ALL SELECT conname || convalidated FROM pg_constraint WHERE conname ~ '^my_'
    UNION ALL SELECT stxname FROM pg_statistic_ext WHERE stxname ~ '^my_') AS t (x)";

fn project(name: &str, fixtures: &[&str]) -> Cluster {
    let cluster = Cluster::start(server().major());
    cluster.load(name, "member", fixtures);
    cluster
}

fn build(cluster: &Cluster, database: &str) {
    for statement in BUILT.split(";\n") {
        cluster.sql(database, &format!("SET session_replication_role = replica; {statement}"));
    }
}

fn with_code(done: &Restored, code: &str) -> Vec<String> {
    let beginning = format!("{code} ");
    done.exceptions().iter().filter_map(|e| e.strip_prefix(&beginning)).map(str::to_string).collect()
}

#[test]
fn it_comes_back_on_a_new_project_at_the_same_versions() {
    let place = tempfile::tempdir().unwrap();
    let source = project("built", &["stack", "app"]);
    build(&source, "built");
    let snapshot = source.create("built", &place.path().join("snapshots"), 3, &[]);
    let target = Cluster::start(server().major());
    // A superuser and a member of the services' roles may make all of it.
    for user in ["supabase_admin", "postgres"] {
        target.load("fresh", "member", &["stack"]);
        let done = restore(&target, user, "postgres", "fresh", &snapshot, place.path());
        done.is_well();
        assert_eq!(target.sql("fresh", SEEN), source.sql("built", SEEN), "{user}: {}", done.said);
        assert_eq!(with_code(&done, "platform_upgraded"), Vec::<String>::new());
    }
    let drilled = drill(&source, &snapshot);
    assert_eq!((drilled.code, drilled.findings()), (3, vec![]), "{}", drilled.said);
}

#[test]
fn it_is_named_where_the_rights_or_the_versions_do_not_allow_it() {
    let place = tempfile::tempdir().unwrap();
    let source = project("built", &["stack", "app"]);
    build(&source, "built");
    let snapshot = source.create("built", &place.path().join("snapshots"), 3, &[]);
    let target = Cluster::start(server().major());
    target.load("fresh", "revoked", &["stack"]);
    let done = restore(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    let named = with_code(&done, "not_permitted");
    for name in NAMES {
        assert!(named.iter().any(|one| one == name), "{name}: {named:?} {}", done.said);
    }
    assert!(done.said.contains("as its owner: CREATE UNIQUE INDEX my_ix ON auth.users"), "{}", done.said);
    // An older storage service: nobody can tell whose its index is.
    target.load("fresh", "member", &["stack"]);
    target.sql("fresh", "DELETE FROM storage.migrations WHERE id > 11");
    let done = restore(&target, "supabase_admin", "postgres", "fresh", &snapshot, place.path());
    done.is_well();
    assert_eq!(target.sql("fresh", "SELECT to_regclass('auth.my_ix') IS NOT NULL"), "t", "{}", done.said);
    assert_eq!(
        with_code(&done, "platform_upgraded"),
        ["2 objects on tables of the platform in storage"],
        "{}",
        done.said
    );
    assert!(done.said.contains("INDEX storage.my_objects"), "{}", done.said);
}

#[test]
fn another_projects_goes_and_in_place_each_change_is_put_back() {
    let place = tempfile::tempdir().unwrap();
    let source = project("built", &["stack"]);
    source.sql("built", "CREATE TABLE public.mine (a int PRIMARY KEY)");
    let snapshot = source.create("built", &place.path().join("snapshots"), 0, &[]);
    let target = project("theirs", &["stack"]);
    target.sql("theirs", "CREATE TABLE public.theirs (a int)");
    build(&target, "theirs");
    let args = ["--replace-other-project", "--no-safety-snapshot"];
    let done = restore_with(&target, "theirs", &snapshot, place.path(), &args);
    done.is_well();
    assert_eq!(target.sql("theirs", SEEN), "", "{}", done.said);
    build(&source, "built");
    let done = restore(&source, "supabase_admin", "postgres", "built", &snapshot, place.path());
    assert_eq!((done.code, source.sql("built", SEEN).as_str()), (0, ""), "{}", done.said);
}
