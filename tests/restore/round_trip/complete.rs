//! A source of which nothing is missing: with its stored files and with vault secrets sealed, `create` says complete.

use std::io::Read;
use std::path::Path;

use serde_json::Value;
use stacksnap::model::manifest::SnapshotKind;

use super::project;
use crate::support::{Cluster, Snapshot, ok};

/// Below `root`: each object's file at its version, with the attributes that a storage service sets.
fn stored_files(server: &Cluster, database: &str, root: &Path) -> u64 {
    let sql = "SELECT json_agg(json_build_array(bucket_id, name, version, coalesce((metadata ->> 'size')::int, 5))) FROM storage.objects";
    let objects: Vec<(String, String, Option<String>, usize)> =
        serde_json::from_str(&server.sql(database, sql)).unwrap();
    for (bucket, name, version, size) in &objects {
        let mut place = root.join("stub/stub").join(bucket).join(name);
        if let Some(version) = version {
            place.push(version);
        }
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, "x".repeat(*size)).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        let _ = rustix::fs::setxattr(&place, "user.supabase.content-type", b"image/png", flags);
    }
    objects.len() as u64
}

fn unsealed(snapshot: &Snapshot, key: &age::x25519::Identity) -> Vec<String> {
    let sealed = std::fs::read(snapshot.folder.join("extension_state/vault_secrets.json.age")).unwrap();
    let decryptor = age::Decryptor::new(&sealed[..]).unwrap();
    let mut plain = String::new();
    decryptor.decrypt(std::iter::once(key as &dyn age::Identity)).unwrap().read_to_string(&mut plain).unwrap();
    let document: Value = serde_json::from_str(&plain).unwrap();
    let secrets = document["secrets"].as_array().unwrap().iter();
    let mut secrets: Vec<String> = secrets.map(|s| s["secret"].as_str().unwrap().to_string()).collect();
    secrets.sort();
    secrets
}

/// The folder holds `comprehensive_backup_<label>` and `_LATEST`, links to the snapshot.
fn points_to(root: &Path, link: &str, snapshot: &Snapshot) {
    let target = std::fs::read_link(root.join(link)).unwrap_or_else(|e| panic!("{link}: {e}"));
    assert_eq!(target, Path::new(snapshot.folder.file_name().unwrap()), "{link}");
}

#[test]
fn nothing_is_missing_with_files_and_a_seal() {
    let server = crate::support::server();
    let database = server.load("round_complete", "revoked", &["stack", "app"]);
    // A name with `..` in it is refused for good, see `storage_files`.
    server.sql(&database, "SET session_replication_role = replica; DELETE FROM storage.objects WHERE name LIKE '%..%'");
    let place = tempfile::tempdir().unwrap();
    let (root, store, config) =
        (place.path().join("b"), place.path().join("store"), place.path().join("stacksnap.toml"));
    let files = stored_files(&server, &database, &store);
    let key = age::x25519::Identity::generate();
    let sealed = format!("schema = 1\n[snapshot]\nseal_recipients = [\"{}\"]\n", key.to_public());
    std::fs::write(&config, sealed).unwrap();
    let with = |code: i32, more: &[&str]| {
        let store = ["--config", config.to_str().unwrap(), "--storage-dir", store.to_str().unwrap()];
        server.create(&database, &root, code, &[&store[..], &["--project-dir", &project()], more].concat())
    };

    let snapshot = with(0, &["--label", "BEFORE_IT"]);
    assert!(snapshot.manifest.complete, "{:?}", snapshot.gaps());
    assert_eq!(snapshot.gaps(), Vec::<String>::new());
    snapshot.is_good();
    for link in ["comprehensive_backup_LATEST", "comprehensive_backup_BEFORE_IT"] {
        points_to(&root, link, &snapshot);
    }
    let of_files = snapshot.manifest.artifacts.iter().filter(|a| a.path.starts_with("storage/files/")).count() as u64;
    assert_eq!(of_files, files);
    let plain = server.sql(
        &database,
        "SELECT json_agg(decrypted_secret ORDER BY decrypted_secret COLLATE \"C\") FROM vault.decrypted_secrets",
    );
    assert_eq!(unsealed(&snapshot, &key), serde_json::from_str::<Vec<String>>(&plain).unwrap());
    for artifact in snapshot.manifest.artifacts.iter().filter(|a| !a.path.ends_with(".gz")) {
        let bytes = std::fs::read(snapshot.folder.join(&artifact.path)).unwrap();
        let leaks = bytes.windows(22).any(|w| w == b"sk_live_stripe_fixture");
        assert!(!leaks, "{} holds a vault secret", artifact.path);
    }
    less_than_everything(&snapshot, &root, &with);
    server.drop_database(&database);
}

type Create<'a> = dyn Fn(i32, &[&str]) -> Snapshot + 'a;

