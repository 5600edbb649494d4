//! How many locks a restore needs, and whether the server's lock table has room for them.
//!
//! Invariant: into an empty database a restore that needs much of the room uses several transactions. In place it is
//! one transaction, so a restore that cannot fit is refused before anything is written, with the setting to change.
//! Pure.

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::pg::catalog::lock_room::LockRoom;
use crate::pgtools::toc::Toc;
use crate::restore::rows::large_objects::numbers;

/// What a restore will lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needed {
    /// The objects themselves: a transaction that creates or drops them needs at least these locks.
    pub least: u64,
    /// Including what a table may bring: a TOAST table and its index.
    pub most: u64,
}

impl Needed {
    /// Counts objects that are created, replaced or dropped.
    pub fn of<'o>(objects: impl Iterator<Item = &'o ObjectName>, toc: &Toc) -> Self {
        let mut needed = Self::default();
        let mut has_large_objects = false;
        for object in objects {
            let (least, most) = match object.kind {
                ObjectKind::Table | ObjectKind::MaterializedView => (1, 3),
                // A primary key has an index; not every constraint has one.
                ObjectKind::Index
                | ObjectKind::Constraint
                | ObjectKind::Sequence
                | ObjectKind::View
                | ObjectKind::ForeignTable => (1, 1),
                ObjectKind::Blob => {
                    has_large_objects = true;
                    (0, 0)
                }
                _ => (0, 0),
            };
            needed.least += least;
            needed.most += most;
        }
        if has_large_objects {
            needed.most += numbers(toc) as u64;
        }
        needed
    }

    /// Should it use several transactions, if it may? Other sessions need some of the room.
    pub fn is_much_for(self, room: LockRoom) -> bool {
        self.most > room.locks() / 2
    }

    /// Refuses what cannot be one transaction.
    pub fn refuse_in_one(self, room: LockRoom) -> Result<()> {
        if self.least <= room.locks() {
            return Ok(());
        }
        let text = format!(
            "this restore locks at least {} relations in one transaction, but the server has room for {} locks \
             (max_locks_per_transaction = {} for each of {} transactions)",
            self.least,
            room.locks(),
            room.per_transaction,
            room.transactions
        );
        Err(Failure::msg(FailureKind::Configuration, text)
            .hint(format!(
                "ALTER SYSTEM SET max_locks_per_transaction = {}; restart the server, and run this again",
                room.setting_for(self.most)
            ))
            .hint("or restore into an empty database, which takes several transactions"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_fit_is_refused_with_the_setting_that_helps() {
        let named = |kind: &str, n: u64| -> Vec<ObjectName> {
            (0..n).map(|_| ObjectName { kind: kind.into(), identity: "x".into() }).collect()
        };
        let objects = [named("TABLE", 100), named("CONSTRAINT", 50), named("POLICY", 900)].concat();
        let needed = Needed::of(objects.iter(), &Toc::default());
        assert_eq!(needed, Needed { least: 150, most: 350 });
        let room = |n| LockRoom { per_transaction: n, transactions: 10 };
        assert!(
            needed.refuse_in_one(room(15)).is_ok() && needed.is_much_for(room(64)) && !needed.is_much_for(room(71))
        );
        let refused = needed.refuse_in_one(room(14)).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Configuration);
        assert!(refused.hints[0].contains("max_locks_per_transaction = 64"), "{:?}", refused.hints);
    }
}
