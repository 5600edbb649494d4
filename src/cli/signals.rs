//! Ctrl-C and the signals that ask to stop, turned into one cancellation.
//!
//! Invariant: the first signal asks for a clean end; a second one only shortens the patience. Under `nohup`, SIGHUP
//! stays ignored.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::model::cancel::{Cancel, CancelReason};
use crate::ops::flight::HURRIED_GRACE;
use crate::proc::own;
use crate::ui::out::Ui;

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

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
