//! Onto other targets: an empty database of another server, and a fresh project, as its superuser and as its owner.
//!
//! The judge is a second snapshot, of the target, and PostgreSQL's catalogs asked directly.

use std::path::Path;

use crate::support::compare::differences;
use crate::support::restored::restore;
use crate::support::{Cluster, EVERYTHING, Snapshot, server};
use stacksnap::model::inventory::{Inventory, TableFacts};
use stacksnap::model::restore::SecurityCensus;
use stacksnap::pg::session::Session;

/// Codes that a restore into an empty database of another server may name, and nothing else.
const BARE_EXCEPTIONS: [&str; 7] = [
    "own_password",
    "subscription_not_made SUBSCRIPTION zoo_subscription",
    "owner_not_permitted",
    "storage_files_not_captured",
    "vault_secrets_not_captured",
    "options_not_readable",
    // The zoo's are stale on purpose: refreshed they hold another row.
    "materialized_view_differs materialized view zoo.m_",
];

/// What may differ on a bare server although nothing is lost.
const BARE_DIFFERENCES: [(&str, &str); 5] = [
    ("EVENT TRIGGER log_ddl: owner", "plain PostgreSQL wants a superuser as owner of an event trigger"),
    ("EXTENSION pgmq: owner", "an extension's owner is who creates it, and cannot be changed"),
    ("ROLE supabase_admin: definition", "the role that restores keeps its own password"),
    ("COLLATION zoo.like_c: definition", "initdb alone makes collations for any encoding"),
    ("rows of cron.job: values", "jobs run in the database that they were restored into"),
];
/// The database is made by hand, options are in the order of their names, and subscriptions are left to people.
const BARE_KINDS: [&str; 4] = ["DATABASE ", "ACL DATABASE", "USER MAPPING ", "SUBSCRIPTION "];

#[test]
fn into_an_empty_database_of_another_server() {
    let (source, target) = (server(), Cluster::start(15));
    let place = tempfile::tempdir().unwrap();
    let from = source.load("targets_bare", "revoked", EVERYTHING);
    let snapshot = source.create(&from, &place.path().join("all"), 3, &[]);
    target.empty("bare");
    let done = restore(&target, "supabase_admin", "postgres", "bare", &snapshot, place.path());
    assert!(matches!(done.code, 0 | 3), "{}: {}", done.code, done.said);
    assert_eq!(done.findings(), Vec::<String>::new());
    let other: Vec<_> =
        done.exceptions().into_iter().filter(|e| !BARE_EXCEPTIONS.iter().any(|code| e.starts_with(code))).collect();
    assert_eq!(other, Vec::<String>::new(), "exceptions that are none");
    // Everything was made here, the platform's schemas too: the proof leaves out what no archive carries, and jobs.
    let carried = |t: &&TableFacts| (t.extension.is_none() || t.extension_config) && t.name.schema != "cron";
    let inventory: Inventory =
        serde_json::from_slice(&std::fs::read(snapshot.folder.join("inventory.json")).unwrap()).unwrap();
    let compared = inventory.tables.iter().filter(carried).count();
    assert_eq!(done.report["proof"]["tables_compared"], compared, "{}", done.report["proof"]);
    assert!(done.report["manual"].to_string().contains("subscriptions"), "{}", done.said);
    let left: Vec<_> = differences(&snapshot, &target.look("bare"))
        .into_iter()
        .filter(|d| {
            !BARE_DIFFERENCES.iter().any(|(known, _)| known == d) && !BARE_KINDS.iter().any(|k| d.starts_with(k))
        })
        .collect();
    assert_eq!(left, Vec::<String>::new(), "differs from the source");
    // No name was run as a command, here or by the server.
    assert!(!place.path().join("pwned").exists() && !Path::new("pwned").exists());
    let files = target.sql("bare", "SELECT count(*) FROM pg_ls_dir('.') f WHERE f ~ 'pwned'");
    assert_eq!(files, "0");
    source.drop_database(&from);
}

