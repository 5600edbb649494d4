//! Plans and reports name the objects that they touch, without control characters.

use super::*;
use crate::model::manifest::FORMAT;
use crate::model::name::QualifiedName;
use crate::model::restore::{Exception, ObjectName, TableLoad};
use crate::model::restore::{SecurityCensus, TargetFacts, TargetKind};

pub fn sample() -> RestorePlan {
    let object = |kind: &str, identity: &str| ObjectName { kind: kind.into(), identity: identity.into() };
    RestorePlan {
        format: FORMAT,
        snapshot: "comprehensive_backup_20260130_120005".into(),
        manifest_sha256: "a".repeat(64),
        target: TargetFacts {
            kind: TargetKind::SameDatabase,
            database: "shop".into(),
            user: "postgres".into(),
            host_sha256: "b".repeat(64),
            system_identifier: None,
            database_oid: 5,
            server_version_num: 150_018,
            is_superuser: false,
            sets_replica_role: true,
            is_supabase: true,
        },
        one_transaction: true,
        only: vec![],
        drop: vec![object("TABLE", "public.bad\n\u{1b}[2J")],
        replace: vec![object("POLICY", "own on public.orders")],
        create: vec![object("INDEX", "public.i"), object("INDEX", "public.j"), object("TABLE", "public.gone")],
        load: vec![TableLoad {
            table: QualifiedName::new("public", "gone"),
            rows: 1200,
            bytes_raw: 1500,
            reason: crate::model::load_reason::LoadReason::New,
        }],
        tables_equal: 22,
        tables_vouched: 0,
        leave_out: vec![],
        exceptions: vec![Exception {
            code: "extension_missing".into(),
            what: "extension pg_net".into(),
            why: "not on the target".into(),
            todo: "install it".into(),
        }],
        manual: vec!["set the JWT secret".into()],
        estimated_ms: 4200,
        digest: "d".repeat(64),
    }
}

#[test]
fn changes_are_told_from_the_side_of_the_command() {
    assert_eq!(
        changes(&sample()),
        "1 added (+), 3 removed (-), 1 changed (~), 1 table with other rows\n  \
         + TABLE public.bad\\u{a}\\u{1b}[2J\n  - INDEX public.i\n  - INDEX public.j\n  - TABLE public.gone\n  \
         ~ POLICY own on public.orders\n  ~ rows of public.gone: new (1,200 rows before)\n"
    );
    let nothing = RestorePlan { drop: vec![], replace: vec![], create: vec![], load: vec![], ..sample() };
    assert_eq!(changes(&nothing), "nothing changed in the database\n");
}

#[test]
fn equal_is_said_only_when_it_was_proved() {
    let sample = sample();
    let mut done = RestoreReport {
        id: "restore_20260130_120005".into(),
        snapshot: sample.snapshot.clone(),
        target: sample.target.clone(),
        plan_digest: sample.digest.clone(),
        started_at: "2026-01-30T12:00:05Z".parse().unwrap(),
        duration_ms: 900,
        safety_snapshot: Some("comprehensive_backup_20260130_120006".into()),
        statements: 12,
        rows_loaded: 3,
        bytes_loaded: 40,
        exceptions: vec![],
        left_out: Vec::new(),
        manual: vec![],
        proof: None,
    };
    for wanted in [true, false] {
        assert!(!report(&done, wanted, None).contains("equal"), "{wanted}");
    }
    let text = report(&done, true, Some("stacksnap undo restore_20260130_120005 --to 'host=h'"));
    assert!(text.contains("NOT proven") && text.contains("undo: stacksnap undo restore_"), "{text}");
    let mut proof = Proof {
        verdict: RestoreVerdict::Restorable,
        findings: vec![],
        exceptions: vec![],
        probes: vec![],
        census_before: None,
        census_after: SecurityCensus::default(),
        objects_compared: 10,
        tables_compared: 2,
        rows_compared: 3,
        duration_ms: 5,
    };
    done.proof = Some(proof.clone());
    assert!(report(&done, true, None).starts_with("✅ shop is equal to comprehensive_backup_"));
    proof.verdict = RestoreVerdict::Not;
    done.proof = Some(proof);
    assert!(report(&done, true, None).contains("NOT equal"));
}
