//! Builds a `DO` block that carries a state as JSON and makes the target equal to it, changing only what differs.
//!
//! Invariant: the block's text is ours (`sql/*_apply.sql`). Text from the catalogs is inside one JSON literal, and the
//! block quotes it with `format('%I')` and `%L`. So no name can become SQL, and a second run changes nothing.

use serde_json::Value;

use crate::model::name::{dollar_quoted, literal};

/// The placeholder for the literal in a template.
const DATA: &str = "/*DATA*/";

/// A statement without its semicolon: `template` with `data` in place of the placeholder.
pub fn do_block(template: &str, data: &Value) -> String {
    let body = template.replacen(DATA, literal(&lines(data)).trim_start(), 1);
    format!("DO {}", dollar_quoted(&body))
}

/// JSON with one line per element of the top-level lists, so that it can be read and compared.
fn lines(data: &Value) -> String {
    let Value::Object(fields) = data else { return data.to_string() };
    let mut parts = Vec::new();
    for (key, value) in fields {
        let text = match value {
            Value::Array(items) if !items.is_empty() => {
                let rows: Vec<String> = items.iter().map(|item| format!("  {item}")).collect();
                format!("[\n{}\n]", rows.join(",\n"))
            }
            other => other.to_string(),
        };
        parts.push(format!("{}: {text}", Value::from(key.as_str())));
    }
    format!("{{{}}}", parts.join(",\n "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn trap_13_a_name_stays_inside_its_literal() {
        let sql = do_block("x := /*DATA*/;", &json!({"rows": ["a'; DROP TABLE t; --", "$stacksnap$\n\\! touch x"]}));
        assert!(sql.starts_with("DO $stacksnapx$x := E'"), "{sql}");
        assert!(sql.contains("a''; DROP TABLE"));
        assert!(!sql.contains("\n\\!"));
    }

    #[test]
    fn the_lines_are_still_the_same_json() {
        let data = json!({"server": 15, "groups": [{"a": [1]}, {"b": null}], "none": []});
        assert_eq!(serde_json::from_str::<Value>(&lines(&data)).unwrap(), data);
    }
}
