//! Tests of the decisions before and after a restore, without a server.

use super::check::Found;
use super::*;
use crate::model::load_reason::LoadReason;
use crate::model::name::QualifiedName;
use crate::model::restore::{Exception, ObjectName, Proof, SecurityCensus, TableLoad};

fn target(kind: TargetKind) -> TargetFacts {
    TargetFacts {
        kind,
        database: "shop".into(),
        user: "postgres".into(),
        host_sha256: "h".into(),
        system_identifier: Some("1".into()),
        database_oid: 5,
        server_version_num: 150_018,
        is_superuser: false,
        sets_replica_role: true,
        is_supabase: true,
    }
}

fn plan(kind: TargetKind) -> RestorePlan {
    RestorePlan {
        format: crate::model::manifest::FORMAT,
        snapshot: "s".into(),
        manifest_sha256: String::new(),
        target: target(kind),
        one_transaction: true,
        only: vec![],
        drop: vec![],
        replace: vec![],
        create: vec![],
        load: vec![],
        tables_equal: 0,
        tables_vouched: 0,
        leave_out: vec![],
        exceptions: vec![],
        manual: vec![],
        estimated_ms: 0,
        digest: String::new(),
    }
}

#[test]
fn an_empty_target_has_nothing_to_lose_and_every_other_has() {
    let object = ObjectName { kind: "TABLE".into(), identity: "public.t".into() };
    let load = |reason| TableLoad { table: QualifiedName::new("auth", "users"), rows: 1, bytes_raw: 1, reason };
    for kind in [TargetKind::Bare, TargetKind::FreshProject] {
        let mut empty = plan(kind);
        empty.create.push(object.clone());
        empty.load.push(load(LoadReason::New));
        assert!(!check::needs_safety(&empty));
        let several = RestorePlan { one_transaction: false, ..empty.clone() };
        assert!(check::needs_safety(&several), "an end halfway leaves something behind");
        let mut more = empty.clone();
        more.load.push(load(LoadReason::RowsDiffer { target_rows: 2 }));
        assert!(check::needs_safety(&more));
        for change in [|p: &mut RestorePlan, o| p.drop.push(o), |p: &mut RestorePlan, o| p.replace.push(o)] {
            let mut more = empty.clone();
            change(&mut more, object.clone());
            assert!(check::needs_safety(&more));
        }
    }
    for kind in [TargetKind::SameDatabase, TargetKind::OtherDatabase] {
        assert!(check::needs_safety(&plan(kind)));
    }
}

#[test]
fn undo_knows_its_target_again() {
    let there = target(TargetKind::SameDatabase);
    let with = |change: fn(&mut TargetFacts)| {
        let mut other = there.clone();
        change(&mut other);
        check::same_target(&there, &Found::of(&other)).err().map(|f| f.kind)
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|t| t.host_sha256 = "another way in".into()), None, "the identifier of the server decides");
    assert_eq!(with(|t| t.system_identifier = None), None, "one that is not told: the host decides");
    let refused = Some(FailureKind::NotConfirmed);
    assert_eq!(with(|t| t.system_identifier = Some("2".into())), refused);
    assert_eq!(with(|t| t.database_oid = 6), refused);
    assert_eq!(with(|t| t.database = "other".into()), refused);
    assert_eq!(with(|t| (t.system_identifier, t.host_sha256) = (None, "x".into())), refused);
}

#[test]
fn the_exit_code_follows_the_proof() {
    let mut report = RestoreReport {
        id: "restore_20260130_120005".into(),
        snapshot: "s".into(),
        target: target(TargetKind::Bare),
        plan_digest: String::new(),
        started_at: "2026-01-30T12:00:05Z".parse().unwrap(),
        duration_ms: 1,
        safety_snapshot: None,
        statements: 1,
        rows_loaded: 1,
        bytes_loaded: 1,
        exceptions: vec![],
        left_out: Vec::new(),
        manual: vec![],
        proof: None,
    };
    assert_eq!(exit_kind(&report, true), Some(FailureKind::NotProven));
    assert_eq!(exit_kind(&report, false), None);
    let proof = |verdict| Proof {
        verdict,
        findings: vec![],
        exceptions: vec![],
        probes: vec![],
        census_before: None,
        census_after: SecurityCensus::default(),
        objects_compared: 1,
        tables_compared: 1,
        rows_compared: 1,
        duration_ms: 1,
    };
    for (verdict, kind) in [
        (RestoreVerdict::Restorable, None),
        (RestoreVerdict::Except, Some(FailureKind::Partial)),
        (RestoreVerdict::Not, Some(FailureKind::Integrity)),
    ] {
        report.proof = Some(proof(verdict));
        assert_eq!(exit_kind(&report, true), kind);
    }
    report.proof = Some(proof(RestoreVerdict::Restorable));
    let exception = Exception { code: "extension_missing".into(), what: "x".into(), why: "y".into(), todo: "z".into() };
    report.exceptions.push(exception);
    assert_eq!(exit_kind(&report, true), Some(FailureKind::Partial));
}

#[test]
fn the_line_to_undo_holds_no_password() {
    let spec = ConnSpec {
        hosts: vec![(Host::Tcp("db.example".into()), 5432)],
        database: "a'b c".into(),
        user: "ann".into(),
        password: Some(crate::model::secret::Secret::new("canary")),
        ..ConnSpec::default()
    };
    let line = undo_command(&RestoreId::parse("restore_20260130_120005").unwrap(), &spec);
    assert!(!line.contains("canary"), "{line}");
    assert_eq!(target_words(&spec), r"host=db.example port=5432 user=ann dbname='a\'b c' sslmode=prefer");
    assert!(line.starts_with("stacksnap undo restore_20260130_120005 --to 'host=db.example "), "{line}");
}