/// What was asked for less than everything says so, and does not become the latest.
fn less_than_everything(whole: &Snapshot, root: &Path, create: &Create<'_>) {
    for (code, more) in [
        (0, &["--only", "users,policies"][..]),
        (0, &["--skip", "csv,readable_sql"]),
        (0, &["-t", "public.profiles", "-t", "public.invo*"]),
    ] {
        let part = create(code, more);
        let text = std::fs::read_to_string(part.folder.join("BACKUP_MANIFEST.md")).unwrap();
        assert!(!part.manifest.complete && part.manifest.kind == SnapshotKind::Partial, "{more:?}");
        assert!(text.to_lowercase().contains("partial"), "{more:?}: {text}");
        part.is_good();
        points_to(root, "comprehensive_backup_LATEST", whole);
    }
    let part = create(0, &["-t", "public.profiles"]);
    assert_eq!(part.manifest.tables.iter().map(|t| t.name.plain()).collect::<Vec<_>>(), ["public.profiles"]);

    let without = create(3, &["--exclude-data", "public.invoice*"]);
    assert!(!without.manifest.complete);
    let gaps = without.gaps();
    assert!(!gaps.is_empty() && gaps.iter().all(|g| g.starts_with("rows_excluded public.invoice")), "{gaps:?}");
    let left: Vec<_> =
        without.manifest.tables.iter().filter(|t| t.name.plain().starts_with("public.invoice")).collect();
    assert!(left.is_empty(), "{left:?}");
    points_to(root, "comprehensive_backup_LATEST", whole);
}

/// A pg_dump that leaves out a kind of object and says that all is well.
#[test]
fn a_kind_that_the_archive_lacks_is_a_gap() {
    use std::os::unix::fs::PermissionsExt;
    let server = crate::support::server();
    let database = server.empty("round_short");
    server.sql(&database, "CREATE TABLE t AS SELECT 1; CREATE PUBLICATION told FOR TABLE t");
    let place = tempfile::tempdir().unwrap();
    let bin = place.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in ["pg_restore", "psql", "pg_dumpall"] {
        std::os::unix::fs::symlink(server.bin.join(program), bin.join(program)).unwrap();
    }
    let real = server.bin.join("pg_dump");
    let script = format!(
        "#!/bin/sh\ncase $1 in --version) exec '{0}' --version;; esac\nexec '{0}' --no-publications \"$@\"\n",
        real.display()
    );
    std::fs::write(bin.join("pg_dump"), script).unwrap();
    std::fs::set_permissions(bin.join("pg_dump"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let short = server.create(&database, &place.path().join("b"), 3, &["--pg-bin", bin.to_str().unwrap()]);
    assert!(!short.manifest.complete);
    assert_eq!(short.gaps(), ["coverage_disagrees PUBLICATION", "coverage_disagrees PUBLICATION TABLE"]);
    server.drop_database(&database);
}

/// pg_dump is the only reader of rows: CSV, SQL, users and fingerprints come from its files.
#[test]
fn each_table_is_read_once() {
    let server = crate::support::server();
    let database = server.load("round_once", "revoked", &["stack", "app"]);
    let place = tempfile::tempdir().unwrap();
    let count = || {
        // Sessions report when they end; those of the run have ended.
        let sql = "SELECT json_object_agg(relid::regclass, seq_scan) FROM pg_stat_user_tables s \
            JOIN pg_class c ON c.oid = relid WHERE schemaname = 'public' AND relkind = 'r'";
        let seen: std::collections::BTreeMap<String, u64> = serde_json::from_str(&server.sql(&database, sql)).unwrap();
        seen
    };
    std::thread::sleep(std::time::Duration::from_millis(300));
    let before = count();
    server.create(&database, &place.path().join("b"), 3, &[]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let after = count();
    assert!(before.len() >= 20);
    // Stored generated columns are in no dump: their tables are read once more for them.
    let computed = server.sql(
        &database,
        "SELECT DISTINCT attrelid::regclass FROM pg_attribute WHERE attgenerated = 's' AND attrelid >= 16384",
    );
    for (table, scans) in &before {
        let reads = if computed.lines().any(|name| name == table) { 2 } else { 1 };
        assert_eq!(after[table], scans + reads, "{table}");
    }
    server.drop_database(&database);
}

/// Data files are several gzip members, one a chunk: each client takes them as one stream.
#[test]
fn every_client_reads_the_archive() {
    let server = crate::support::server();
    let database = server.empty("round_members");
    server.sql(
        &database,
        "CREATE TABLE rows AS SELECT n, md5(n::text) AS a, md5((n + 1)::text) AS b FROM generate_series(1, 60000) n",
    );
    let place = tempfile::tempdir().unwrap();
    let snapshot = server.create(&database, &place.path().join("b"), 0, &["--only", "archive"]);
    let table = &snapshot.manifest.tables[0];
    let packed = std::fs::read(snapshot.folder.join(table.data_file.as_ref().unwrap())).unwrap();
    let mut first = flate2::bufread::GzDecoder::new(&packed[..]);
    first.read_to_end(&mut Vec::new()).unwrap();
    assert!(!first.into_inner().is_empty(), "one member is no proof");
    for major in [15, 16, 18] {
        let bin = crate::support::client(major);
        let mut restore = server.command(&bin.join("pg_restore"), &database);
        let printed =
            ok(restore.args(["--data-only", "-f", "-"]).arg(snapshot.folder.join("complete_database_with_data.dump")));
        let rows = printed.split("FROM stdin;\n").nth(1).unwrap().split("\\.\n").next().unwrap();
        let mut fingerprint = stacksnap::model::fingerprint::TableFingerprint::new();
        rows.lines().for_each(|line| fingerprint.add(line.as_bytes()));
        assert_eq!(
            (fingerprint.rows, fingerprint.hex()),
            (table.rows, table.fingerprint.clone()),
            "pg_restore {major}"
        );
    }
    server.drop_database(&database);
}
