//! What happens to each secret, tested without a server.

use super::*;
use crate::model::secret::Secret;

const ALL: Rights = Rights { writes: true, calls: true };
const PLATFORM: Rights = Rights { writes: false, calls: true };

fn held(id: &str, name: &str, value: Option<&str>) -> Held {
    Held {
        id: id.into(),
        name: (!name.is_empty()).then(|| name.to_string()),
        description: "d".into(),
        value: value.map(Secret::new),
        row: None,
    }
}

fn with_row(mut held: Held, ciphertext: &str) -> Held {
    held.row = serde_json::json!({"id": held.id, "secret": ciphertext, "nonce": "n"}).as_object().cloned();
    held
}

fn found(id: &str, name: &str, value: Option<&str>) -> Found {
    Found {
        id: id.into(),
        name: (!name.is_empty()).then(|| name.to_string()),
        description: "d".into(),
        ciphertext: format!("c{}", value.unwrap_or("?")),
        nonce: Some("n".into()),
        value: value.map(Secret::new),
    }
}

/// Steps, exception codes, and ids of extra secrets.
fn told(
    held: &[Held],
    seal: SecretValues,
    live: Vec<Found>,
    rights: Rights,
    kind: TargetKind,
) -> (Vec<Step>, Vec<String>, Vec<String>) {
    let vault = Vault { secrets: None, seal };
    let work = compare(held, &vault, Live::Readable(live, rights), kind);
    (
        work.items.iter().map(|i| i.step).collect(),
        work.exceptions.iter().map(|e| e.code.clone()).collect(),
        work.extra.iter().map(|f| f.id.clone()).collect(),
    )
}

#[test]
fn r13_with_its_value_a_secret_is_left_changed_or_made() {
    use Step::{Change, Leave, Make};
    let fresh = TargetKind::FreshProject;
    let snapshot = [held("1", "a", Some("x")), held("2", "b", Some("y")), held("3", "", Some("z"))];
    let (steps, codes, _) = told(&snapshot, SecretValues::Open, vec![], ALL, fresh);
    assert_eq!((steps, codes.len()), (vec![Make, Make, Make], 0));
    let (_, codes, _) = told(&snapshot, SecretValues::Open, vec![], PLATFORM, fresh);
    assert_eq!(codes, ["vault_secret_new_id"; 3], "it is said beforehand");
    // Matched by name, and without a name by value: a second restore has nothing to do.
    let again = vec![found("7", "a", Some("x")), found("8", "b", Some("other")), found("9", "", Some("z"))];
    let (steps, codes, extra) = told(&snapshot, SecretValues::Open, again, PLATFORM, fresh);
    assert_eq!((steps, codes.len(), extra.len()), (vec![Leave, Change, Leave], 0, 0));
    // A secret that cannot be decrypted counts as different.
    assert_eq!(told(&snapshot[..1], SecretValues::Open, vec![found("1", "a", None)], ALL, fresh).0, [Change]);
}

#[test]
fn in_place_what_came_later_goes_and_an_id_that_changed_is_told() {
    let same = TargetKind::SameDatabase;
    let snapshot = [held("1", "a", Some("x"))];
    let live = || vec![found("7", "a", Some("x")), found("9", "new", Some("q"))];
    assert_eq!(told(&snapshot, SecretValues::Open, live(), ALL, same), (vec![Step::Change], vec![], vec!["9".into()]));
    let told_platform = told(&snapshot, SecretValues::Open, live(), PLATFORM, same);
    assert_eq!(told_platform, (vec![Step::Leave], vec!["vault_secret_new_id".into()], vec!["9".into()]));
    let other = told(&snapshot, SecretValues::Open, live(), ALL, TargetKind::OtherDatabase);
    assert_eq!(other, (vec![Step::Leave], vec![], vec!["9".into()]), "the other project's own secrets go");
}

#[test]
fn without_a_key_it_is_named_unless_the_ciphertext_does() {
    let (same, fresh) = (TargetKind::SameDatabase, TargetKind::FreshProject);
    let snapshot = [with_row(held("1", "a", None), "cx")];
    let is = |seal, live, rights, kind| {
        let (steps, codes, _) = told(&snapshot, seal, live, rights, kind);
        (steps[0], codes.join(" "))
    };
    let there = || vec![found("1", "a", Some("x"))];
    let changed = || vec![found("1", "a", Some("other"))];
    for seal in [SecretValues::None, SecretValues::Shut] {
        assert_eq!(is(seal, there(), PLATFORM, same), (Step::Leave, String::new()), "it never left");
        assert_eq!(is(seal, changed(), ALL, same), (Step::Change, String::new()));
        assert_eq!(is(seal, vec![], ALL, same), (Step::Make, String::new()));
    }
    for live in [vec![], changed()] {
        assert_eq!(is(SecretValues::Shut, live.clone(), PLATFORM, same).1, "vault_secret_sealed");
        assert_eq!(is(SecretValues::None, live, PLATFORM, same).1, "vault_secrets_not_captured");
    }
    assert_eq!(is(SecretValues::Shut, vec![], ALL, fresh).1, "vault_secret_sealed", "another root key");
    assert_eq!(is(SecretValues::None, vec![], ALL, fresh).1, "", "the manifest's gap names it");
}

#[test]
fn a_vault_that_cannot_be_read_or_written_is_told() {
    let snapshot = [held("1", "a", Some("x"))];
    for live in [Live::Absent, Live::Unreadable] {
        let work = compare(&snapshot, &Vault::default(), live, TargetKind::FreshProject);
        assert_eq!(work.exceptions[0].code, "vault_secret_not_permitted");
    }
    let nothing = Rights { writes: false, calls: false };
    let (steps, codes, _) = told(&snapshot, SecretValues::Open, vec![], nothing, TargetKind::FreshProject);
    assert_eq!((steps[0], codes.join("")), (Step::Leave, "vault_secret_not_permitted".into()));
}
