//! Threat 5: a snapshot that this root did not seal runs nothing here, unless somebody answers for it.

mod forger;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::commands::{contents, restore, snapshot, undo};
use crate::support::{Access, Database, Place, Ran, alone, server};
use forger::{copy, hash_again, swap_rows};

const DAMAGE: &str = "DROP TABLE app.notes; UPDATE public.people SET name = 'x' WHERE id < 10";

/// What `restore` says of the snapshot, as a plan and in earnest; the target stays as it is.
#[track_caller]
fn refused(place: &Place, database: &Database, snapshot: &Path, args: &[&str], words: &[&str]) -> String {
    let before = contents(database);
    let earnest: &[&str] = &["--confirm", &database.name];
    let mut said = String::new();
    for more in [&["--dry-run"][..], earnest] {
        let ran = Ran::of(&mut restore(place, database.access(), snapshot.to_str().unwrap(), &[args, more].concat()));
        assert_eq!(ran.code, 13, "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word}: {ran:?}");
        }
        said = ran.stderr;
    }
    assert_eq!(contents(database), before);
    said
}

/// What `verify` says: exit code, verdict and the codes of what it found.
fn verified(place: &Place, snapshot: &Path) -> (i32, Vec<String>) {
    let ran = Ran::of(place.bare(&["verify", "-o", "json"]).arg(snapshot));
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap();
    (ran.code, findings.iter().map(|f| f["code"].as_str().unwrap().to_string()).collect())
}

