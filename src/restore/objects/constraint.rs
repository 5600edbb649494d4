//! Parses a constraint of the inventory: the server's text and the marks that follow it.
//!
//! Invariant: marks are read from the end, in the order in which the inventory writes them, so text inside an
//! expression is never taken for a mark. Pure.

use super::drop::altered;
use crate::model::identity::on;
use crate::model::index_state::without_state;
use crate::model::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;

/// Kinds that are parsed here.
pub const KINDS: [ObjectKind; 4] =
    [ObjectKind::CheckConstraint, ObjectKind::NotNullConstraint, ObjectKind::FkConstraint, ObjectKind::Constraint];

/// Where the definition of a table's constraint comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The table itself, whether or not a parent has it too.
    Itself,
    /// A parent only: it is inherited (`conislocal` is false).
    Parent,
    /// It is a part of a partitioned parent's constraint (`conparentid`).
    PartitionedParent,
}

/// One parsed constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraint<'a> {
    /// `pg_get_constraintdef`, with `NOT VALID` and `NOT ENFORCED`.
    pub text: &'a str,
    /// Validated (`convalidated`): existing rows were checked.
    pub validated: bool,
    pub from: Origin,
    /// The marks after `from`: index properties, the state of its triggers.
    rest: &'a str,
}

impl<'a> Constraint<'a> {
    /// `None`: not a constraint.
    pub fn of(object: &'a CatalogObject) -> Option<Self> {
        if !KINDS.contains(&object.kind) {
            return None;
        }
        let all = object.definition.as_str();
        let mut text = without_state(object);
        if object.kind == ObjectKind::FkConstraint {
            // Only letters of trigger states follow the mark, never a blank.
            text = text.rfind(" RI TRIGGERS ").map_or(text, |at| &text[..at]);
        }
        text = text.strip_suffix(" REPLICA IDENTITY").unwrap_or(text);
        text = text.strip_suffix(" CLUSTERED").unwrap_or(text);
        if object.kind == ObjectKind::CheckConstraint {
            text = text.strip_suffix(" NO INHERIT").filter(|t| t.contains(" NO INHERIT")).unwrap_or(text);
        }
        let rest = &all[text.len()..];
        let (text, from) = match (text.strip_suffix(" OF A PARTITIONED PARENT"), text.strip_suffix(" INHERITED")) {
            (Some(text), _) => (text, Origin::PartitionedParent),
            (_, Some(text)) => (text, Origin::Parent),
            _ => (text, Origin::Itself),
        };
        let (text, validated) = text.strip_suffix(" UNPROVED").map_or((text, true), |text| (text, false));
        Some(Self { text, validated, from, rest })
    }

    /// The text without NOT VALID.
    fn without_not_valid(&self) -> &'a str {
        self.text.strip_suffix(" NOT VALID").unwrap_or(self.text)
    }
}

/// `ADD CONSTRAINT` for one that the archive has only inside its table's definition. `None`: it is inherited.
pub fn add(object: &CatalogObject) -> Option<String> {
    let constraint = Constraint::of(object).filter(|c| c.from == Origin::Itself)?;
    matches!(object.kind, ObjectKind::CheckConstraint | ObjectKind::NotNullConstraint)
        .then(|| add_statement(object, constraint.text))
        .flatten()
}

/// `ADD CONSTRAINT` for an inherited one: a table needs it before it can be attached as a partition again.
pub fn add_before_attach(object: &CatalogObject) -> Option<String> {
    let constraint = Constraint::of(object).filter(|c| c.from == Origin::Parent)?;
    add_statement(object, constraint.text)
}

/// `ADD CONSTRAINT … NOT VALID`. `None`: the kind has no such form, or the constraint is inherited.
pub fn not_valid(object: &CatalogObject) -> Option<String> {
    let constraint =
        Constraint::of(object).filter(|c| c.from == Origin::Itself && object.kind != ObjectKind::Constraint)?;
    add_statement(object, &format!("{} NOT VALID", constraint.without_not_valid()))
}

fn add_statement(object: &CatalogObject, text: &str) -> Option<String> {
    let (name, rest) = on(&object.identity)?;
    Some(format!("ALTER {} ADD CONSTRAINT {name} {text}", altered(rest)))
}

/// `VALIDATE CONSTRAINT`, if that is all that the target's constraint lacks.
pub fn validate(wanted: &CatalogObject, live: &CatalogObject) -> Option<String> {
    let (w, l) = (Constraint::of(wanted)?, Constraint::of(live)?);
    if !w.validated || l.validated || w.text != l.without_not_valid() || (w.from, w.rest) != (l.from, l.rest) {
        return None;
    }
    let (name, rest) = on(&wanted.identity)?;
    Some(format!("ALTER {} VALIDATE CONSTRAINT {name}", altered(rest)))
}

