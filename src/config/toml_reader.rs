//! Reads a TOML table key by key; errors have their line.
//!
//! Invariant: an unknown key is an error with a suggestion. A value's text is never repeated, only its key and its
//! type, because it may be a misplaced secret.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::suggest::closest;
use crate::model::failure::{Failure, FailureKind, Result};

/// One table of the file.
#[derive(Clone)]
pub struct Reader<'a> {
    text: &'a str,
    /// `projects.shop`, for messages; empty at the top level.
    path: String,
    table: &'a DeTable<'a>,
}

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub line: usize,
}

/// The line number of a byte, from 1.
pub fn line_of(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// An error in the file.
pub fn mistake(line: usize, what: impl std::fmt::Display) -> Failure {
    Failure::msg(FailureKind::Configuration, format!("line {line}: {what}"))
}

impl<'a> Reader<'a> {
    /// The table at `path`, which may only contain the keys `known` (any key if `known` is empty).
    pub fn new(text: &'a str, path: &str, table: &'a DeTable<'a>, known: &[&str]) -> Result<Self> {
        let reader = Self { text, path: path.to_string(), table };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.is_empty() && !known.contains(&name) {
                let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
                let line = line_of(text, key.span().start);
                let failure = mistake(line, format!("unknown key '{}'{place}", name.escape_debug()));
                return Err(match closest(name, known.iter().copied()) {
                    Some(suggestion) => failure.hint(format!("did you mean '{suggestion}'?")),
                    None => failure.hint(format!("known here: {}", known.join(", "))),
                });
            }
        }
        Ok(reader)
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> Failure {
        let line = line_of(self.text, value.span().start);
        let found = value.get_ref().type_str();
        mistake(line, format!("'{}' must be {wanted}, not {found}", self.full(key)))
    }

    /// The raw value of a key.
    pub fn raw(&self, key: &str) -> Option<At<&'a DeValue<'a>>> {
        let value = self.table.get(key)?;
        Some(At { value: value.get_ref(), line: line_of(self.text, value.span().start) })
    }

    pub fn string(&self, key: &str) -> Result<Option<At<String>>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let text = value.get_ref().as_str().ok_or_else(|| self.wrong_type(key, value, "a text in quotes"))?;
        Ok(Some(At { value: text.to_string(), line: line_of(self.text, value.span().start) }))
    }

    /// A text that `parse` accepts; the error of `parse` is a sentence.
    pub fn parsed<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<At<T>>> {
        let Some(At { value, line }) = self.string(key)? else { return Ok(None) };
        let value = parse(&value).map_err(|what| mistake(line, format!("'{}': {what}", self.full(key))))?;
        Ok(Some(At { value, line }))
    }

    pub fn strings(&self, key: &str) -> Result<Option<At<Vec<String>>>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let wanted = "a list of texts";
        let array = value.get_ref().as_array().ok_or_else(|| self.wrong_type(key, value, wanted))?;
        let mut texts = Vec::new();
        for item in array.iter() {
            texts.push(item.get_ref().as_str().ok_or_else(|| self.wrong_type(key, item, wanted))?.to_string());
        }
        Ok(Some(At { value: texts, line: line_of(self.text, value.span().start) }))
    }

    /// A whole number, at least `least`.
    pub fn number(&self, key: &str, least: u32) -> Result<Option<At<u32>>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let line = line_of(self.text, value.span().start);
        let wrong = || mistake(line, format!("'{}' must be a whole number from {least} up", self.full(key)));
        let number = value.get_ref().as_integer().and_then(|i| u32::from_str_radix(i.as_str(), i.radix()).ok());
        let number = number.filter(|n| *n >= least).ok_or_else(wrong)?;
        Ok(Some(At { value: number, line }))
    }

    /// A nested table.
    pub fn table(&self, key: &str, known: &[&str]) -> Result<Option<Reader<'a>>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let table = value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, value, "a table"))?;
        Reader::new(self.text, &self.full(key), table, known).map(Some)
    }

    /// A list of tables, written as `[[key]]` or in one line.
    pub fn tables(&self, key: &str, known: &[&str]) -> Result<Vec<Reader<'a>>> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let wanted = "a list of tables";
        let array = value.get_ref().as_array().ok_or_else(|| self.wrong_type(key, value, wanted))?;
        let one = |item: &'a Spanned<DeValue<'a>>| {
            let table = item.get_ref().as_table().ok_or_else(|| self.wrong_type(key, item, wanted))?;
            Reader::new(self.text, &self.full(key), table, known)
        };
        array.iter().map(one).collect()
    }

    /// Every key and its line.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, usize)> + use<'a> {
        let (text, table) = (self.text, self.table);
        table.keys().map(move |key| (key.get_ref().as_ref(), line_of(text, key.span().start)))
    }
}
