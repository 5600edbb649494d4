//! `[projects.NAME.tenants]`: how a person decides what cannot be seen, and the two small languages in it.
//!
//! Invariant: nothing of it reaches a server as it was written but `tenants_query`: conditions and joins are parsed, names
//! are compared with the catalogs and quoted again, values are literals. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::QualifiedName;

/// The block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantSettings {
    pub root: Option<QualifiedName>,
    pub key: Option<String>,
    pub label: Option<String>,
    pub membership: Option<QualifiedName>,
    /// Names of tenant columns, the best first; they come before those that are known.
    pub columns: Vec<String>,
    pub shared_tables: Vec<QualifiedName>,
    /// Gives id and label where there is no root table.
    pub tenants_query: Option<String>,
    pub references: Vec<VirtualReference>,
    /// By table: the parent table or the column that decides.
    pub owner_via: BTreeMap<QualifiedName, String>,
    /// By bucket.
    pub storage: BTreeMap<String, StorageRule>,
    /// The column that says when a row was changed.
    pub changed_column: Option<String>,
    /// What must not be missing or empty.
    pub required_tables: Vec<QualifiedName>,
}

/// A reference that no foreign key declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualReference {
    pub table: QualifiedName,
    pub parent: QualifiedName,
    pub when: Vec<Condition>,
    pub on: Vec<Equality>,
}

/// `column = 'value'` or `column IN ('a', 'b')`, compared as texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub column: String,
    pub values: Vec<String>,
}

/// `p.column[::text] = t.column[::text]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equality {
    pub child: Operand,
    pub parent: Operand,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operand {
    pub column: String,
    pub as_text: bool,
}

/// How files of a bucket belong to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageRule {
    /// By `owner_id`, where tenants are users.
    Owner,
    /// By the folder at this place of the path, below the folders before it.
    Path(Vec<Segment>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    Literal(String),
    Any,
    Tenant,
}

impl StorageRule {
    /// `owner`, or folders with one `{tenant}` among them: `{tenant}/`, `orgs/{tenant}/`, `*/{tenant}/`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "owner" {
            return Ok(Self::Owner);
        }
        let text = text.strip_prefix("{bucket}/").unwrap_or(text);
        let mut segments = Vec::new();
        for part in text.split('/') {
            match part {
                "{tenant}" => {
                    segments.push(Segment::Tenant);
                    return Ok(Self::Path(segments));
                }
                "*" => segments.push(Segment::Any),
                "" => break,
                part if part.contains(['{', '}', '*']) => break,
                part => segments.push(Segment::Literal(part.to_string())),
            }
        }
        Err(format!(
            "'{text}' has no folder {{tenant}}: write \"{{tenant}}/\", \"folder/{{tenant}}/\", \"*/{{tenant}}/\" or \"owner\""
        ))
    }

    pub fn text(&self) -> String {
        match self {
            Self::Owner => "owner".to_string(),
            Self::Path(segments) => segments
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => format!("{text}/"),
                    Segment::Any => "*/".to_string(),
                    Segment::Tenant => "{tenant}/".to_string(),
                })
                .collect(),
        }
    }
}

impl VirtualReference {
    /// From the texts of the configuration. In `on`, `t` is the table and `p` its parent.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(table: &str, parent: &str, when: Option<&str>, on: &str) -> Result<Self, String> {
        let when = when.map(conditions).transpose().map_err(|what| format!("'when' {what}"))?.unwrap_or_default();
        let on = equalities(on).map_err(|what| format!("'on' {what}"))?;
        Ok(Self { table: QualifiedName::parse(table)?, parent: QualifiedName::parse(parent)?, when, on })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Value(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' => quoted(rest, '\'').map(|(value, after)| (Token::Value(value), after))?,
            '"' => quoted(rest, '"').map(|(name, after)| (Token::Name(name), after))?,
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                (Token::Name(rest[..end].to_lowercase()), &rest[end..])
            }
            _ => {
                let signs = ["::", "=", ".", ",", "(", ")"];
                let sign = signs.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("holds '{first}', which is not understood"))?;
                (Token::Sign(sign), &rest[sign.len()..])
            }
        };
        found.push(token);
        rest = after.trim_start();
    }
    Ok(found)
}

/// What stands between quotes, and what follows; a doubled quote is one.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            out.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            out.push(quote);
            chars.next();
        } else {
            return Ok((out, &text[at + c.len_utf8()..]));
        }
    }
    Err(format!("has a {quote} that is not closed"))
}

/// Parts between AND.
fn parts(text: &str) -> Result<Vec<Vec<Token>>, String> {
    let tokens = tokens(text)?;
    Ok(tokens.split(|token| *token == Token::Name("and".to_string())).map(<[Token]>::to_vec).collect())
}

