//! Every entry of a real archive, sent one by one into an empty database: the objects come back as they were.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::archive::dump;
use crate::support::sessions::{fixtures, fresh, open};
use stacksnap::model::connection::ConnSpec;
use stacksnap::model::inventory::{CatalogObject, Inventory};
use stacksnap::pg::catalog::inventory::inventory;
use stacksnap::pg::session::Session;
use stacksnap::pgtools::toc::{Entry, Toc};
use stacksnap::restore::entries::entry_sql::{owner_statement, session_statements};
use stacksnap::restore::entries::{Entries, EntryClass, Making, Pass};

/// What plain PostgreSQL does not let a superuser restore, by the entry.
const REFUSED: [(&str, &str); 1] =
    [("owner of EVENT TRIGGER log_ddl", "the owner of an event trigger must be a superuser")];

/// What differs afterwards, and why. Privileges, roles, values of sequences and what extensions made while they were
/// used (queues) are not compared: other files hold them.
const DIFFERS: [(&str, &str); 3] = [
    ("EVENT TRIGGER log_ddl: owner", "see REFUSED"),
    ("EXTENSION pgmq: owner", "an extension's owner is who creates it"),
    ("FK CONSTRAINT ri_disabled_parent_fkey on zoo.ri_disabled: definition", "pg_dump does not say that it is off"),
];
const NOT_COMPARED: [&str; 8] =
    ["ACL", "DATABASE", "DATABASE SETTING", "DEFAULT ACL", "ROLE", "ROLE MEMBERSHIP", "ROLE SETTING", "SEQUENCE SET"];

const DROP_SUBSCRIPTION: &str = "DROP SUBSCRIPTION IF EXISTS zoo_subscription";

/// Sends everything but rows, in the order in which pg_restore would. What was refused, by entry.
async fn replay(session: &Session, toc: &Toc, entries: &Entries<'_>) -> Vec<String> {
    for statement in session_statements(toc) {
        session.execute(&statement).await.unwrap();
    }
    let mut refused = Vec::new();
    for pass in [Pass::Main, Pass::Privileges, Pass::Last] {
        let wanted = |(e, class): &(&Entry, EntryClass)| {
            let makes = matches!(class, EntryClass::Object | EntryClass::Satellite(_));
            (makes || e.desc.word() == "MATERIALIZED VIEW DATA") && entries.pass(e) == pass
        };
        for (entry, _) in entries.all().filter(wanted) {
            let what = format!("{} {}", entry.desc, entry.tag);
            for statement in entries.statements(entry, session.version_num) {
                if let Err(error) = session.execute(&statement).await {
                    refused.push(format!("{what}: {error}"));
                }
            }
            if let Some(statement) = owner_statement(entry)
                && session.execute(&statement).await.is_err()
            {
                refused.push(format!("owner of {what}"));
            }
        }
    }
    refused
}

fn differences(source: &Inventory, target: &Inventory) -> Vec<String> {
    type Key<'a> = (&'a str, &'a str);
    let by_name = |inventory| -> BTreeMap<Key<'_>, &CatalogObject> {
        let inventory: &Inventory = inventory;
        let own = inventory.objects.iter().filter(|o| o.extension.is_none());
        let compared = own.filter(|o| !NOT_COMPARED.contains(&o.kind.word()));
        compared.map(|o| ((o.kind.word(), o.identity.as_str()), o)).collect()
    };
    let (was, is) = (by_name(source), by_name(target));
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let line = |key: &&Key<'_>| {
        let what = match (was.get(*key), is.get(*key)) {
            (Some(a), Some(b)) if a.definition != b.definition => "definition",
            (Some(a), Some(b)) if a.owner != b.owner => "owner",
            (Some(a), Some(b)) if a.extension != b.extension => "extension",
            (Some(_), Some(_)) => return None,
            (Some(_), None) => "lost",
            (None, _) => "new",
        };
        Some(format!("{} {}: {what}", key.0, key.1))
    };
    keys.iter().filter_map(line).collect()
}

