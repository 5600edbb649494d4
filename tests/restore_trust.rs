//! Threat 5: a snapshot that this root did not seal runs nothing here, unless somebody answers for it.
#![allow(clippy::disallowed_methods)]

#[path = "restore_trust/forger.rs"]
mod forger;
#[path = "restore_cli_support/mod.rs"]
mod restore_cli_support;
mod take_support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use forger::{copy, hash_again, swap_rows};
use restore_cli_support::{contents, restore, snapshot, undo};
use take_support::{Database, Place, Ran, alone_with_roles, server};

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
    let _roles = alone_with_roles();
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
        &["nothing was written", "signature of another", "--vouch", "--untrusted"],
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
    let _roles = alone_with_roles();
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
        let manifest = stacksnap::archive::manifest_file::read_manifest(&folder).unwrap();
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
    let _roles = alone_with_roles();
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
    let _roles = alone_with_roles();
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
fn a_key_that_others_can_read_is_no_key() {
    let _roles = alone_with_roles();
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
