//! Who uses the server of the environment at the same time. Tests of one program run beside each other on it, and roles,
//! their passwords and settings are the whole server's: a change of one is a difference to every snapshot that is compared
//! meanwhile.
//!
//! - A test that makes a database there shares the server from then on, until its thread ends ([`share`], which everything
//!   that makes a database calls).
//! - A test that changes roles or settings, or counts what happens on the server, holds [`alone`] from its first line on:
//!   it waits until no other test shares the server, and the others wait for it.
//!
//! Clusters that a test starts itself are its own.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct Users {
    /// Threads that share it.
    sharing: usize,
    /// A thread has it alone.
    alone: bool,
}

static USERS: Mutex<Users> = Mutex::new(Users { sharing: 0, alone: false });
static LEFT: Condvar = Condvar::new();

/// What this thread is to the server.
struct Mine {
    shares: Cell<bool>,
    /// Guards of [`alone`], one within the other.
    alone: Cell<usize>,
}

impl Drop for Mine {
    fn drop(&mut self) {
        stop_sharing(self);
    }
}

thread_local! {
    static MINE: Mine = const { Mine { shares: Cell::new(false), alone: Cell::new(0) } };
}

fn users() -> MutexGuard<'static, Users> {
    USERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while(wrong: impl Fn(&mut Users) -> bool) -> MutexGuard<'static, Users> {
    LEFT.wait_while(users(), wrong).unwrap_or_else(PoisonError::into_inner)
}

fn stop_sharing(mine: &Mine) {
    if mine.shares.replace(false) {
        users().sharing -= 1;
        LEFT.notify_all();
    }
}

/// This thread uses the server beside others, until it ends or wants to be alone.
pub fn share() {
    MINE.with(|mine| {
        if mine.alone.get() == 0 && !mine.shares.get() {
            wait_while(|users| users.alone).sharing += 1;
            mine.shares.set(true);
        }
    });
}

/// Nobody else uses the server while this lives; afterwards this thread shares it. In one thread it can be asked for again.
#[must_use]
pub struct Alone {
    /// It belongs to its thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

pub fn alone() -> Alone {
    MINE.with(|mine| {
        if mine.alone.get() == 0 {
            // Two that share it and wait for each other would wait for ever.
            stop_sharing(mine);
            wait_while(|users| users.alone || users.sharing > 0).alone = true;
        }
        mine.alone.set(mine.alone.get() + 1);
    });
    Alone { _not_send: std::marker::PhantomData }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // A thread that has ended already has nothing left to give back.
        let _ = MINE.try_with(|mine| {
            mine.alone.set(mine.alone.get() - 1);
            if mine.alone.get() == 0 {
                // Its databases are still there.
                let mut users = users();
                users.alone = false;
                users.sharing += 1;
                mine.shares.set(true);
                LEFT.notify_all();
            }
        });
    }
}
