//! Every entry of a real archive, sent one by one into an empty database: the objects come back as they were.
#![allow(clippy::disallowed_methods)]

mod catalog_support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use catalog_support::{bin, fresh, loaded, open};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::inventory::{CatalogObject, Inventory};
use stacksnap::pg::catalog::inventory::inventory;
use stacksnap::pg::session::Session;
use stacksnap::pgtools::toc::{Entry, Toc};
use stacksnap::restore::entries::{Entries, EntryClass, Making, Pass};
use stacksnap::restore::entry_sql::{owner_statement, session_statements};

/// What plain PostgreSQL does not let a superuser restore, by the entry.
const REFUSED: [(&str, &str); 1] =
    [("owner of EVENT TRIGGER log_ddl", "the owner of an event trigger must be a superuser")];

/// What differs afterwards, and why. Privileges, roles and values of sequences are not compared: other files hold them.
const DIFFERS: [(&str, &str); 6] = [
    ("EVENT TRIGGER log_ddl: owner", "see REFUSED"),
    ("EXTENSION pgmq: owner", "an extension's owner is who creates it"),
    ("COLLATION zoo.like_c: definition", "CREATE COLLATION takes the database's encoding"),
    ("FK CONSTRAINT ri_disabled_parent_fkey on zoo.ri_disabled: definition", "pg_dump does not say that it is off"),
    ("USER MAPPING public on server zoo_server: definition", "pg_dump writes options by name"),
    ("USER MAPPING supabase_admin on server zoo_postgres: definition", "pg_dump writes options by name"),
];
const NOT_COMPARED: [&str; 8] =
    ["ACL", "DATABASE", "DATABASE SETTING", "DEFAULT ACL", "ROLE", "ROLE MEMBERSHIP", "ROLE SETTING", "SEQUENCE SET"];

fn dump(spec: &ConnSpec, folder: &Path) -> Toc {
    let (Host::Tcp(host), port) = &spec.hosts[0] else { panic!("a TCP host is needed") };
    let mut command = Command::new(bin("pg_dump"));
    command.args(["-Fd", "-f"]).arg(folder).env("PGHOST", host).env("PGPORT", port.to_string());
    command.env("PGUSER", &spec.user).env("PGDATABASE", &spec.database);
    command.env("PGPASSWORD", spec.password.as_ref().unwrap().reveal());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Toc::read(folder).unwrap()
}

/// Sends everything but rows, in the order in which pg_restore would. What was refused, by entry.
async fn replay(session: &Session, toc: &Toc, entries: &Entries<'_>) -> Vec<String> {
    for statement in session_statements(toc) {
        session.execute(&statement).await.unwrap();
    }
    let mut refused = Vec::new();
    for pass in [Pass::Main, Pass::Privileges, Pass::Last] {
        let wanted = |(e, class): &(&Entry, EntryClass)| {
            let makes = matches!(class, EntryClass::Object | EntryClass::Satellite(_));
            (makes || e.desc == "MATERIALIZED VIEW DATA") && entries.pass(e) == pass
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
        let compared = inventory.objects.iter().filter(|o| !NOT_COMPARED.contains(&o.kind.as_str()));
        compared.map(|o| ((o.kind.as_str(), o.identity.as_str()), o)).collect()
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

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_classified_and_makes_what_it_says() {
    let spec = loaded();
    let folder = tempfile::tempdir().unwrap();
    let toc = dump(&spec, &folder.path().join("dump"));
    let source = inventory(&open(&spec).await).await.unwrap();
    let entries = Entries::new(&toc, &source).unwrap();

    // Every object comes from an entry, or says why it does not; every entry comes from an object.
    let mut used = BTreeSet::new();
    let mut missing = Vec::new();
    for object in &source.objects {
        match entries.making(object) {
            Making::Entries(found) => {
                assert!(found.windows(2).all(|pair| position(&toc, pair[0]) < position(&toc, pair[1])));
                used.extend(found.iter().map(|e| e.dump_id));
            }
            Making::Within(_) => {}
            Making::Missing => missing.push(format!("{} {}", object.kind, object.identity)),
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let makes = |(e, class): &(&Entry, EntryClass)| match class {
        EntryClass::Object => true,
        // Parts of what is not in the archive: privileges on members of extensions.
        EntryClass::Satellite(main) => entries.entry(*main).is_some(),
        _ => e.desc == "SEQUENCE SET",
    };
    let unused: Vec<_> = entries.all().filter(makes).filter(|(e, _)| !used.contains(&e.dump_id)).collect();
    assert!(unused.is_empty(), "{unused:#?}");
    let loose: BTreeSet<_> =
        entries.all().filter(|e| !makes(e)).map(|(e, class)| (e.desc.as_str(), class == EntryClass::Data)).collect();
    for (desc, data) in loose {
        let known = ["ACL", "DATABASE", "DATABASE PROPERTIES", "ENCODING", "SEARCHPATH", "STDSTRINGS", "COMMENT"];
        assert!(data || known.contains(&desc), "{desc}");
    }

    let (target, session) = fresh("restore_entries").await;
    let refused = replay(&session, &toc, &entries).await;
    assert_eq!(refused, REFUSED.map(|(what, _)| what.to_string()));
    let restored = inventory(&open(&target).await).await.unwrap();
    let found: BTreeSet<String> = differences(&source, &restored).into_iter().collect();
    let expected: BTreeSet<String> = DIFFERS.iter().map(|(what, _)| (*what).to_string()).collect();
    let surprising: Vec<_> = found.difference(&expected).collect();
    assert!(surprising.is_empty(), "{surprising:#?}");
    session.execute("DROP SUBSCRIPTION IF EXISTS zoo_subscription").await.unwrap();
}

fn position(toc: &Toc, entry: &Entry) -> usize {
    toc.entries.iter().position(|e| e.dump_id == entry.dump_id).unwrap()
}