/// Every object comes from an entry, or says why it does not; every entry comes from an object.
fn nothing_is_left_over(toc: &Toc, source: &Inventory, entries: &Entries<'_>, lost: &[&str]) {
    let mut used = BTreeSet::new();
    let mut missing = Vec::new();
    for object in &source.objects {
        match entries.making(object) {
            Making::Entries(found) => {
                assert!(found.windows(2).all(|pair| position(toc, pair[0]) < position(toc, pair[1])));
                used.extend(found.iter().map(|e| e.dump_id));
            }
            // The restore makes it from the inventory, and nothing is sent for it here.
            Making::NotNeeded(_) if entries.is_comment_beside(object) => {
                missing.push(format!("{} {}", object.kind, object.identity));
            }
            Making::NotNeeded(_) => {}
            Making::Missing => missing.push(format!("{} {}", object.kind, object.identity)),
        }
    }
    missing.sort();
    assert_eq!(missing, lost);
    let makes = |(e, class): &(&Entry, EntryClass)| match class {
        EntryClass::Object => true,
        // Parts of what is not in the archive: privileges on members of extensions.
        EntryClass::Satellite(main) => entries.entry(*main).is_some(),
        _ => e.desc.word() == "SEQUENCE SET",
    };
    let unused: Vec<_> = entries.all().filter(makes).filter(|(e, _)| !used.contains(&e.dump_id)).collect();
    assert!(unused.is_empty(), "{unused:#?}");
    for (entry, class) in entries.all().filter(|e| !makes(e)) {
        let known = class == EntryClass::Data || class == EntryClass::Preamble || entry.desc.word() == "ACL";
        assert!(known, "{} {} is {class:?}", entry.desc, entry.tag);
    }
}

