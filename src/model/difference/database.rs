//! Compares the properties of two databases: encoding, locale, connection limit, locale provider. Pure.
//!
//! Invariant: a column that one of the two major versions lacks is no difference; every other difference is reported,
//! with whether `ALTER DATABASE` can change it. Never connects to a database.

use crate::model::object_kind::ObjectKind;
use serde_json::Value;

use super::super::inventory::Inventory;
use super::versions::row;

/// The inventory has one object of this kind.
const KIND: ObjectKind = ObjectKind::Database;

/// One property that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyDifference {
    /// The column of `pg_database`, or `encoding` or `tablespace`.
    pub column: String,
    pub was: String,
    pub is: String,
}

/// Columns that `ALTER DATABASE` can change, with the name of the option.
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
    /// The option that restores the value with `ALTER DATABASE name …`. `None`: only a new database can have the value.
    pub fn alter_option(&self) -> Option<String> {
        let option = SETTABLE.iter().find(|(column, _)| *column == self.column)?.1;
        // Only numbers and booleans, as our catalogs write them: a forged inventory cannot smuggle SQL in here.
        let plain = self.was.parse::<i32>().is_ok() || matches!(self.was.as_str(), "true" | "false");
        plain.then(|| format!("{option} {}", self.was))
    }

    /// The property's name for people.
    pub fn word(&self) -> &str {
        WORDS.iter().find(|(column, _)| *column == self.column).map_or(&self.column, |(_, word)| word)
    }

    /// A sentence for people: `locale provider icu, here libc`.
    pub fn sentence(&self) -> String {
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

/// The properties in which `is` differs from `was`. Empty if one of the inventories has no DATABASE object.
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
        of_definitions(was, is).iter().map(PropertyDifference::sentence).collect()
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
        let statements: Vec<String> =
            of_definitions(was, is).iter().filter_map(PropertyDifference::alter_option).collect();
        assert_eq!(statements, ["CONNECTION LIMIT 5"]);
        assert_eq!(told(was, was), Vec::<String>::new());
        let forged =
            PropertyDifference { column: "datconnlimit".into(), was: "1; DROP TABLE x".into(), is: "1".into() };
        assert_eq!(forged.alter_option(), None);
    }

    #[test]
    fn a_column_that_one_version_lacks_or_calls_otherwise_is_none() {
        let was = r#"ENCODING UTF8 TABLESPACE pg_default {"daticulocale": "en", "datconnlimit": -1}"#;
        let is = r#"ENCODING UTF8 TABLESPACE pg_default {"datlocale": "en", "datconnlimit": -1, "daticurules": null}"#;
        assert_eq!(told(was, is), Vec::<String>::new());
    }
}
