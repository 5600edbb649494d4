//! Logical replication slots: never made by a restore, always named with the command that makes them.
//!
//! Invariant: a slot without a reader keeps the server's log until its disk is full, and where a reader would go on from
//! nobody but its owner knows. Pure.

use super::Engine;
use super::identity::unquoted;
use super::state::Examined;
use crate::model::inventory::Inventory;
use crate::model::name::literal;
use crate::model::restore::Exception;

/// Stable word.
pub const NOT_MADE: &str = "replication_slot_not_made";

/// The platform's services make their own.
const OF_THE_PLATFORM: &str = "supabase_realtime";

/// Slots that the snapshot's database had and the target has not, or has otherwise.
pub fn foretell(engine: &Engine<'_>, examined: &Examined, live: &Inventory) -> Vec<Exception> {
    if !examined.scope.is_whole() || examined.scope.untrusted {
        return Vec::new();
    }
    let platforms = |identity: &str| examined.scope.platform && unquoted(identity).starts_with(OF_THE_PLATFORM);
    let wanted = engine.source.inventory.of_kind("REPLICATION SLOT").filter(|slot| !platforms(&slot.identity));
    let lost = wanted.filter(|slot| {
        !live.of_kind("REPLICATION SLOT").any(|o| o.identity == slot.identity && o.definition == slot.definition)
    });
    lost.map(|slot| not_made(&slot.identity, &slot.definition)).collect()
}

fn not_made(identity: &str, definition: &str) -> Exception {
    let mut words = definition.split(' ').skip(1);
    let plugin = unquoted(words.next().unwrap_or_default());
    let two_phase = words.any(|word| word == "TWO_PHASE");
    let name = literal(&unquoted(identity));
    let (name, plugin) = (name.trim_start().to_string(), literal(&plugin).trim_start().to_string());
    let more = if two_phase { ", false, true" } else { "" };
    Exception {
        code: NOT_MADE.into(),
        what: format!("REPLICATION SLOT {identity}"),
        why: "a slot holds the server's log back until its reader comes: a restore makes none".into(),
        todo: format!(
            "when its reader is ready: SELECT pg_create_logical_replication_slot({name}, {plugin}{more}); what it had not read is gone"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::not_made;

    #[test]
    fn the_command_makes_it_as_it_was() {
        let todo = |definition: &str| not_made("\"it's\"", definition).todo;
        assert!(todo("PLUGIN pgoutput").contains("('it''s', 'pgoutput');"));
        assert!(todo("PLUGIN test_decoding TWO_PHASE").contains("('it''s', 'test_decoding', false, true);"));
    }
}