#[test]
fn threat_5_an_unsigned_or_foreign_snapshot_is_refused_before_anything_is_planned() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    let key = place.root().join(".stacksnap.key");
    let found = std::fs::metadata(&key).unwrap();
    assert_eq!((found.len(), found.permissions().mode() & 0o7777), (32, 0o600));
    assert_eq!(verified(&place, &folder), (0, vec![]));
    database.sql(DAMAGE);
    // Another root: it has no key, and then one of its own.
    let other = Place::new();
    let elsewhere = other.root().join(folder.file_name().unwrap());
    copy(&folder, &elsewhere);
    refused(
        &other,
        &database,
        &elsewhere,
        &[],
        &["nothing was written", "another key signed it", "--vouch", "--untrusted"],
    );
    assert!(!other.root().join("restores").exists(), "what was refused has no record");
    assert_eq!(verified(&other, &elsewhere), (0, vec!["foreign_signature".to_string()]));
    let drill = Ran::of(other.bare(&["drill"]).arg(&elsewhere).arg("--pg-bin").arg(&server().bin));
    assert_eq!(drill.code, 13, "a throw-away server runs it too: {drill:?}");
    let _theirs = snapshot(&other, &database, &[]);
    let said = refused(&other, &database, &elsewhere, &[], &[".stacksnap.key.OTHER"]);
    assert!(!said.contains("panicked"), "{said}");
    // The key of the first root, put beside: its snapshots are known here.
    std::fs::copy(&key, other.root().join(".stacksnap.key.first")).unwrap();
    assert_eq!(verified(&other, &elsewhere), (0, vec![]));
    let ran = Ran::of(&mut restore(&other, database.access(), elsewhere.to_str().unwrap(), &["--dry-run"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    // No signature at all.
    std::fs::remove_file(elsewhere.join("manifest.sig")).unwrap();
    refused(&other, &database, &elsewhere, &[], &["no signature"]);
    assert_eq!(verified(&other, &elsewhere), (0, vec!["unsigned".to_string()]));
    let list = Ran::of(&mut other.bare(&["list", "-o", "json"]));
    assert_eq!(list.json()["snapshots"].as_array().unwrap().len(), 2, "keys are no snapshots: {list:?}");
}

#[test]
fn threat_5_somebody_who_hashes_everything_again_is_found_out() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    let good = place.dir.path().join("good");
    copy(&folder, &good);
    database.sql(DAMAGE);
    let wrong = |forge: &dyn Fn(&Path)| {
        std::fs::remove_dir_all(&folder).unwrap();
        copy(&good, &folder);
        forge(&folder);
        assert_eq!(verified(&place, &folder).0, 13);
        assert!(verified(&place, &folder).1.contains(&"wrong_signature".to_string()));
        refused(&place, &database, &folder, &[], &["nothing was written", "wrong_signature"]);
        // Not even with somebody's word, or behind the fence.
        let manifest = stacksnap::snapshot::manifest_file::read_manifest(&folder).unwrap();
        refused(&place, &database, &folder, &["--vouch", &manifest.manifest_sha256], &["wrong_signature"]);
        refused(&place, &database, &folder, &["--untrusted"], &["wrong_signature"]);
    };
    // One byte of the manifest; one of a file that a restore runs; rows of two tables that change places.
    wrong(&|folder| hash_again(folder, |manifest| manifest.duration_ms += 1));
    wrong(&|folder| {
        let file = folder.join("rls_policies_complete.sql");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("person < 10", "person > 10", 1)).unwrap();
        hash_again(folder, |_| {});
    });
    wrong(&|folder| {
        swap_rows(folder, "public.people", "app.notes");
        hash_again(folder, |_| {});
    });
    wrong(&|folder| std::fs::write(folder.join("manifest.sig"), "{}").unwrap());
    // What it was is still good.
    std::fs::remove_dir_all(&folder).unwrap();
    copy(&good, &folder);
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--confirm", &database.name, "--no-proof"]));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn threat_5_an_older_snapshot_is_not_taken_for_a_newer_one() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let older = snapshot(&place, &database, &[]);
    database.sql("UPDATE public.people SET name = 'new' WHERE id < 10");
    let newer = snapshot(&place, &database, &[]);
    let good = place.dir.path().join("good");
    copy(&newer, &good);
    let fresh = || {
        std::fs::remove_dir_all(&newer).unwrap();
        copy(&good, &newer);
    };
    // The records alone: they are not those of the files.
    for file in ["manifest.json", "SHA256SUMS", "manifest.sig"] {
        std::fs::copy(older.join(file), newer.join(file)).unwrap();
    }
    refused(&place, &database, &newer, &[], &["nothing was written"]);
    // All of it, under the newer one's name.
    std::fs::remove_dir_all(&newer).unwrap();
    copy(&older, &newer);
    refused(&place, &database, &newer, &[], &["wrong_signature", "name of another snapshot"]);
    refused(&place, &database, &place.root().join("comprehensive_backup_LATEST"), &[], &["wrong_signature"]);
    // With the newer one's signature.
    std::fs::copy(good.join("manifest.sig"), newer.join("manifest.sig")).unwrap();
    refused(&place, &database, &newer, &[], &["wrong_signature"]);
    fresh();
    // A copy under a name of its own is what it was.
    let copied = place.dir.path().join("copy of it");
    copy(&newer, &copied);
    assert_eq!(verified(&place, &copied), (0, vec![]));
}

