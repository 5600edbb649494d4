//! Tests of doctor's checks, without a server.

use super::*;

fn found(major: u32, minor: u32) -> FoundClient {
    FoundClient { path: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/pg_dump")), major, minor }
}

#[test]
fn trap_11_the_client_of_the_servers_major_else_the_lowest_newer() {
    assert_eq!(client(15, &[found(18, 6), found(15, 18), found(16, 14)]).status, Status::Ok);
    let newer = client(15, &[found(18, 6), found(16, 14)]);
    assert_eq!(newer.status, Status::Warn);
    assert!(newer.what.contains("16.14"), "{}", newer.what);
    assert_eq!(client(16, &[found(15, 18)]).status, Status::Fail);
    assert_eq!(client(15, &[]).status, Status::Fail);
}

#[test]
fn threat_6_an_old_minor_fails() {
    let old = client(15, &[found(15, 17)]);
    assert_eq!(old.status, Status::Fail);
    assert!(old.todo.unwrap().contains("15.18"));
    assert_eq!(client(13, &[found(13, 23)]).status, Status::Warn);
    assert_eq!(client(19, &[found(19, 0)]).status, Status::Ok);
}

#[test]
fn the_transaction_pooler_is_refused() {
    let mut spec = ConnSpec {
        hosts: vec![(Host::Tcp("db.example".into()), 6543)],
        database: "postgres".into(),
        user: "postgres".into(),
        password: None,
        ..ConnSpec::default()
    };
    assert_eq!(pooler(&spec, &Surroundings::default()).status, Status::Fail);
    spec.hosts[0].1 = 5432;
    assert_eq!(pooler(&spec, &Surroundings::default()).status, Status::Ok);
    let forwarded = Surroundings { server_port: Some(5433), ..Surroundings::default() };
    assert_eq!(pooler(&spec, &forwarded).status, Status::Warn);
}

#[test]
fn a_root_that_does_not_exist_yet_is_measured_where_it_will_be() {
    let root = std::env::temp_dir().join("no/such/folder/yet");
    assert_eq!(disk(&root, 1).status, Status::Ok);
    assert_eq!(disk(&root, u64::MAX).status, Status::Fail);
    assert_eq!(disk(Path::new("supabase_backups"), 1).status, Status::Ok);
}

#[test]
fn what_is_not_fine_says_what_to_do() {
    let held = BlockingLock { held: true, pid: 7, table: "public.a".into(), user: "app".into(), seconds: 3 };
    let around = Surroundings { tables: 9_000, unlogged: vec!["net.q".into()], ..Surroundings::default() };
    let abilities = SourceAbilities { lock_slots: 6_400, ..SourceAbilities::default() };
    for check in [locks(&[held]), lock_table(&around, &abilities), bypass_rls(&abilities)] {
        assert!(check.status > Status::Ok && check.todo.is_some(), "{check:?}");
    }
}
