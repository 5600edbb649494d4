//! What two databases themselves differ in: encoding, locale, connection limit and their kind. Pure.
//!
//! Invariant: a column that one of two major versions lacks is no difference; every other one is named, with whether it
//! can be changed once the database is there.

use crate::model::object_kind::ObjectKind;
use serde_json::Value;

use super::super::inventory::Inventory;
use super::versions::row;

/// Its kind in an inventory, which holds one of it.
const KIND: ObjectKind = ObjectKind::Database;

/// One property that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyDifference {
    /// The column of `pg_database`, or `encoding` or `tablespace`.
    pub column: String,
    pub was: String,
    pub is: String,
}

/// `ALTER DATABASE` changes these; the name of its option.
const SETTABLE: [(&str, &str); 2] = [("datconnlimit", "CONNECTION LIMIT"), ("datistemplate", "IS_TEMPLATE")];

const WORDS: [(&str, &str); 8] = [
    ("datconnlimit", "connection limit"),
    ("datistemplate", "template"),
    ("datallowconn", "allows connections"),
    ("datcollate", "collation"),
    ("datctype", "character type"),
    ("datlocprovider", "locale provider"),
    ("datlocale", "locale"),
    ("daticurules", "ICU rules"),
];

impl PropertyDifference {
    /// `ALTER DATABASE name` with this makes it as it was. None: only a new database can have it.
    pub fn put_back(&self) -> Option<String> {
        let option = SETTABLE.iter().find(|(column, _)| *column == self.column)?.1;
        // Numbers and booleans of our own catalogs, and nothing that a forged inventory could put there.
        let plain = self.was.parse::<i32>().is_ok() || matches!(self.was.as_str(), "true" | "false");
        plain.then(|| format!("{option} {}", self.was))
    }

    /// The name for a person.
    pub fn word(&self) -> &str {
        WORDS.iter().find(|(column, _)| *column == self.column).map_or(&self.column, |(_, word)| word)
    }

    /// `locale provider icu, here libc`
    pub fn told(&self) -> String {
        format!("{} {}, here {}", self.word(), self.shown(&self.was), self.shown(&self.is))
    }

    fn shown<'v>(&self, value: &'v str) -> &'v str {
        match (self.column.as_str(), value) {
            ("datlocprovider", "c") => "libc",
            ("datlocprovider", "i") => "icu",
            ("datlocprovider", "b") => "builtin",
            ("datconnlimit", "-1") => "none",
            ("datistemplate" | "datallowconn", "true") => "yes",
            ("datistemplate" | "datallowconn", "false") => "no",
            (_, "null") => "none",
            (_, value) => value,
        }
    }
}

/// What `is` has otherwise than `was`. Nothing when one of them does not say what its database is.
pub fn database_properties(was: &Inventory, is: &Inventory) -> Vec<PropertyDifference> {
    let definition = |inventory: &Inventory| inventory.of_kind(KIND).next().map(|object| object.definition.clone());
    match (definition(was), definition(is)) {
        (Some(was), Some(is)) => of_definitions(&was, &is),
        _ => Vec::new(),
    }
}

fn of_definitions(was: &str, is: &str) -> Vec<PropertyDifference> {
    let (Some((head_was, row_was)), Some((head_is, row_is))) = (parts(was), parts(is)) else { return Vec::new() };
    let difference = |column: &str, was: String, is: String| {
        (was != is).then(|| PropertyDifference { column: column.to_string(), was, is })
    };
    let mut all = Vec::new();
    all.extend(difference("encoding", head_was.0, head_is.0));
    all.extend(difference("tablespace", head_was.1, head_is.1));
    for (column, value) in &row_was {
        if let Some(other) = row_is.get(column) {
            all.extend(difference(column, text(value), text(other)));
        }
    }
    all
}

type Row = serde_json::Map<String, Value>;

/// `ENCODING e TABLESPACE t {…}`
fn parts(definition: &str) -> Option<((String, String), Row)> {
    let (head, json) = definition.split_at(definition.find('{')?);
    let (encoding, tablespace) = head.strip_prefix("ENCODING ")?.trim_end().split_once(" TABLESPACE ")?;
    Some(((encoding.to_string(), tablespace.to_string()), row(json)?))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(was: &str, is: &str) -> Vec<String> {
        of_definitions(was, is).iter().map(PropertyDifference::told).collect()
    }

    #[test]
    fn each_property_is_named_and_what_can_be_set_is_set() {
        let was =
            r#"ENCODING UTF8 TABLESPACE pg_default {"datconnlimit": 5, "datlocprovider": "i", "daticulocale": "en"}"#;
        let is = r#"ENCODING LATIN1 TABLESPACE pg_default {"datconnlimit": -1, "datlocprovider": "c", "daticulocale": null}"#;
        let mut all = told(was, is);
        all.sort();
        let expected = [
            "connection limit 5, here none",
            "encoding UTF8, here LATIN1",
            "locale en, here none",
            "locale provider icu, here libc",
        ];
        assert_eq!(all, expected);
        let statements: Vec<String> = of_definitions(was, is).iter().filter_map(PropertyDifference::put_back).collect();
        assert_eq!(statements, ["CONNECTION LIMIT 5"]);
        assert_eq!(told(was, was), Vec::<String>::new());
        let forged =
            PropertyDifference { column: "datconnlimit".into(), was: "1; DROP TABLE x".into(), is: "1".into() };
        assert_eq!(forged.put_back(), None);
    }

    #[test]
    fn a_column_that_one_version_lacks_or_calls_otherwise_is_none() {
        let was = r#"ENCODING UTF8 TABLESPACE pg_default {"daticulocale": "en", "datconnlimit": -1}"#;
        let is = r#"ENCODING UTF8 TABLESPACE pg_default {"datlocale": "en", "datconnlimit": -1, "daticurules": null}"#;
        assert_eq!(told(was, is), Vec::<String>::new());
    }
}