/// Does it bind new rows although existing rows may violate it? Foreign keys do not while their triggers are disabled.
pub fn binds_new_rows(object: &CatalogObject) -> bool {
    matches!(object.kind, ObjectKind::CheckConstraint | ObjectKind::NotNullConstraint)
        && Constraint::of(object).is_some_and(|c| !c.validated && !c.text.ends_with(" NOT ENFORCED"))
}

/// Are both parts of a partitioned table's constraint that differ only in the state of their triggers?
pub fn is_part(wanted: &CatalogObject, live: &CatalogObject) -> bool {
    let (Some(w), Some(l)) = (Constraint::of(wanted), Constraint::of(live)) else { return false };
    w.from == Origin::PartitionedParent && Constraint { rest: w.rest, ..l } == w
}

/// `RENAME CONSTRAINT` for constraints that the server named: parts of a partitioned table's foreign key, which no
/// archive names, and NOT NULL. A constraint that differs only in its name keeps the table's rows and gets the
/// snapshot's name. Two statements each, so that names can be swapped: first all get a temporary name.
pub fn renames(wanted: &[&CatalogObject], live: &[&CatalogObject]) -> Vec<(String, String)> {
    // Renaming a NOT NULL also renames those that children inherit from it.
    let named_by_server = |o: &CatalogObject| match (o.kind, Constraint::of(o).map(|c| c.from)) {
        (ObjectKind::NotNullConstraint, Some(origin)) => origin == Origin::Itself,
        (ObjectKind::FkConstraint, Some(origin)) => origin == Origin::PartitionedParent,
        _ => false,
    };
    let mut free: Vec<&CatalogObject> = live.iter().copied().filter(|o| named_by_server(o)).collect();
    let mut found = Vec::new();
    for object in wanted.iter().filter(|o| named_by_server(o)) {
        let Some((name, table)) = on(&object.identity) else { continue };
        let same = |o: &&CatalogObject| {
            o.kind == object.kind
                && o.definition == object.definition
                && on(&o.identity).is_some_and(|(_, t)| t == table)
        };
        let Some(at) = free.iter().position(same) else { continue };
        let other = free.remove(at);
        let Some((old, _)) = on(&other.identity).filter(|(old, _)| *old != name) else { continue };
        let between = format!("stacksnap_{}", found.len());
        let rename = |a: &str, b: &str| format!("ALTER TABLE {table} RENAME CONSTRAINT {a} TO {b}");
        found.push((rename(old, &between), rename(&between, name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    fn parsed(kind: &str, definition: &str) -> (String, bool, Origin) {
        let object = object(kind, "c on public.t", definition);
        let found = Constraint::of(&object).unwrap();
        (found.text.to_string(), found.validated, found.from)
    }

    #[test]
    fn marks_are_read_from_the_end() {
        let cases = [
            ("CHECK CONSTRAINT", "CHECK ((a > 0))", "CHECK ((a > 0))", true, Origin::Itself),
            (
                "CHECK CONSTRAINT",
                "CHECK (true) NOT VALID UNPROVED INHERITED",
                "CHECK (true) NOT VALID",
                false,
                Origin::Parent,
            ),
            (
                "CHECK CONSTRAINT",
                "CHECK ((a <> ' INHERITED'::text))",
                "CHECK ((a <> ' INHERITED'::text))",
                true,
                Origin::Itself,
            ),
            (
                "CHECK CONSTRAINT",
                "CHECK (true) NO INHERIT NOT VALID UNPROVED NO INHERIT",
                "CHECK (true) NO INHERIT NOT VALID",
                false,
                Origin::Itself,
            ),
            ("NOT NULL CONSTRAINT", "NOT NULL a NO INHERIT", "NOT NULL a NO INHERIT", true, Origin::Itself),
            (
                "FK CONSTRAINT",
                "FOREIGN KEY (a) REFERENCES s.t(a) NOT VALID UNPROVED OF A PARTITIONED PARENT RI TRIGGERS DO",
                "FOREIGN KEY (a) REFERENCES s.t(a) NOT VALID",
                false,
                Origin::PartitionedParent,
            ),
            ("CONSTRAINT", "PRIMARY KEY (a) CLUSTERED REPLICA IDENTITY", "PRIMARY KEY (a)", true, Origin::Itself),
            ("CONSTRAINT", "UNIQUE (a) CLUSTERED\nINDEX WITH (fillfactor='50')", "UNIQUE (a)", true, Origin::Itself),
        ];
        for (kind, definition, text, validated, from) in cases {
            assert_eq!(parsed(kind, definition), (text.to_string(), validated, from), "{definition}");
        }
        assert_eq!(Constraint::of(&object("TABLE", "public.t", "")), None);
    }

    #[test]
    fn only_what_is_not_proved_is_validated() {
        let of = |definition: &str| object("CHECK CONSTRAINT", "c on public.t", definition);
        let (validated, unproved) = (of("CHECK (true) INHERITED"), of("CHECK (true) NOT VALID UNPROVED INHERITED"));
        assert_eq!(validate(&validated, &unproved).unwrap(), "ALTER TABLE public.t VALIDATE CONSTRAINT c");
        assert_eq!(validate(&unproved, &validated), None);
        assert_eq!(validate(&of("CHECK (true)"), &unproved), None);
        assert_eq!(validate(&of("CHECK (false) INHERITED"), &unproved), None);
        assert_eq!(validate(&validated, &of("CHECK (true) NOT ENFORCED UNPROVED INHERITED")), None);
    }

    #[test]
    fn names_that_the_server_chose_are_given_back_also_crosswise() {
        let key = |name: &str, to: &str| {
            let text = format!("FOREIGN KEY (a) REFERENCES s.{to}(a) OF A PARTITIONED PARENT RI TRIGGERS O");
            object("FK CONSTRAINT", &format!("{name} on s.t"), &text)
        };
        let (a, b, c, d) = (key("f1", "x"), key("f2", "y"), key("f1", "y"), key("f2", "x"));
        let renamed = renames(&[&a, &b], &[&c, &d]);
        let sql = |a: &str, b: &str| format!("ALTER TABLE s.t RENAME CONSTRAINT {a} TO {b}");
        let expected = [
            (sql("f2", "stacksnap_0"), sql("stacksnap_0", "f1")),
            (sql("f1", "stacksnap_1"), sql("stacksnap_1", "f2")),
        ];
        assert_eq!(renamed, expected);
        assert!(renames(&[&a], &[&a]).is_empty() && renames(&[&a], &[&b]).is_empty());
    }

    #[test]
    fn a_check_inside_of_its_table_is_added() {
        let add_to = |identity, definition| add(&object("CHECK CONSTRAINT", identity, definition));
        let sql = "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a > 0)) NOT VALID";
        assert_eq!(add_to("c on public.t", "CHECK ((a > 0)) NOT VALID UNPROVED").unwrap(), sql);
        let sql = "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a > 0)) NO INHERIT";
        assert_eq!(add_to("c on public.t", "CHECK ((a > 0)) NO INHERIT NO INHERIT").unwrap(), sql);
        let sql = "ALTER DOMAIN public.d ADD CONSTRAINT c CHECK (true)";
        assert_eq!(add_to("c on domain public.d", "CHECK (true)").unwrap(), sql);
        assert_eq!(add_to("c on public.t", "CHECK ((a > 0)) INHERITED"), None);
        let inherited = object("CHECK CONSTRAINT", "c on public.t", "CHECK ((a > 0)) INHERITED");
        let sql = "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a > 0))";
        assert_eq!(add_before_attach(&inherited).unwrap(), sql);
    }

    #[test]
    fn constraints_are_made_without_a_look_at_old_rows() {
        let sql = |kind, identity, definition| not_valid(&object(kind, identity, definition));
        assert_eq!(
            sql("FK CONSTRAINT", "k on public.b", "FOREIGN KEY (a) REFERENCES public.a(id) RI TRIGGERS O").unwrap(),
            "ALTER TABLE public.b ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public.a(id) NOT VALID"
        );
        assert_eq!(
            sql("CHECK CONSTRAINT", "c on domain public.d", "CHECK ((VALUE > 0))").unwrap(),
            "ALTER DOMAIN public.d ADD CONSTRAINT c CHECK ((VALUE > 0)) NOT VALID"
        );
        assert_eq!(
            sql("CHECK CONSTRAINT", "c on public.t", "CHECK ((a > 0)) NO INHERIT NO INHERIT").unwrap(),
            "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a > 0)) NO INHERIT NOT VALID"
        );
        assert_eq!(sql("CHECK CONSTRAINT", "c on public.t", "CHECK ((a > 0)) INHERITED"), None);
        assert_eq!(sql("CONSTRAINT", "p on public.t", "PRIMARY KEY (a)"), None);
        assert_eq!(sql("INDEX", "public.i", "CREATE INDEX"), None);
    }
}