/// What a project has of its user, asked of the catalogs directly. Grantors and order do not count.
const USERS_OWN: [(&str, &str); 12] = [
    (
        "policies",
        "SELECT schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies
         WHERE schemaname <> 'cron' ORDER BY 1, 2, 3",
    ),
    (
        "triggers",
        "SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1::text, 2",
    ),
    (
        "tables",
        "SELECT c.oid::regclass, relkind, relowner::regrole, relrowsecurity, relforcerowsecurity, relreplident, relispopulated
         FROM pg_class c WHERE relnamespace IN ('public'::regnamespace, 'private'::regnamespace) ORDER BY 1::text",
    ),
    (
        "grants on tables",
        "SELECT c.oid::regclass, a.grantor::regrole, a.grantee::regrole, a.privilege_type, a.is_grantable FROM pg_class c, aclexplode(relacl) a
         WHERE relnamespace IN ('public'::regnamespace, 'private'::regnamespace, 'auth'::regnamespace, 'storage'::regnamespace)
         ORDER BY 1::text, 2::text, 3::text, 4",
    ),
    (
        "grants on columns",
        "SELECT c.oid::regclass, attname, a.grantee::regrole, a.privilege_type FROM pg_attribute t JOIN pg_class c ON c.oid = attrelid,
         aclexplode(attacl) a WHERE relnamespace <> 'pg_catalog'::regnamespace ORDER BY 1::text, 2, 3::text, 4",
    ),
    (
        "functions",
        "SELECT p.oid::regprocedure, proowner::regrole, prosecdef, proconfig::text, md5(prosrc) FROM pg_proc p
         WHERE pronamespace IN ('public'::regnamespace, 'private'::regnamespace) ORDER BY 1::text",
    ),
    (
        "grants on functions",
        "SELECT p.oid::regprocedure, a.grantee::regrole, a.privilege_type, a.is_grantable FROM pg_proc p,
         aclexplode(coalesce(proacl, acldefault('f', proowner))) a
         WHERE pronamespace IN ('public'::regnamespace, 'private'::regnamespace) ORDER BY 1::text, 2::text, 3",
    ),
    (
        "default privileges",
        "SELECT defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, a.grantee::regrole, a.privilege_type
         FROM pg_default_acl, aclexplode(defaclacl) a ORDER BY 1::text, 2::text, 3, 4::text, 5",
    ),
    (
        "users",
        "SELECT id, email, encrypted_password, raw_app_meta_data, banned_until, confirmed_at FROM auth.users ORDER BY 1",
    ),
    (
        "what hangs on users",
        "SELECT 'identity', id::text FROM auth.identities UNION ALL SELECT 'session', id::text FROM auth.sessions
         UNION ALL SELECT 'factor', id || secret FROM auth.mfa_factors UNION ALL SELECT 'profile', id || display_name FROM public.profiles
         UNION ALL SELECT 'role', id || role::text FROM public.user_roles UNION ALL SELECT 'audit', id::text FROM public.role_audit ORDER BY 1, 2",
    ),
    ("stored objects", "SELECT id, bucket_id, name, owner, metadata, version FROM storage.objects ORDER BY bucket_id, name"),
    (
        "publications",
        "SELECT pubname, schemaname, tablename, attnames::text, rowfilter FROM pg_publication_tables ORDER BY 1, 2, 3",
    ),
];

/// Policies on the platform's tables, which only their owner may make on a server without the platform's hooks.
const THEIR_POLICIES: [&str; 6] = [
    "Avatars are public",
    "Change own avatar",
    "Organization documents",
    "Own avatar",
    "Listen to own topics",
    "Send to own topics",
];

/// A project that has nothing of a user yet.
fn project(world: &str) -> Cluster {
    let target = Cluster::start(15);
    target.load("fresh", world, &["stack"]);
    target
}

