//! A network that lets nothing through any more and says nothing: a run ends, and a long answer is not taken for that.

use std::time::{Duration, Instant};

use crate::support::network::Slow;
use crate::support::{Database, Place, Ran, fill, server};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::failure::FailureKind;
use stacksnap::model::secret::Secret;
use stacksnap::pg::session::Session;

const AT_ONCE: u64 = u64::MAX;
/// Half a minute of silence, a look that gets no answer, and what it takes to end.
const BOUND: Duration = Duration::from_secs(100);

fn spec(database: &Database, port: u16) -> ConnSpec {
    let access = database.access();
    ConnSpec {
        hosts: vec![(Host::Tcp(access.host.into()), port)],
        database: access.database.into(),
        user: access.user.into(),
        password: Some(Secret::new(access.password)),
        connect_timeout: Some(Duration::from_secs(2)),
        silence: Some(Duration::from_secs(1)),
        ..ConnSpec::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_no_failure_and_a_lost_one_is() {
    let database = server().database("TEMPLATE template0");
    let relay = Slow::to(server().port, AT_ONCE);
    let session = Session::open(&spec(&database, relay.port), "stalled").await.unwrap();
    // Longer than several silences: a second session asks meanwhile, and hears that it works.
    session.execute("SELECT pg_sleep(5)").await.unwrap();
    session.execute("BEGIN").await.unwrap();
    let opened = relay.opened();
    assert!((2..8).contains(&opened), "{opened} connections");
    // A session that nobody asks anything is left alone, whatever the network does.
    relay.stall_open_ones();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!session.is_closed() && relay.opened() == opened);

    let clock = Instant::now();
    let failure = session.execute("SELECT 1").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.to_string().contains("no answer for"), "{failure}");
    assert!(failure.to_string().contains("the server has nothing to do for us"), "{failure}");
    assert!((1..30).contains(&clock.elapsed().as_secs()), "{:?}", clock.elapsed());

    let session = Session::open(&spec(&database, relay.port), "stalled").await.unwrap();
    relay.stall();
    let failure = session.execute("SELECT pg_sleep(1000)").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.to_string().contains("a second session"), "{failure}");
}

#[test]
fn a_restore_behind_a_stalled_network_ends() {
    let server = server();
    let (source, target) = (server.database("TEMPLATE template0"), server.database("TEMPLATE template0"));
    fill(&source, "public.filled", 30);
    let place = Place::new();
    let taken = place.run(source.access(), &["--formats", "dump"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let relay = Slow::to(server.port, AT_ONCE);
    let args = ["--confirm", &target.name, "-o", "json"];
    let mut restore = crate::support::commands::restore(&place, target.through(relay.port), "latest", &args);
    let out = tempfile::NamedTempFile::new().unwrap();
    restore.stdout(out.reopen().unwrap()).stderr(out.reopen().unwrap());
    let mut child = restore.spawn().unwrap();
    let said = || std::fs::read_to_string(out.path()).unwrap();
    while relay.relayed_bytes() < 12_000_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the network did: {}", said());
        std::thread::sleep(Duration::from_millis(5));
    }
    relay.stall();
    let clock = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if clock.elapsed() > BOUND {
            let _ = (child.kill(), child.wait());
            panic!("it waits for ever: {}", said());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(69), "{}", said());
    assert!(said().contains("no answer for"), "{}", said());
}

/// What waits for a lock for ever ends at the time limit.
#[test]
fn a_time_limit_ends_restore_and_diff() {
    let server = server();
    let database = server.small();
    let place = Place::new();
    assert_eq!(place.run(database.access(), &[]).code, 0);
    database.sql("DELETE FROM app.notes");
    let mut holder = server.program("psql", &database.name);
    holder.args(["-X", "-q", "-c", "BEGIN; LOCK TABLE app.notes; SELECT pg_sleep(60)"]);
    let mut holder = holder.spawn().unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'app.notes'::regclass";
    while database.sql(waits) == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let limit = ["--timeout", "2s", "-o", "json"];
    let args = [&limit[..], &["--lock-wait", "1h", "--no-safety-snapshot", "--confirm", &database.name]].concat();
    let mut diff = place.bare(&[&["diff", "latest", "live"][..], &limit].concat());
    let to = database.access();
    diff.env("PGHOST", to.host).env("PGPORT", to.port.to_string()).env("PGUSER", to.user);
    diff.env("PGPASSWORD", to.password).env("PGDATABASE", to.database).env("STACKSNAP_LOCK_WAIT", "1h");
    for mut command in [crate::support::commands::restore(&place, to, "latest", &args), diff] {
        let clock = Instant::now();
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.error().contains("the time limit of --timeout ran out"), "{ran:?}");
        assert!(clock.elapsed() < Duration::from_secs(40), "{:?}", clock.elapsed());
    }
    let _ = (holder.kill(), holder.wait());
}