/// Dumps a database, sends every entry into a new one, and compares. `differs`: as in [`DIFFERS`], exactly.
async fn comes_back(spec: &ConnSpec, target: &str, refusals: &[&str], differs: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let toc = dump(spec, &folder.path().join("dump"));
    let source = inventory(&open(spec).await).await.unwrap();
    let entries = Entries::new(&toc, &source).unwrap();
    let lost: Vec<&str> = differs.iter().filter_map(|what| what.strip_suffix(": lost")).collect();
    nothing_is_left_over(&toc, &source, &entries, &lost);

    // A database with a subscription cannot be dropped: a run that failed may have left one.
    let left = ConnSpec { database: target.into(), ..spec.clone() };
    if let Ok(session) = Session::open(&left, "stacksnap-test").await {
        session.execute(DROP_SUBSCRIPTION).await.unwrap();
    }
    let (target, session) = fresh(target).await;
    let refused = replay(&session, &toc, &entries).await;
    assert_eq!(refused, refusals);
    let restored = inventory(&open(&target).await).await.unwrap();
    session.execute(DROP_SUBSCRIPTION).await.unwrap();
    assert_eq!(differences(&source, &restored), differs);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fixtures_come_back_entry_by_entry() {
    let spec = fixtures();
    // Some builds have no extension for some of them.
    let all = inventory(&open(&spec).await).await.unwrap();
    let there = |what: &str| all.objects.iter().any(|o| what.starts_with(&format!("{} {}: ", o.kind, o.identity)));
    let mut differs: Vec<&str> = DIFFERS.iter().map(|(what, _)| *what).filter(|what| there(what)).collect();
    differs.sort_unstable();
    comes_back(&spec, "restore_entries", &REFUSED.map(|(what, _)| what), &differs).await;
}

/// Entries that leave their table, parts of partitions, and comments on what has no entry of its own.
const CORNERS: &str = r#"SET search_path = public;
    CREATE TABLE parent (id int PRIMARY KEY, note text DEFAULT 'x', gen int GENERATED ALWAYS AS (1) STORED, CHECK (id > 0));
    CREATE TABLE child (extra int CHECK (extra > 1)) INHERITS (parent); ALTER TABLE child ALTER note DROP DEFAULT;
    CREATE TABLE "a b" (c int); CREATE TABLE a (c regclass); ALTER TABLE "a b" ALTER c SET DEFAULT 1;
    CREATE TABLE "a b c" (d serial, e regclass DEFAULT 'a'::regclass); CREATE TABLE "only" ("only" serial PRIMARY KEY);
    CREATE TABLE part (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE SCHEMA other; CREATE TABLE other.part PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE "part 2" PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (id);
    CREATE TABLE part_2_0 PARTITION OF "part 2" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    CREATE INDEX part_at ON part (at); ALTER TABLE part_2_0 CLUSTER ON part_2_0_pkey;
    CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER on_part AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tf();
    ALTER TABLE other.part DISABLE TRIGGER on_part;
    CREATE TABLE pointing (part_id bigint, part_at date, n int, FOREIGN KEY (part_id, part_at) REFERENCES part);
    ALTER TABLE pointing ADD CONSTRAINT later CHECK (n > 0) NOT VALID;
    CREATE TABLE serials (a serial, b bigserial, c int);
    CREATE FUNCTION of_row(serials) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
    ALTER TABLE serials ADD CONSTRAINT cyclic CHECK (of_row(serials));
    CREATE VIEW grouped AS SELECT p.id, p.note, count(*) FROM parent p GROUP BY p.id; COMMENT ON VIEW grouped IS 'v';
    CREATE VIEW plain AS SELECT id FROM parent; ALTER VIEW plain ALTER id SET DEFAULT 3; COMMENT ON COLUMN plain.id IS 'c';
    CREATE MATERIALIZED VIEW full_one AS SELECT 1 AS a; CREATE MATERIALIZED VIEW empty_one AS SELECT 1 AS a WITH NO DATA;
    CREATE DOMAIN positive AS int CONSTRAINT above CHECK (VALUE > 0); COMMENT ON CONSTRAINT above ON DOMAIN positive IS 'd';
    CREATE TYPE pair AS (a int, "b c" int); COMMENT ON COLUMN pair."b c" IS 'of a type'; COMMENT ON TYPE pair IS 'a type';
    CREATE TYPE spans AS RANGE (SUBTYPE = int, MULTIRANGE_TYPE_NAME = "many S"); COMMENT ON FUNCTION "many S"() IS 'made with it';
    COMMENT ON FUNCTION spans(int, int) IS 'too'; COMMENT ON TYPE "many S" IS 'it''s'; COMMENT ON TYPE _pair IS 'of an array';
    COMMENT ON TYPE child IS 'of rows';
    COMMENT ON INDEX parent_pkey IS 'index of a key'; COMMENT ON CONSTRAINT parent_pkey ON parent IS 'a key';
    COMMENT ON CONSTRAINT parent_id_check ON parent IS 'a check'; COMMENT ON COLUMN "a b".c IS E'c
\! x';
    COMMENT ON RULE "_RETURN" ON plain IS 'a rule';
    ALTER TABLE parent FORCE ROW LEVEL SECURITY; ALTER TABLE child ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON child USING (true); CREATE RULE ignore AS ON DELETE TO serials DO INSTEAD NOTHING;
    CREATE FUNCTION plus(pair, pair) RETURNS pair LANGUAGE sql AS 'SELECT $1';
    CREATE OPERATOR === (FUNCTION = plus, LEFTARG = pair, RIGHTARG = pair, COMMUTATOR = ====);
    CREATE FOREIGN DATA WRAPPER w; CREATE SERVER "s v" FOREIGN DATA WRAPPER w;
    CREATE USER MAPPING FOR PUBLIC SERVER "s v"; CREATE USER MAPPING FOR CURRENT_USER SERVER "s v";
    CREATE FOREIGN TABLE far (a int DEFAULT 3) SERVER "s v"; CREATE PUBLICATION pub FOR TABLE parent, ONLY child;
    SELECT lo_create(0), lo_create(0), lo_create(0); CREATE STATISTICS st ON a, b FROM serials;
    ALTER SCHEMA public OWNER TO CURRENT_USER; COMMENT ON SCHEMA public IS 'ours';"#;

#[tokio::test(flavor = "multi_thread")]
async fn corners_come_back_entry_by_entry() {
    let (spec, session) = fresh("restore_entries_corners").await;
    session.execute(CORNERS).await.unwrap();
    drop(session);
    // pg_dump does not write these: the restore makes them from the inventory.
    let lost = [
        "COMMENT function public.\"many S\"(): lost",
        "COMMENT function public.spans(integer,integer): lost",
        "COMMENT rule \"_RETURN\" on public.plain: lost",
        "COMMENT type public.\"many S\": lost",
        "COMMENT type public.child: lost",
        "COMMENT type public.pair[]: lost",
    ];
    comes_back(&spec, "restore_entries_corners_2", &[], &lost).await;
}

fn position(toc: &Toc, entry: &Entry) -> usize {
    toc.entries.iter().position(|e| e.dump_id == entry.dump_id).unwrap()
}
