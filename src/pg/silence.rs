//! The silence check: after a long silence, finds out whether the server still works for us or the network is down.
//!
//! Invariant: a long-running query is no failure: a second session repeatedly reads the first one's row in
//! `pg_stat_activity`, and nothing else. The first session is never given up unless no second one can connect, its
//! process is gone, or the server was twice in a row found waiting for something that we never received.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::pulse::Pulse;
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;
use crate::model::sqlstate;

/// How long a connection may be silent before a check, unless the connection settings say otherwise.
const SILENCE: Duration = Duration::from_secs(30);
/// Time limit for a check, in addition to the time for connecting.
const ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(10);
const CHECKS_PER_SILENCE: u32 = 6;
const ACTIVITY: &str = "SELECT state, wait_event FROM pg_catalog.pg_stat_activity WHERE pid = $1";

/// The result of one check.
enum Check {
    /// It works, or the server is reachable and its state is unknown.
    Works,
    /// It waits, but not for the result that we wait for.
    Waits(String),
    Lost(String),
}

/// A second session: the client, and the task that drives it.
pub type SecondSession = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>)>> + Send>>;
/// Opens a second session to the same server, without a silence check.
pub type Connector = fn(ConnSpec) -> SecondSession;

/// Resolves with the reason when the connection of `pulse` has to be given up. `spec` has only the server it is
/// connected to. Boxed because the types are recursive: a check connects, and connecting starts a watch.
pub fn watch(spec: ConnSpec, pulse: Arc<Pulse>, connect: Connector) -> Pin<Box<dyn Future<Output = String> + Send>> {
    Box::pin(async move {
        let silence = spec.silence.unwrap_or(SILENCE);
        // The last check: the activity time it saw, when it ran, and whether the server was waiting.
        let mut last_check: Option<(u64, Instant, bool)> = None;
        loop {
            tokio::time::sleep(silence / CHECKS_PER_SILENCE).await;
            let (silent, last) = (pulse.silent_for(), pulse.last());
            let same = last_check.filter(|(at, ..)| *at == last);
            if silent < silence || same.is_some_and(|(_, when, _)| when.elapsed() < silence) {
                continue;
            }
            let found = check(&spec, &pulse, connect).await;
            if pulse.last() != last || pulse.silent_for().is_zero() {
                continue;
            }
            let waited = same.is_some_and(|(.., waited)| waited);
            match found {
                Check::Works => last_check = Some((last, Instant::now(), false)),
                Check::Waits(_) if !waited => last_check = Some((last, Instant::now(), true)),
                Check::Waits(why) | Check::Lost(why) => return format!("no answer for {} s: {why}", silent.as_secs()),
            }
        }
    })
}

async fn check(spec: &ConnSpec, pulse: &Pulse, connect: Connector) -> Check {
    let Some(pid) = pulse.backend() else {
        return Check::Lost("the session had not started yet".to_string());
    };
    let asking = async {
        let (client, driver) = match connect(spec.clone()).await {
            Ok(connected) => connected,
            // The server answers but has no free connection: that says nothing about our session.
            Err(failure) if failure.is_sqlstate(sqlstate::TOO_MANY_CONNECTIONS) => return Check::Works,
            Err(failure) => return Check::Lost(format!("a second session cannot connect: {failure}")),
        };
        let found = client.query_opt(ACTIVITY, &[&pid]).await;
        driver.abort();
        match found {
            Ok(Some(row)) => judge(row.get::<_, Option<&str>>(0), row.get::<_, Option<&str>>(1), pulse),
            Ok(None) => Check::Lost(format!("the server process {pid} no longer exists")),
            Err(error) => Check::Lost(format!("a second session got no answer: {error}")),
        }
    };
    let limit = spec.connect_timeout.filter(|t| !t.is_zero()).unwrap_or(CONNECT) + ANSWER;
    match tokio::time::timeout(limit, asking).await {
        Ok(found) => found,
        Err(_) => Check::Lost(format!("a second session got no answer within {} s", limit.as_secs())),
    }
}

/// Judges by `state` and `wait_event`, which are not translated.
fn judge(state: Option<&str>, wait_event: Option<&str>, pulse: &Pulse) -> Check {
    match (state, wait_event) {
        (_, Some("ClientWrite")) if pulse.read_pending() => {
            Check::Waits("the server waits for us to read data that never arrives".to_string())
        }
        (_, Some("ClientRead")) if pulse.write_blocked() => {
            Check::Waits("the server waits for data that we sent and it never received".to_string())
        }
        (Some(state), _) if state.starts_with("idle") => {
            Check::Waits("the server has nothing to do for us".to_string())
        }
        _ => Check::Works,
    }
}