/// Restores onto a fresh project and says everything that is not as in the source.
fn fresh(source: &Cluster, world: &str, user: &str, snapshot: &Snapshot, place: &Path) -> Vec<String> {
    let (target, from) = (project(world), "targets_fresh");
    let done = restore(&target, user, "postgres", "fresh", snapshot, place);
    let mut wrong = done.findings();
    if !matches!(done.code, 0 | 3) {
        wrong.insert(0, format!("exit {}", done.code));
        if wrong.len() == 1 {
            // Nothing is there to be compared.
            return vec![done.said];
        }
    }
    if done.code == 3 && done.exceptions().is_empty() {
        wrong.push("exit 3 names no exception".into());
    }
    for (what, sql) in USERS_OWN {
        let (was, is) = (source.sql(from, sql), target.sql("fresh", sql));
        let lost = was.lines().filter(|l| !is.lines().any(|i| i == *l)).map(|l| format!("{what}: lost {l}"));
        let new = is.lines().filter(|l| !was.lines().any(|w| w == *l)).map(|l| format!("{what}: new {l}"));
        wrong.extend(lost.chain(new).take(8));
    }
    // Every row of the application and of its users, as fingerprints, over a session that may read everything.
    let rows = differences(snapshot, &target.look("fresh"));
    let schemas = ["public", "private", "auth", "storage"].map(|s| format!("rows of {s}."));
    let own = |d: &&String| schemas.iter().any(|p| d.starts_with(p)) && !d.contains("migrations");
    wrong.extend(rows.iter().filter(own).cloned());
    if census(&target, "fresh") != census(source, from) {
        wrong.push(format!("census {:?}, of the source {:?}", census(&target, "fresh"), census(source, from)));
    }
    wrong
}

/// How open a database is: lists of what anybody may reach.
fn census(cluster: &Cluster, database: &str) -> SecurityCensus {
    let spec = cluster.spec(database);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let session = Session::open(&spec, "stacksnap test").await.unwrap();
        stacksnap::pg::census::census(&session).await.unwrap()
    })
}

/// A project of its own cluster, whose roles are the fixture's alone.
fn app(world: &str, place: &Path) -> (Cluster, Snapshot) {
    let source = Cluster::start(15);
    let from = source.load("targets_fresh", world, &["stack", "app"]);
    let snapshot = source.create(&from, &place.join("snapshots"), 3, &[]);
    (source, snapshot)
}

#[test]
fn r28_to_r39_onto_a_fresh_project_as_superuser() {
    let place = tempfile::tempdir().unwrap();
    let (source, snapshot) = app("revoked", place.path());
    assert_eq!(fresh(&source, "revoked", "supabase_admin", &snapshot, place.path()), Vec::<String>::new());
}

#[test]
fn r28_to_r39_onto_a_fresh_project_as_postgres() {
    let place = tempfile::tempdir().unwrap();
    let (source, snapshot) = app("member", place.path());
    assert_eq!(fresh(&source, "member", "postgres", &snapshot, place.path()), Vec::<String>::new());
}

#[test]
fn r33_policies_that_this_role_may_not_make_are_named_and_never_skipped() {
    let place = tempfile::tempdir().unwrap();
    let (_source, snapshot) = app("revoked", place.path());
    let target = project("revoked");
    let done = restore(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    // Into an empty project everything else comes back; a policy among what does not is 13, and its table stays closed.
    let told = done.exceptions().join("\n");
    for policy in THEIR_POLICIES {
        assert!(told.contains(policy), "{policy}: {}", done.said);
    }
    assert_eq!(done.code, 13, "{}", done.said);
    let closed = "SELECT bool_and(relrowsecurity) FROM pg_class WHERE oid IN ('storage.objects'::regclass, 'realtime.messages'::regclass)";
    assert_eq!(target.sql("fresh", closed), "t");
}
