//! Tables that differ only in the order of their columns.
//!
//! Invariant: applies only to tables with parents: when such a table is recreated, its parents' columns come first,
//! regardless of earlier `ALTER TABLE`s, and no dump can avoid it. The order of any other table always counts. Pure.

use crate::model::deparsed::columns::columns;
use crate::model::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;

/// The note for the reader.
pub const NOTE: &str = "the same columns in another order: a recreated table has the columns of its parents first";

/// True if everything, including the owner, is equal except for the column order.
pub fn same_but_for_order(left: &CatalogObject, right: &CatalogObject) -> bool {
    if !matches!(left.kind, ObjectKind::Table | ObjectKind::ForeignTable)
        || left.kind != right.kind
        || (&left.owner, &left.extension) != (&right.owner, &right.extension)
    {
        return false;
    }
    let (Some(mut l), Some(mut r)) = (parts(&left.definition), parts(&right.definition)) else { return false };
    l.1.sort_unstable();
    r.1.sort_unstable();
    l == r && l.2.starts_with("\n) INHERITS (")
}

/// The text before the columns, the columns, and the text after them.
fn parts(definition: &str) -> Option<(&str, Vec<&str>, &str)> {
    let lines = columns(definition)?;
    let (first, last) = (lines.first()?.start, lines.last()?.end);
    Some((&definition[..first], lines.into_iter().map(|line| &definition[line]).collect(), &definition[last..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn the_order_counts_where_a_table_has_no_parents() {
        let table = |columns: &str, after: &str| object("TABLE", "s.t", &format!("(\n  {columns}\n){after}"));
        let (one, other) = ("bb text,\n  a text INHERITED", "a text INHERITED,\n  bb text");
        assert!(same_but_for_order(&table(one, " INHERITS (s.p)"), &table(other, " INHERITS (s.p)")));
        assert!(!same_but_for_order(&table(one, ""), &table(other, "")));
        assert!(!same_but_for_order(&table(one, " INHERITS (s.p)"), &table(other, " INHERITS (s.q)")));
        let foreign =
            |columns: &str| object("FOREIGN TABLE", "s.t", &format!("(\n  {columns}\n) INHERITS (s.p) SERVER x"));
        assert!(same_but_for_order(&foreign(one), &foreign(other)));
        let more = "a text INHERITED,\n  bb text,\n  c int";
        assert!(!same_but_for_order(&table(one, " INHERITS (s.p)"), &table(more, " INHERITS (s.p)")));
    }
}
