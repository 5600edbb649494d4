//! Converts `name=value` of `setconfig` and `proconfig` to SQL.
//!
//! Invariant: a list setting (such as search_path) is stored with quoted elements, and is written as a list of
//! literals; any other value is one literal. Source: pg_dump's `variable_is_guc_list_quote`.

use crate::model::name::literal;

/// The only settings whose value is a list of quoted names. The server does not allow extensions to add one.
const LISTS: [&str; 7] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
    "oauth_validator_libraries",
];

/// One setting: its name, the stored value, and the elements that follow `TO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
    /// The elements of a list; one for any other value.
    pub items: Vec<String>,
}

impl Setting {
    /// Parses an element of `setconfig`; `None` without `=`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        let is_list = LISTS.iter().any(|list| list.eq_ignore_ascii_case(name));
        let items = match if is_list { split_list(value) } else { None } {
            Some(items) if !items.is_empty() => items,
            _ => vec![value.to_string()],
        };
        Some(Self { name: name.to_string(), value: value.to_string(), items })
    }

    /// The text after `TO`.
    pub fn sql_value(&self) -> String {
        self.items.iter().map(|i| conforming(i)).collect::<Vec<_>>().join(", ")
    }

    /// Does the name suggest that the value is a secret?
    pub fn looks_secret(&self) -> bool {
        let name = self.name.to_lowercase();
        ["secret", "password", "passwd", "token", "key", "credential", "jwt", "dsn", "conninfo"]
            .iter()
            .any(|word| name.contains(word))
    }
}

/// A literal as the server writes it in definitions, with plain backslashes. Only for text that runs under
/// `standard_conforming_strings = on`, which every file of ours sets first.
pub fn conforming(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A literal without the space before `E'…'`.
pub fn quoted(value: &str) -> String {
    literal(value).trim_start().to_string()
}

/// The elements of a stored list: bare words, or names in double quotes. `None` when it is not such a list.
fn split_list(value: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let mut item = String::new();
        if let Some(mut inside) = rest.strip_prefix('"') {
            loop {
                let end = inside.find('"')?;
                item.push_str(&inside[..end]);
                inside = &inside[end + 1..];
                let Some(more) = inside.strip_prefix('"') else { break };
                item.push('"');
                inside = more;
            }
            rest = inside.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            item.push_str(rest[..end].trim_end());
            rest = &rest[end..];
            if item.is_empty() || item.contains(char::is_whitespace) {
                return None;
            }
        }
        items.push(item);
        rest = match rest.strip_prefix(',') {
            Some(more) if !more.trim_start().is_empty() => more.trim_start(),
            Some(_) => return None,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_lists_and_the_rest_is_one_value() {
        let sql = |text: &str| Setting::parse(text).unwrap().sql_value();
        assert_eq!(sql("search_path=\"$user\", public, \"a\"\"b,c\""), "'$user', 'public', 'a\"b,c'");
        assert_eq!(sql("search_path=\"\""), "''");
        assert_eq!(sql("search_path="), "''");
        assert_eq!(sql("pgrst.db_schemas=public, api"), "'public, api'");
        assert_eq!(sql("app.x=it's a=b"), "'it''s a=b'");
        assert_eq!(sql("app.x=a\\b"), "'a\\b'");
        assert!(Setting::parse("nothing").is_none());
    }
}
