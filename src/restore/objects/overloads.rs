//! Renames overloads that would be called by mistake while an object is created from its text.
//!
//! A stored expression holds the OID of the function that it calls, but its text has only the name and the arguments.
//! If an overload with default, variadic or polymorphic parameters was created after the expression, the text is
//! ambiguous ("function f() is not unique") or resolves to the other function. So while the object is created, the
//! overloads that it does not depend on have another name. What uses them is not affected, because it refers to them by
//! OID.
//!
//! Invariant: the renames and their reversal are one message under one savepoint, so no other session sees them. The
//! dependencies of an object come from the archive, which has them from `pg_depend`. Pure: it builds statements.

use std::collections::{HashMap, HashSet};

use crate::model::identity::{identifier_end, unquoted};
use crate::model::inventory::CatalogObject;
use crate::model::name::{dollar_quoted, literal};
use crate::model::object_kind::ObjectKind;
use crate::restore::entries::step::Step;

/// Types that accept any type.
const POLYMORPHIC: [&str; 12] = [
    "\"any\"",
    "anyelement",
    "anyarray",
    "anynonarray",
    "anyenum",
    "anyrange",
    "anymultirange",
    "anycompatible",
    "anycompatiblearray",
    "anycompatiblenonarray",
    "anycompatiblerange",
    "anycompatiblemultirange",
];

/// A routine that has overloads.
#[derive(Debug, Clone)]
struct Routine<'a> {
    dump_id: i64,
    schema: String,
    name: String,
    /// `public.f(integer)`, ready for SQL.
    signature: &'a str,
    /// Can it take calls with other argument types than its own?
    is_loose: bool,
}

/// Dump id of an entry → the statements around it.
#[derive(Debug, Default)]
pub struct Overloads(HashMap<i64, RivalRenames>);

/// The statements that rename the rivals, and rename them back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RivalRenames {
    pub before: String,
    pub after: String,
}

impl RivalRenames {
    /// One message that creates an object while its rivals are renamed.
    pub fn around(&self, sql: &str) -> String {
        format!("{};\n{sql}\n;\n{}", self.before, self.after)
    }
}

impl Overloads {
    /// Finds the entries that call a routine with overloads.
    pub fn new(steps: &[Step<'_>]) -> Self {
        let routines = overloaded(steps);
        let of: HashMap<i64, usize> = routines.iter().enumerate().map(|(n, r)| (r.dump_id, n)).collect();
        let mut by_name: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (n, routine) in routines.iter().enumerate() {
            by_name.entry((&routine.schema, &routine.name)).or_default().push(n);
        }
        let mut apart = HashMap::new();
        for step in steps.iter().filter(|s| !s.sql.is_empty()) {
            let needs: HashSet<usize> = step.entry.depends_on.iter().filter_map(|id| of.get(id).copied()).collect();
            let mut rivals: Vec<&Routine<'_>> = Vec::new();
            for called in needs.iter().map(|n| &routines[*n]) {
                let others = by_name[&(called.schema.as_str(), called.name.as_str())].iter();
                let others = others.filter(|n| !needs.contains(n)).map(|n| &routines[*n]);
                // An entry that creates the rival itself does not need this: the rival does not exist yet.
                let others = others.filter(|other| other.dump_id != step.entry.dump_id);
                rivals.extend(others.filter(|other| other.is_loose || called.is_loose));
            }
            rivals.sort_by_key(|r| r.dump_id);
            rivals.dedup_by_key(|r| r.dump_id);
            if !rivals.is_empty() {
                apart.insert(step.entry.dump_id, rename_rivals(&rivals));
            }
        }
        Self(apart)
    }

    pub fn of(&self, dump_id: i64) -> Option<&RivalRenames> {
        self.0.get(&dump_id)
    }
}

/// The routines of the archive that share their name with another.
fn overloaded<'a>(steps: &[Step<'a>]) -> Vec<Routine<'a>> {
    let all: Vec<Routine<'a>> = steps.iter().filter_map(|s| routine(s.object?, s.entry.dump_id)).collect();
    let mut named: HashMap<(String, String), usize> = HashMap::new();
    for routine in &all {
        *named.entry((routine.schema.clone(), routine.name.clone())).or_default() += 1;
    }
    all.into_iter().filter(|r| named[&(r.schema.clone(), r.name.clone())] > 1).collect()
}