fn conditions(text: &str) -> Result<Vec<Condition>, String> {
    let wanted = || "is made of: column = 'value', column IN ('a', 'b'), AND".to_string();
    parts(text)?
        .iter()
        .map(|part| {
            let part = match part.as_slice() {
                [Token::Name(alias), Token::Sign("."), rest @ ..] if alias == "t" => rest,
                rest => rest,
            };
            match part {
                [Token::Name(column), Token::Sign("="), Token::Value(value)] => {
                    Ok(Condition { column: column.clone(), values: vec![value.clone()] })
                }
                [Token::Name(column), Token::Name(word), Token::Sign("("), list @ .., Token::Sign(")")]
                    if word == "in" =>
                {
                    let values = list.split(|t| *t == Token::Sign(",")).map(|item| match item {
                        [Token::Value(value)] => Ok(value.clone()),
                        _ => Err(wanted()),
                    });
                    Ok(Condition { column: column.clone(), values: values.collect::<Result<_, _>>()? })
                }
                _ => Err(wanted()),
            }
        })
        .collect()
}

fn equalities(text: &str) -> Result<Vec<Equality>, String> {
    let wanted = || "is made of: p.column = t.column, each with ::text if need be, AND".to_string();
    parts(text)?
        .iter()
        .map(|part| {
            let at = part.iter().position(|t| *t == Token::Sign("=")).ok_or_else(wanted)?;
            let (left, right) = (operand(&part[..at]), operand(&part[at + 1..]));
            match (left.ok_or_else(wanted)?, right.ok_or_else(wanted)?) {
                ((true, parent), (false, child)) | ((false, child), (true, parent)) => Ok(Equality { child, parent }),
                _ => Err(wanted()),
            }
        })
        .collect()
}

/// Whether it is the parent's, and the column.
fn operand(tokens: &[Token]) -> Option<(bool, Operand)> {
    let [Token::Name(alias), Token::Sign("."), Token::Name(column), cast @ ..] = tokens else { return None };
    let as_text = match cast {
        [] => false,
        [Token::Sign("::"), Token::Name(kind)] if kind == "text" => true,
        _ => return None,
    };
    let of_parent = match alias.as_str() {
        "p" => true,
        "t" => false,
        _ => return None,
    };
    Some((of_parent, Operand { column: column.clone(), as_text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_parsed_into_columns_and_values() {
        let on = "P.id::text = t.\"Owner \"\"Id\" AND t.org = p.org";
        let found =
            VirtualReference::parse("public.a", "public.b", Some("t.kind IN ('x''; DROP', 'y') and \"N\" = '1'"), on);
        let found = found.unwrap();
        let column = |name: &str, as_text| Operand { column: name.to_string(), as_text };
        assert_eq!(found.on[0], Equality { child: column("Owner \"Id", false), parent: column("id", true) });
        assert_eq!(found.on[1], Equality { child: column("org", false), parent: column("org", false) });
        assert_eq!(found.when[0], Condition { column: "kind".into(), values: vec!["x'; DROP".into(), "y".into()] });
        assert_eq!(found.when[1].column, "N");
    }

    #[test]
    fn anything_else_is_refused() {
        for on in [
            "",
            "p.id = p.id",
            "p.id = t.id OR true",
            "p.id = f(t.id)",
            "p.id::int = t.id",
            "true",
            "p.id = t.id; DROP",
            "p.id = t.\"id",
        ] {
            assert!(VirtualReference::parse("a.b", "a.c", None, on).is_err(), "{on}");
        }
        for when in ["", "true", "a = 1", "a = 'b' OR 1=1", "a IN ()", "a IN ('b'", "a LIKE 'b'", "a = 'b"] {
            assert!(VirtualReference::parse("a.b", "a.c", Some(when), "p.id = t.id").is_err(), "{when}");
        }
        assert!(VirtualReference::parse("b", "a.c", None, "p.id = t.id").is_err());
    }

    #[test]
    fn templates_of_paths() {
        let path = |text: &str| StorageRule::parse(text).map(|rule| rule.text());
        assert_eq!(path("{bucket}/{tenant}/…").unwrap(), "{tenant}/");
        assert_eq!(path("orgs/*/{tenant}").unwrap(), "orgs/*/{tenant}/");
        assert_eq!(StorageRule::parse("owner"), Ok(StorageRule::Owner));
        for wrong in ["", "a/b", "x{tenant}/", "{tenant", "a//{tenant}/"] {
            assert!(StorageRule::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[pt.:='\"() ,andi]{0,30}") {
            let _ = VirtualReference::parse(&text, &text, Some(&text), &text);
            let _ = StorageRule::parse(&text);
        }
    }
}
