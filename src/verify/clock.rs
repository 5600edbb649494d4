//! Finds tables whose policies depend on something that no snapshot holds: the time, random numbers, the client's
//! address.
//!
//! Invariant: it follows names from a policy through every function and view of that name. It may find too many tables,
//! never too few. The visible rows of a table that it finds are not compared. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;

/// Names whose result changes from call to call or from session to session.
const MOVING: [&str; 21] = [
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "random",
    "gen_random_uuid",
    "gen_random_bytes",
    "nextval",
    "pg_sleep",
    "pg_backend_pid",
    "txid_current",
    "inet_client_addr",
    "inet_server_addr",
    "session_user",
    "dblink",
];

/// The policies, functions and views of one inventory.
pub struct Clock<'i> {
    /// Definitions of functions and views, by their unqualified name in lower case.
    code: HashMap<String, Vec<&'i str>>,
    /// Policies: their table, quoted where needed, and their definition.
    policies: Vec<(&'i str, &'i str)>,
}

impl<'i> Clock<'i> {
    pub fn of(inventory: &'i Inventory) -> Self {
        let mut code: HashMap<String, Vec<&str>> = HashMap::new();
        for object in inventory.objects.iter().filter(|o| is_code(o)) {
            if let Some(name) = plain_name(object) {
                code.entry(name).or_default().push(&object.definition);
            }
        }
        let policies = inventory.of_kind(ObjectKind::Policy);
        let policies =
            policies.filter_map(|o| Some((o.identity.split_once(" on ")?.1, o.definition.as_str()))).collect();
        Self { code, policies }
    }

    /// Do the table's policies depend on such a name? `table` is the plain name. Quotes are ignored, so two tables that
    /// differ only in quotes count as one.
    pub fn decides_about(&self, table: &str) -> bool {
        // A policy's own name may contain " on ". The rest still ends with the table, so at worst one policy too many
        // matches.
        let is_on = |on: &str| on.replace('"', "").ends_with(&table.replace('"', ""));
        let texts = self.policies.iter().filter(|(on, _)| is_on(on)).map(|(_, text)| *text);
        let (mut queue, mut seen): (Vec<&str>, HashSet<String>) = (texts.collect(), HashSet::new());
        while let Some(text) = queue.pop() {
            // `age` may be a column; the function `age` with one argument counts from today.
            if text.contains("age(") {
                return true;
            }
            for word in words(text) {
                if MOVING.contains(&word.as_str()) {
                    return true;
                }
                if let Some(more) = self.code.get(&word)
                    && seen.insert(word)
                {
                    queue.extend(more);
                }
            }
        }
        false
    }
}

fn is_code(object: &CatalogObject) -> bool {
    matches!(
        object.kind,
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::View | ObjectKind::MaterializedView
    )
}

/// The last name before the arguments, without quotes, in lower case.
fn plain_name(object: &CatalogObject) -> Option<String> {
    let head = object.identity.split('(').next()?;
    Some(head.rsplit('.').next()?.trim_matches('"').to_lowercase())
}

fn words(text: &str) -> BTreeSet<String> {
    let part = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
    text.split(part).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn the_time_is_found_through_functions_and_views() {
        let objects = vec![
            object("POLICY", "p on public.plain", "FOR SELECT USING ((owner = auth.uid()))"),
            object("POLICY", "p on public.direct", "FOR SELECT USING ((published_at <= now()))"),
            object("POLICY", "p on public.grown", "FOR SELECT USING ((age >= 18))"),
            object("POLICY", "\"who on what\" on public.odd", "FOR SELECT USING ((d > CURRENT_DATE))"),
            object("FUNCTION", "auth.uid()", "select current_setting('request.jwt.claims')::jsonb ->> 'sub'"),
            object("FUNCTION", "public.member(uuid)", "select exists (select from active_members)"),
            object("VIEW", "public.active_members", "SELECT id FROM members WHERE until > CURRENT_TIMESTAMP"),
            object("POLICY", "p on public.called", "USING (member(id))"),
            object("FUNCTION", "public.loop(int)", "select loop(1)"),
            object("POLICY", "p on public.round", "USING (loop(id))"),
        ];
        let inventory = Inventory { objects, ..Inventory::default() };
        let clock = Clock::of(&inventory);
        let moves = |table| clock.decides_about(table);
        assert!(!moves("public.plain") && !moves("public.round") && !moves("public.grown"));
        assert!(moves("public.direct") && moves("public.called") && moves("public.odd"));
    }
}