#[test]
fn somebody_vouches_for_one_manifest() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    std::fs::remove_file(folder.join("manifest.sig")).unwrap();
    database.sql(DAMAGE);
    let shown = Ran::of(place.bare(&["show", "-o", "json"]).arg(&folder)).json();
    let sha256 = shown["snapshot"]["manifest_sha256"].as_str().unwrap().to_string();
    let said = refused(&place, &database, &folder, &[], &[]);
    assert!(said.contains(&format!("--vouch {}", &sha256[..12])), "{said}");
    refused(&place, &database, &folder, &["--vouch", "0123456789ab"], &["--vouch 0123456789ab", &sha256[..12]]);
    for no_digits in ["0123456789", "latest-latest", ""] {
        let ran = Ran::of(&mut restore(&place, database.access(), "latest", &["--dry-run", "--vouch", no_digits]));
        assert_eq!(ran.code, 64, "{ran:?}");
    }
    let yes = ["--confirm", database.name.as_str(), "--vouch", &sha256[..16]];
    let ran = Ran::of(&mut restore(
        &place,
        database.access(),
        folder.to_str().unwrap(),
        &[&yes[..], &["-o", "json"]].concat(),
    ));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT count(*) FROM app.notes"), "400");
    // The safety snapshot is ours by itself.
    let id = ran.json()["id"].as_str().unwrap().to_string();
    let ran = Ran::of(&mut undo(&place, database.access(), &id, &["--confirm", &database.name]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT to_regclass('app.notes') IS NULL"), "t");
}

#[test]
fn threat_1_rows_are_read_from_no_file_but_the_snapshots_own() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    database.sql(DAMAGE);
    std::fs::write(place.root().join("secret.dat"), "1\tcanary\n\\.\n\n\n").unwrap();
    hash_again(&folder, |manifest| {
        for table in &mut manifest.tables {
            table.data_file = Some("complete_database_with_data.dump/../../secret.dat".into());
        }
    });
    std::fs::remove_file(folder.join("manifest.sig")).unwrap();
    let manifest = stacksnap::snapshot::manifest_file::read_manifest(&folder).unwrap();
    refused(&place, &database, &folder, &["--vouch", &manifest.manifest_sha256], &["a file that it does not list"]);
}

#[test]
fn a_key_that_others_can_read_is_no_key() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    let key = place.root().join(".stacksnap.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    for mut command in [
        place.create(database.access(), &[]),
        restore(&place, database.access(), folder.to_str().unwrap(), &["--dry-run", "-o", "json"]),
    ] {
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, 78, "{ran:?}");
        assert!(ran.error().contains("chmod 600"), "{ran:?}");
    }
    assert_eq!(place.entries().len(), 2, "nothing was begun: {:?}", place.entries());
}

