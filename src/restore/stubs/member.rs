//! Members of missing extensions: which of them get a stand-in, and its SQL.
//!
//! Invariant: a stand-in has the member's name and signature but none of its behaviour: a base type stores its input
//! text, a function returns NULL. Names come from the inventory as the server quoted them. Members without a stand-in
//! (tables, views, aggregates, operator classes, access methods, casts) are known by name, so that everything that
//! needs one is found.

use std::collections::BTreeSet;

use super::text::{find_outside, in_brackets, mentions, value, without_arguments};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{dollar_quoted, literal};
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::Entry;

/// Pseudo-types that no procedural language accepts.
const UNSTUBBABLE: [&str; 8] = [
    "internal",
    "cstring",
    "language_handler",
    "fdw_handler",
    "index_am_handler",
    "table_am_handler",
    "tsm_handler",
    "\"any\"",
];

/// The members of all missing extensions.
pub struct Members<'a> {
    inventory: &'a Inventory,
    members: Vec<&'a CatalogObject>,
    /// For each member without a stand-in: the text by which a definition refers to it, and its extension.
    absent: Vec<(String, &'a str)>,
    /// Tables and views among the members, by schema and unquoted name.
    relations: Vec<(String, String, &'a str)>,
}

impl<'a> Members<'a> {
    pub fn new(inventory: &'a Inventory, missing: &BTreeSet<String>) -> Self {
        let is_member = |o: &&CatalogObject| o.extension.as_ref().is_some_and(|e| missing.contains(e));
        let members: Vec<&CatalogObject> = inventory.objects.iter().filter(is_member).collect();
        let tables = inventory.tables.iter().filter_map(|t| {
            let extension = t.extension.as_deref().filter(|e| missing.contains(*e))?;
            Some((t.name.schema.clone(), t.name.name.clone(), extension))
        });
        let views = members.iter().filter(|o| o.kind.is_table_like()).filter_map(|o| {
            let (schema, name) = crate::model::identity::qualified(&o.identity)?;
            Some((schema, name, o.extension.as_deref()?))
        });
        let relations = tables.chain(views).collect();
        let mut this = Self { inventory, members, absent: Vec::new(), relations };
        this.absent = this.members.iter().filter_map(|o| this.sign_of_absent(o)).collect();
        this
    }

    fn sign_of_absent(&self, object: &'a CatalogObject) -> Option<(String, &'a str)> {
        let sign = match object.kind {
            kind if kind.is_table_like() => object.identity.clone(),
            ObjectKind::Aggregate => format!("{}(", without_arguments(&object.identity)),
            ObjectKind::Function | ObjectKind::Procedure if self.routine(object).is_none() => {
                format!("{}(", without_arguments(&object.identity))
            }
            ObjectKind::OperatorClass | ObjectKind::OperatorFamily => {
                object.identity.split(" USING ").next()?.to_string()
            }
            ObjectKind::AccessMethod => format!("USING {} ", object.identity),
            ObjectKind::Collation
            | ObjectKind::TextSearchConfiguration
            | ObjectKind::TextSearchDictionary
            | ObjectKind::TextSearchParser
            | ObjectKind::TextSearchTemplate => object.identity.clone(),
            _ => return None,
        };
        Some((sign, object.extension.as_deref()?))
    }

    /// The missing extensions of which this entry needs a member without a stand-in.
    pub fn absent_in(&self, entry: &Entry) -> BTreeSet<String> {
        let of_a_member = self.relations.iter().filter(|(schema, name, _)| is_about(entry, schema, name));
        let mut found: BTreeSet<String> = of_a_member.map(|(.., extension)| (*extension).to_string()).collect();
        // The server does not check a function's body when it is created, only its head.
        let text = match entry.desc {
            ObjectKind::Function | ObjectKind::Procedure => {
                entry.definition.split("\n    AS ").next().unwrap_or_default()
            }
            _ => entry.definition.as_str(),
        };
        let needed = self.absent.iter().filter(|(sign, _)| mentions(text, sign));
        found.extend(needed.map(|(_, extension)| (*extension).to_string()));
        found
    }

    /// Columns of a table whose type is a stand-in.
    pub fn stubbed_columns(&self, entry: &Entry) -> Vec<String> {
        if entry.desc != ObjectKind::Table {
            return Vec::new();
        }
        let schema = entry.schema.as_deref().unwrap_or_default();
        let table = self.inventory.tables.iter().find(|t| t.name.schema == schema && t.name.name == entry.tag);
        let types: Vec<&str> = self.members.iter().filter(|o| is_base(o)).map(|o| o.identity.as_str()).collect();
        let columns = table.into_iter().flat_map(|t| &t.columns);
        let stubbed = columns.filter(|c| types.iter().any(|name| mentions(&c.type_name, name)));
        stubbed.map(|c| c.name.clone()).collect()
    }

    /// The statements that create all stand-ins, in order.
    pub fn statements(&self) -> Vec<String> {
        let mut sql = self.schemas();
        let types = |wanted: fn(&CatalogObject) -> bool| self.members.iter().filter(move |o| wanted(o));
        sql.extend(types(is_base).map(|o| format!("CREATE TYPE {}", o.identity)));
        sql.extend(types(is_base).flat_map(|o| self.base_type(o)));
        for object in self.members.iter().filter(|o| o.kind == ObjectKind::Type && !is_base(o)) {
            let words = object.definition.split(" (").next().unwrap_or_default();
            let list = &object.definition[words.len()..];
            match words {
                "ENUM" => sql.push(format!("CREATE TYPE {} AS ENUM{list}", object.identity)),
                "COMPOSITE" => sql.push(warn_on_failure(&format!("CREATE TYPE {} AS{list}", object.identity))),
                _ if words.starts_with("RANGE SUBTYPE ") => sql.extend(range(object)),
                _ => {}
            }
        }
        let domains = self.members.iter().filter(|o| o.kind == ObjectKind::Domain);
        sql.extend(domains.map(|o| format!("CREATE DOMAIN {} {}", o.identity, o.definition)));
        for object in &self.members {
            match object.kind {
                ObjectKind::ProceduralLanguage => {
                    sql.push(format!("CREATE LANGUAGE {} HANDLER pg_catalog.plpgsql_call_handler", object.identity))
                }
                ObjectKind::ForeignDataWrapper => sql.push(format!("CREATE FOREIGN DATA WRAPPER {}", object.identity)),
                _ => {}
            }
        }
        sql.extend(self.members.iter().filter_map(|o| self.routine(o)).map(|text| warn_on_failure(&text)));
        sql.extend(self.members.iter().filter_map(|o| operator(o)).map(|text| warn_on_failure(&text)));
        if sql.is_empty() {
            return sql;
        }
        sql.insert(0, "SET check_function_bodies = off".to_string());
        sql
    }

    /// The schemas of members: the extension's own, and others that may not exist yet.
    fn schemas(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for object in &self.members {
            if object.kind == ObjectKind::Schema {
                names.insert(object.identity.clone());
            } else if needs_schema(object)
                && let Some((schema, _)) = crate::model::identity::qualified(without_arguments(&object.identity))
            {
                names.insert(quoted_as_needed(&schema));
            }
        }
        names.iter().map(|name| format!("CREATE SCHEMA IF NOT EXISTS {name}")).collect()
    }

    /// A base type with the input and output functions of text: it returns its input byte for byte.
    fn base_type(&self, object: &CatalogObject) -> Vec<String> {
        let (name, definition) = (&object.identity, &object.definition);
        let (Some(input), Some(output)) = (value(definition, "INPUT"), value(definition, "OUTPUT")) else {
            return Vec::new();
        };
        // An input function may also take the type's OID and modifier: the stand-in must have the same signature.
        let input_takes = self.arguments_of(input).unwrap_or("cstring");
        let function = |name: &str, takes: &str, gives: &str, body: &str| {
            format!(
                "CREATE FUNCTION {name}({takes}) RETURNS {gives} LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS '{body}'"
            )
        };
        let mut sql = vec![function(input, input_takes, name, "textin"), function(output, name, "cstring", "textout")];
        let mut options = format!("INPUT = {input}, OUTPUT = {output}");
        if let Some(takes) = value(definition, "TYPMOD_IN") {
            // A modifier that is one number is kept. Others (`Point,4326`) are accepted and forgotten.
            let body = if self.has_odd_modifiers(name) { "array_ndims" } else { "varchartypmodin" };
            sql.push(function(takes, "cstring[]", "integer", body));
            // Without an output function (vector), the stored number would be shown.
            let gives = value(definition, "TYPMOD_OUT").unwrap_or("pg_catalog.varchartypmodout");
            if !gives.starts_with("pg_catalog.") {
                sql.push(function(gives, "integer", "cstring", "varchartypmodout"));
            }
            options.push_str(&format!(", TYPMOD_IN = {takes}, TYPMOD_OUT = {gives}"));
        }
        if value(definition, "COLLATABLE") == Some("t") || value(definition, "COLLATABLE") == Some("true") {
            options.push_str(", COLLATABLE = true");
        }
        if let Some(delimiter) = value(definition, "DELIMITER") {
            options.push_str(&format!(", DELIMITER = {}", literal(delimiter)));
        }
        sql.push(format!("CREATE TYPE {name} ({options}, STORAGE = extended)"));
        sql
    }

    fn arguments_of(&self, function: &str) -> Option<&str> {
        let object = self.members.iter().find(|o| {
            o.kind == ObjectKind::Function
                && without_arguments(&o.identity) == function
                && o.identity[function.len()..].starts_with("(cstring")
        })?;
        object.identity[function.len()..].strip_prefix('(')?.strip_suffix(')')
    }

    fn has_odd_modifiers(&self, type_name: &str) -> bool {
        let columns = self.inventory.tables.iter().flat_map(|t| &t.columns);
        let modifiers = columns.filter_map(|c| c.type_name.strip_prefix(type_name)?.strip_prefix('('));
        modifiers.filter_map(|rest| rest.split(')').next()).any(|m| m.parse::<u32>().is_err())
    }

    /// A function or procedure that returns nothing. `None`: PL/pgSQL cannot have this signature.
    fn routine(&self, object: &CatalogObject) -> Option<String> {
        if !matches!(object.kind, ObjectKind::Function | ObjectKind::Procedure)
            || object.definition.contains(" WINDOW ")
        {
            return None;
        }
        let (arguments, rest) = in_brackets(&object.definition)?;
        let (at, _) = find_outside(rest, &[" LANGUAGE "])?;
        let result = rest[..at].trim().strip_prefix("RETURNS ").unwrap_or_default();
        let head = format!("{arguments} {result}");
        let foreign = UNSTUBBABLE.iter().any(|word| mentions(&head, word));
        let of_tables = self.members.iter().any(|o| o.kind.is_table_like() && mentions(&head, &o.identity));
        if foreign || of_tables {
            return None;
        }
        let has_out = arguments.starts_with("OUT ")
            || arguments.starts_with("INOUT ")
            || arguments.contains(", OUT ")
            || arguments.contains(", INOUT ");
        let body = match result {
            "" | "void" | "event_trigger" => "BEGIN END",
            _ if result.starts_with("SETOF ") || result.starts_with("TABLE(") || has_out => "BEGIN RETURN; END",
            "trigger" => "BEGIN RETURN NEW; END",
            _ => "BEGIN RETURN NULL; END",
        };
        let volatility = [" IMMUTABLE ", " STABLE "].into_iter().find(|w| rest[at..].contains(w)).unwrap_or(" ");
        let returns = if result.is_empty() { String::new() } else { format!(" RETURNS {result}") };
        let name = without_arguments(&object.identity);
        Some(format!(
            "CREATE {} {name}({arguments}){returns} LANGUAGE plpgsql{volatility}AS {}",
            object.kind,
            dollar_quoted(body)
        ))
    }
}

/// Wraps a statement so that its failure is only a warning. What needs the stand-in then fails when it is created.
fn warn_on_failure(statement: &str) -> String {
    let body = format!(
        "BEGIN EXECUTE {}; EXCEPTION WHEN OTHERS THEN RAISE WARNING 'stand-in of an extension: %', SQLERRM; END",
        literal(statement)
    );
    format!("DO {}", dollar_quoted(&body))
}

fn operator(object: &CatalogObject) -> Option<String> {
    if object.kind != ObjectKind::Operator {
        return None;
    }
    let name = without_arguments(&object.identity);
    let arguments = object.identity.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
    let (at, _) = find_outside(arguments, &[","])?;
    let (left, right) = (&arguments[..at], &arguments[at + 1..]);
    let (_, function) = object.definition.split_once("FUNCTION ")?;
    let function = &function[..find_outside(function, &[" "]).map_or(function.len(), |(at, _)| at)];
    let sides = [("LEFTARG", left), ("RIGHTARG", right)].into_iter().filter(|(_, t)| *t != "NONE" && *t != "-");
    let sides: Vec<String> = sides.map(|(side, name)| format!("{side} = {name}")).collect();
    Some(format!("CREATE OPERATOR {name} (FUNCTION = {function}, {})", sides.join(", ")))
}

fn range(object: &CatalogObject) -> Option<String> {
    let (_, rest) = object.definition.split_once("SUBTYPE ")?;
    let (subtype, _) = rest.split_once(" OPCLASS ")?;
    Some(warn_on_failure(&format!("CREATE TYPE {} AS RANGE (SUBTYPE = {subtype})", object.identity)))
}

fn is_base(object: &CatalogObject) -> bool {
    object.kind == ObjectKind::Type && object.definition.starts_with("BASE ")
}

fn needs_schema(object: &CatalogObject) -> bool {
    matches!(
        object.kind,
        ObjectKind::Type | ObjectKind::Domain | ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Operator
    )
}

/// Is the entry about this table or view: its rows, its privileges, an object on it?
fn is_about(entry: &Entry, schema: &str, name: &str) -> bool {
    if entry.schema.as_deref() != Some(schema) {
        return false;
    }
    match entry.desc {
        ObjectKind::TableData
        | ObjectKind::SequenceSet
        | ObjectKind::MaterializedViewData
        | ObjectKind::RowSecurity => entry.tag == name,
        ObjectKind::Policy
        | ObjectKind::Trigger
        | ObjectKind::Rule
        | ObjectKind::Default
        | ObjectKind::CheckConstraint
        | ObjectKind::FkConstraint
        | ObjectKind::Constraint => entry.tag.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')),
        ObjectKind::Acl | ObjectKind::Comment | ObjectKind::SecurityLabel => {
            entry.tag.split_once(' ').is_some_and(|(kind, rest)| {
                matches!(kind, "TABLE" | "VIEW" | "SEQUENCE") && rest == name
                    || kind == "COLUMN" && rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
            })
        }
        ObjectKind::PublicationTable => entry.tag.ends_with(&format!(" {name}")),
        _ => false,
    }
}

fn quoted_as_needed(name: &str) -> String {
    let simple = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if simple { name.to_string() } else { crate::model::name::ident(name) }
}
