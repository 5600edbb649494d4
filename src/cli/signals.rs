//! Ctrl-C and the signals that ask to stop, turned into one cancellation.
//!
//! Invariant: the first signal asks for a clean end; a second one only shortens the patience. Under `nohup`, SIGHUP
//! stays ignored.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::model::cancel::{Cancel, CancelReason};
use crate::ops::flight::HURRIED_GRACE;
use crate::proc::own;
use crate::ui::out::Ui;

/// How long a signal to the whole process group may take to reach us.
const SETTLE: Duration = Duration::from_millis(50);

/// Watches from now on, as long as the runtime lives.
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

/// Runs a program of the user's that has the terminal to itself: Ctrl-C is for that program, and is neither our end nor
/// kept for later. SIGTERM and SIGHUP to us alone do not stop it either: it decides when it ends.
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
                // The signal that ended the program may reach us a moment later: it must not be found afterwards.
                tokio::time::sleep(SETTLE).await;
                return outcome.map_err(io::Error::other)?;
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = received(hangup.as_mut()) => {}
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
