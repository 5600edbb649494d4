//! SIGINT, SIGTERM and SIGHUP, converted into one cancellation.
//!
//! Invariant: the first signal requests a clean end; a second one only shortens the time limit for it. Under `nohup`,
//! SIGHUP stays ignored.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::model::cancel::{Cancel, CancelReason};
use crate::model::failure::{Failure, Result};
use crate::ops::flight::HURRIED_GRACE;
use crate::proc::own;
use crate::ui::out::Ui;
use crate::ui::terminal;

/// A signal to the whole process group reaches this process within this time.
const SETTLE: Duration = Duration::from_millis(50);

/// Starts watching for signals; ends with the runtime.
pub fn watch(ui: Ui, cancel: &Cancel) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = if own::hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let cancel = cancel.clone();
    tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => CancelReason::Interrupted,
                _ = terminate.recv() => CancelReason::Terminated,
                () = received(hangup.as_mut()) => CancelReason::Terminated,
            };
            if cancel.is_cancelled() {
                ui.say(&format!("still cleaning up; at most {} s more", HURRIED_GRACE.as_secs()));
                cancel.hurry();
            } else {
                ui.say(&format!("\n{}: stopping cleanly, nothing half-written will be kept", reason.sentence()));
                cancel.cancel(reason);
            }
        }
    });
    Ok(())
}

/// Runs a program of the user in the foreground: Ctrl-C is for that program, and this process discards it. SIGTERM and
/// SIGHUP sent only to this process are discarded too: the program decides when it ends.
pub async fn while_it_has_the_terminal<T: Send + 'static>(
    program: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = if own::hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let mut running = tokio::task::spawn_blocking(program);
    loop {
        tokio::select! {
            outcome = &mut running => {
                // The signal that ended the program may arrive slightly later; discard it too.
                tokio::time::sleep(SETTLE).await;
                return outcome.map_err(io::Error::other)?;
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = received(hangup.as_mut()) => {}
        }
    }
}

/// Runs read-only work, which needs no cleanup: a signal or the time limit stops it immediately. Its blocking threads
/// may still run afterwards, so the progress bars are removed from the screen here.
pub async fn interruptible<T>(timeout: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let watched = |e: io::Error| Failure::from(e).context("cannot watch for signals");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(watched)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(watched)?;
    let limit = async {
        match timeout.filter(|timeout| !timeout.is_zero()) {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let reason = tokio::select! {
        result = work => return result,
        _ = interrupt.recv() => CancelReason::Interrupted,
        _ = terminate.recv() => CancelReason::Terminated,
        () = limit => CancelReason::Timeout,
    };
    terminal::stop_drawing();
    Err(Failure::msg(reason.failure_kind(), reason.sentence())
        .hint("this command only reads: nothing was changed; run it again"))
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