fn routine(object: &CatalogObject, dump_id: i64) -> Option<Routine<'_>> {
    if !matches!(object.kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate) {
        return None;
    }
    let signature = object.identity.as_str();
    let schema_end = identifier_end(signature)?;
    let rest = signature[schema_end..].strip_prefix('.')?;
    let name_end = identifier_end(rest)?;
    let types = rest[name_end..].strip_prefix('(')?.strip_suffix(')')?;
    let is_polymorphic = types.split(',').any(|t| POLYMORPHIC.contains(&t.trim()));
    // A match inside a string only makes a routine loose by mistake, which costs two renames.
    let takes_less = object.definition.contains(" DEFAULT ") || object.definition.contains("VARIADIC ");
    Some(Routine {
        dump_id,
        schema: unquoted(&signature[..schema_end]),
        name: unquoted(&rest[..name_end]),
        signature,
        is_loose: is_polymorphic || takes_less,
    })
}

fn rename_rivals(rivals: &[&Routine<'_>]) -> RivalRenames {
    let list = |row: &dyn Fn(&Routine<'_>) -> String| rivals.iter().map(|r| row(r)).collect::<Vec<_>>().join(", ");
    let hidden = |r: &Routine<'_>| format!("stacksnap_apart_{}", r.dump_id);
    let away = list(&|r| format!("({}, {})", literal(r.signature), literal(&hidden(r))));
    let back = list(&|r| format!("({}, {}, {})", literal(&r.schema), literal(&hidden(r)), literal(&r.name)));
    // A rival that does not exist yet cannot interfere.
    let away = format!(
        "DECLARE r record; BEGIN FOR r IN SELECT p.oid::pg_catalog.regprocedure AS routine, w.hidden \
         FROM (VALUES {away}) w(signature, hidden) \
         JOIN pg_catalog.pg_proc p ON p.oid = pg_catalog.to_regprocedure(w.signature) \
         LOOP EXECUTE pg_catalog.format('ALTER ROUTINE %s RENAME TO %I', r.routine, r.hidden); END LOOP; END"
    );
    let back = format!(
        "DECLARE r record; BEGIN FOR r IN SELECT p.oid::pg_catalog.regprocedure AS routine, w.name \
         FROM (VALUES {back}) w(place, hidden, name) JOIN pg_catalog.pg_namespace n ON n.nspname = w.place \
         JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = w.hidden \
         LOOP EXECUTE pg_catalog.format('ALTER ROUTINE %s RENAME TO %I', r.routine, r.name); END LOOP; END"
    );
    RivalRenames { before: format!("DO {}", dollar_quoted(&away)), after: format!("DO {}", dollar_quoted(&back)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;
    use crate::restore::entries::Pass;
    use crate::restore::entries::entries_tests::entry;

    #[test]
    fn only_what_could_take_a_call_is_put_apart() {
        let routines = [
            object("FUNCTION", "s.f()", "() RETURNS integer"),
            object("FUNCTION", "s.f(integer)", "(x integer DEFAULT 2) RETURNS integer"),
            object("FUNCTION", "s.g(integer)", "(x integer) RETURNS integer"),
            object("FUNCTION", "s.g(text)", "(x text) RETURNS integer"),
            object("FUNCTION", "s.h(anyelement)", "(x anyelement) RETURNS integer"),
            object("FUNCTION", "s.\"h\"(integer)", "(x integer) RETURNS integer"),
            object("FUNCTION", "t.f(integer)", "(x integer DEFAULT 2) RETURNS integer"),
        ];
        let mut entries: Vec<_> = (1..).zip(&routines).map(|(id, o)| entry(id, "FUNCTION", &o.identity)).collect();
        for (id, needs) in [(11, 1), (12, 2), (13, 3), (14, 5), (15, 6), (16, 7)] {
            let mut table = entry(id, "TABLE", "t");
            table.depends_on = vec![needs];
            entries.push(table);
        }
        let object_of = |n: usize| routines.get(n);
        let step = |(n, entry)| Step { entry, object: object_of(n), sql: "x".into(), pass: Pass::Main, fenced: false };
        let steps: Vec<Step<'_>> = entries.iter().enumerate().map(step).collect();
        let found = Overloads::new(&steps);
        let away = |id: i64| found.of(id).map(|apart| apart.before.clone()).unwrap_or_default();
        assert!(away(11).contains("'s.f(integer)'") && !away(11).contains("'s.f()'"), "{}", away(11));
        assert!(away(12).contains("'s.f()'"), "{}", away(12));
        assert!(away(14).contains("'s.\"h\"(integer)'"), "{}", away(14));
        assert!(away(15).contains("'s.h(anyelement)'"), "{}", away(15));
        assert_eq!((found.of(13), found.of(16)), (None, None));
    }
}
