//! Logical replication slots and subscriptions: links to other databases, which no dump or restore can recreate.
//!
//! Invariant: snapshots before format 1.5 have no slots and no subscription options; then neither is ever compared.
//! Pure.

use super::identity::unquoted;
use super::inventory::{CatalogObject, Inventory};
use super::name::literal;
use crate::model::object_kind::ObjectKind;

pub const SLOT: ObjectKind = ObjectKind::ReplicationSlot;
pub const SUBSCRIPTION: ObjectKind = ObjectKind::Subscription;

/// Starts the line of a subscription's definition that lists its options.
const OPTIONS: &str = "\nOPTIONS ";

/// Rewrites `live` to contain only what the format of `wanted` can express.
pub fn align_with(live: &mut Inventory, wanted: &Inventory) {
    if wanted.tells_replication {
        return;
    }
    live.objects.retain(|o| o.kind != SLOT);
    for object in live.objects.iter_mut().filter(|o| o.kind == SUBSCRIPTION) {
        let plain = object.definition.find(OPTIONS).unwrap_or(object.definition.len());
        object.definition.truncate(plain);
    }
}

/// The statement that creates a slot. The new slot starts at the server's current WAL position.
pub fn create_slot(slot: &CatalogObject) -> String {
    let mut words = slot.definition.strip_prefix("PLUGIN ").unwrap_or_default().split_inclusive(' ');
    let plugin = words.next().unwrap_or_default().trim_end();
    let options: String = words
        .filter_map(|word| match word.trim_end() {
            "TWO_PHASE" => Some(", twophase => true"),
            "FAILOVER" => Some(", failover => true"),
            _ => None,
        })
        .collect();
    let (name, plugin) = (literal(&unquoted(&slot.identity)), literal(&unquoted(plugin)));
    format!("SELECT pg_create_logical_replication_slot({name}, {plugin}{options})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn a_slot_is_made_by_its_name_and_plugin() {
        let made = |definition| create_slot(&object(SLOT, "a_slot", definition));
        assert_eq!(made("PLUGIN pgoutput"), "SELECT pg_create_logical_replication_slot('a_slot', 'pgoutput')");
        let all = "SELECT pg_create_logical_replication_slot('a_slot', 'pgoutput', twophase => true, failover => true)";
        assert_eq!(made("PLUGIN pgoutput TWO_PHASE FAILOVER"), all);
    }

    #[test]
    fn an_older_snapshot_is_asked_for_nothing_that_it_cannot_tell() {
        let inventory = |tells_replication| Inventory {
            objects: vec![object(SLOT, "s", "PLUGIN pgoutput"), object(SUBSCRIPTION, "x", "ENABLED\nOPTIONS BINARY")],
            tells_replication,
            ..Inventory::default()
        };
        let mut live = inventory(true);
        align_with(&mut live, &inventory(true));
        assert_eq!(live.objects.len(), 2);
        align_with(&mut live, &inventory(false));
        assert_eq!((live.objects.len(), live.objects[0].definition.as_str()), (1, "ENABLED"));
    }
}