/// What a stranger's database might hold beside tables.
const STRANGE: &str = "CREATE TYPE public.mood AS ENUM ('good', 'bad');
    CREATE TABLE public.days (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood public.mood DEFAULT 'good' CHECK (id > 0), \
        twice int GENERATED ALWAYS AS (id * 2) STORED);
    INSERT INTO public.days (mood) SELECT 'bad' FROM generate_series(1, 50);
    CREATE INDEX odd ON public.days (twice) WHERE id > 3; COMMENT ON TABLE public.days IS 'it''s; COMMIT; days';
    CREATE VIEW public.bad_days AS SELECT * FROM public.days WHERE mood = 'bad';
    CREATE FUNCTION public.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER touched BEFORE UPDATE ON public.days FOR EACH ROW EXECUTE FUNCTION public.touched();
    CREATE FUNCTION public.atom(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT CASE WHEN a > 1 THEN 2 END; END;
    CREATE FUNCTION public.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
    CREATE FUNCTION public.plus(int, int) RETURNS int LANGUAGE internal STRICT IMMUTABLE AS 'int4pl';
    CREATE TABLE public.needs_plus (id int DEFAULT public.plus(1, 2)); INSERT INTO public.needs_plus DEFAULT VALUES;
    CREATE VIEW public.summed AS SELECT public.plus(id, id) AS n FROM public.days;
    CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
    CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.watch();
    CREATE EXTENSION dblink; CREATE SERVER elsewhere FOREIGN DATA WRAPPER dblink_fdw;
    CREATE EXTENSION pg_trgm; CREATE INDEX likeness ON public.people USING gin (name gin_trgm_ops);
    CREATE PUBLICATION everything FOR ALL TABLES; SELECT lo_from_bytea(4711, 'large');
    GRANT SELECT ON public.days TO PUBLIC";

fn scratch<'a>(name: &'a str, database: &'a Database) -> Access<'a> {
    Access { user: name, ..database.access() }
}

#[test]
fn threat_5_untrusted_brings_tables_and_rows_as_a_role_without_rights() {
    let _roles = alone();
    let (place, source) = (Place::new(), server().small());
    source.sql(STRANGE);
    let folder = snapshot(&place, &source, &[]);
    let folder = folder.to_str().unwrap();
    std::fs::remove_file(place.root().join(".stacksnap.key")).unwrap();
    let role = format!("scratch_{}", std::process::id());
    server().sql("postgres", &format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", server().password));
    let target = server().database(&format!("TEMPLATE template0 OWNER {role}"));
    let empty = contents(&target);
    let args = ["--untrusted", "--confirm", &target.name];
    // As a superuser, as a role that could become one, into a database that is not empty: nothing is written.
    let ran = Ran::of(&mut restore(&place, target.access(), folder, &args));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.stderr.contains("superuser") && ran.stderr.contains("createdb"), "{ran:?}");
    for group in ["pg_execute_server_program", "pg_read_server_files"] {
        server().sql("postgres", &format!("GRANT {group} TO {role}"));
        let ran = Ran::of(&mut restore(&place, scratch(&role, &target), folder, &args));
        assert_eq!(ran.code, 14, "{ran:?}");
        assert!(ran.stderr.contains(group), "{ran:?}");
        server().sql("postgres", &format!("REVOKE {group} FROM {role}"));
    }
    let ran = Ran::of(&mut restore(&place, source.access(), folder, &["--untrusted", "--confirm", &source.name]));
    assert_eq!(ran.code, 14, "{ran:?}");
    assert_eq!(contents(&target), empty);
    let ran = Ran::of(&mut restore(&place, scratch(&role, &target), folder, &["--untrusted", "--dry-run"]));
    assert!(ran.code == 0 && ran.stdout.contains("EVENT TRIGGER watch"), "{ran:?}");
    // As it should be.
    let ran = Ran::of(&mut restore(&place, scratch(&role, &target), folder, &[&args[..], &["-o", "json"]].concat()));
    let report = ran.json();
    assert_eq!(ran.code, 3, "equal but for what is named: {ran:?}");
    for (table, rows) in
        [("public.people", "500"), ("app.notes", "400"), ("public.days", "50"), ("public.bad_days", "50")]
    {
        assert_eq!(target.sql(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    assert_eq!(target.sql("SELECT n FROM public.summary"), "500");
    assert_eq!(target.sql("SELECT public.greet('x') || public.atom(7)"), "hello x2");
    assert_eq!(target.sql("INSERT INTO public.days DEFAULT VALUES RETURNING id"), "51");
    let owner = "SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'app')";
    assert_eq!(target.sql(owner), role);
    let rest = "SELECT (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = prolang \
        WHERE lanname IN ('c', 'internal') AND pronamespace = 'public'::regnamespace \
        AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')), \
        (SELECT count(*) FROM pg_extension WHERE extname NOT IN ('plpgsql', 'pg_trgm')), (SELECT count(*) FROM pg_foreign_server), \
        (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_policy)";
    assert_eq!(target.sql(rest), "0|0|0|0|0|0|0");
    assert_eq!(
        target.sql("SELECT count(*) FROM pg_indexes WHERE indexname IN ('likeness', 'odd', 'people_pkey')"),
        "3"
    );
    let named: Vec<&str> =
        report["exceptions"].as_array().unwrap().iter().map(|e| e["what"].as_str().unwrap()).collect();
    for what in [
        "the SQL files of the snapshot",
        "EVENT TRIGGER watch",
        "FUNCTION public.handler()",
        "FUNCTION public.plus(integer,integer)",
        "TABLE public.needs_plus",
        "VIEW public.summed",
        "extension dblink",
        "SERVER elsewhere",
        "PUBLICATION everything",
        "POLICY own on app.notes",
    ] {
        assert!(named.contains(&what), "{what}: {named:?}");
    }
    drop(target);
    server().sql("postgres", &format!("DROP ROLE {role}"));
}
