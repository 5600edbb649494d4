//! The definition of one function or procedure as SQL, from its row in the snapshot.
//!
//! Invariant (trap 5): `pg_get_functiondef()` shows the newest body, not the snapshot's. So the text is built here,
//! exactly as the server would; a test on a server without concurrent DDL compares the two. Source: ruleutils.c.

use super::setting::{Setting, conforming};
use crate::model::name::ident;
use crate::pg::session::Row;

/// One row of `sql/functions.sql`.
#[derive(Debug, Clone, Default)]
pub struct FunctionRow {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// `f` function, `p` procedure, `w` window function, `a` aggregate.
    pub kind: String,
    pub sql_name: String,
    pub language: String,
    pub sql_language: String,
    pub input_types: Vec<String>,
    pub arg_types: Vec<String>,
    pub arg_modes: Vec<String>,
    pub arg_names: Vec<String>,
    pub defaults: Vec<String>,
    pub returns: Option<String>,
    pub returns_set: bool,
    pub transforms: Vec<String>,
    pub volatility: String,
    pub parallel: String,
    pub strict: bool,
    pub definer: bool,
    pub leakproof: bool,
    pub cost: Option<String>,
    pub rows: Option<String>,
    pub support: Option<String>,
    pub config: Vec<String>,
    pub source: Option<String>,
    pub library: Option<String>,
    pub sql_body: Option<String>,
    pub owner: String,
    pub comment: Option<String>,
    pub acl: Option<String>,
}

impl FunctionRow {
    pub fn read(row: &Row) -> Self {
        let defaults: Option<String> = row.get("defaults");
        let language: String = row.get("language");
        let (cost, rows): (f32, f32) = (row.get("cost_number"), row.get("rows_number"));
        let usual = if language == "internal" || language == "c" { 1.0 } else { 100.0 };
        Self {
            oid: row.get("oid"),
            schema: row.get("schema"),
            name: row.get("name"),
            kind: row.get("kind"),
            sql_name: row.get("sql_name"),
            sql_language: row.get("sql_language"),
            input_types: row.get("input_types"),
            arg_types: row.get("arg_types"),
            arg_modes: row.get::<_, Option<Vec<String>>>("arg_modes").unwrap_or_default(),
            arg_names: row.get("arg_names"),
            defaults: defaults.as_deref().map(split_expressions).unwrap_or_default(),
            returns: row.get("returns"),
            returns_set: row.get("returns_set"),
            transforms: row.get("transforms"),
            volatility: row.get("volatility"),
            parallel: row.get("parallel"),
            strict: row.get("strict"),
            definer: row.get("definer"),
            leakproof: row.get("leakproof"),
            cost: (cost != usual).then(|| row.get("cost")),
            rows: (rows > 0.0 && rows != 1000.0).then(|| row.get("rows")),
            support: row.get("support"),
            config: row.get::<_, Option<Vec<String>>>("config").unwrap_or_default(),
            source: row.get("source"),
            library: row.get("library"),
            sql_body: row.get("sql_body"),
            owner: row.get("owner"),
            comment: row.get("comment"),
            acl: row.get("acl"),
            language,
        }
    }

    /// `schema.name(input types)`, as `to_regprocedure` takes it.
    pub fn signature(&self) -> String {
        format!("{}({})", self.sql_name, self.input_types.join(","))
    }

    fn mode(&self, i: usize) -> &str {
        self.arg_modes.get(i).map_or("i", String::as_str)
    }

    pub fn arg_name(&self, i: usize) -> &str {
        self.arg_names.get(i).map_or("", String::as_str)
    }

    /// The arguments as CREATE takes them, or the columns of RETURNS TABLE.
    fn arguments(&self, table_columns: bool) -> String {
        let inputs = self.input_types.len();
        let without_default = inputs.saturating_sub(self.defaults.len());
        let mut seen = 0;
        let mut out = Vec::new();
        for (i, type_name) in self.arg_types.iter().enumerate() {
            let (word, is_input) = match self.mode(i) {
                "b" => ("INOUT ", true),
                "o" => ("OUT ", false),
                "v" => ("VARIADIC ", true),
                "t" => ("", false),
                _ => (if self.kind == "p" { "IN " } else { "" }, true),
            };
            seen += usize::from(is_input);
            if table_columns != (self.mode(i) == "t") {
                continue;
            }
            let name = self.arg_name(i);
            let space = if name.is_empty() { "" } else { " " };
            let mut text = format!("{word}{name}{space}{type_name}");
            if is_input && seen > without_default {
                text.push_str(" DEFAULT ");
                text.push_str(&self.defaults[seen - without_default - 1]);
            }
            out.push(text);
        }
        out.join(", ")
    }

    fn result(&self) -> String {
        let plain = self.returns.clone().unwrap_or_default();
        match (self.returns_set, self.arguments(true)) {
            (true, columns) if !columns.is_empty() => format!("TABLE({columns})"),
            (true, _) => format!("SETOF {plain}"),
            (false, _) => plain,
        }
    }

    /// `CREATE OR REPLACE FUNCTION …`, equal to `pg_get_functiondef` if there is no concurrent DDL.
    pub fn definition(&self) -> String {
        let word = if self.kind == "p" { "PROCEDURE" } else { "FUNCTION" };
        let mut out = format!("CREATE OR REPLACE {word} {}({})\n", self.sql_name, self.arguments(false));
        if self.kind != "p" {
            out.push_str(&format!(" RETURNS {}\n", self.result()));
        }
        if !self.transforms.is_empty() {
            let types: Vec<String> = self.transforms.iter().map(|t| format!("FOR TYPE {t}")).collect();
            out.push_str(&format!(" TRANSFORM {}\n", types.join(", ")));
        }
        out.push_str(&format!(" LANGUAGE {}\n", self.sql_language));
        let options = self.options();
        if !options.is_empty() {
            out.push_str(&options);
            out.push('\n');
        }
        for setting in self.config.iter().filter_map(|text| Setting::parse(text)) {
            out.push_str(&format!(" SET {} TO {}\n", setting_name(&setting.name), setting.sql_value()));
        }
        out.push_str(&self.body());
        out.push('\n');
        out
    }

    fn options(&self) -> String {
        let mut out = String::new();
        let mut add = |when: bool, text: &str| {
            if when {
                out.push(' ');
                out.push_str(text);
            }
        };
        add(self.kind == "w", "WINDOW");
        add(self.volatility == "i", "IMMUTABLE");
        add(self.volatility == "s", "STABLE");
        add(self.parallel == "s", "PARALLEL SAFE");
        add(self.parallel == "r", "PARALLEL RESTRICTED");
        add(self.strict, "STRICT");
        add(self.definer, "SECURITY DEFINER");
        add(self.leakproof, "LEAKPROOF");
        for (word, value) in [("COST", &self.cost), ("ROWS", &self.rows), ("SUPPORT", &self.support)] {
            if let Some(value) = value {
                add(true, &format!("{word} {value}"));
            }
        }
        out
    }

    fn body(&self) -> String {
        if let Some(body) = &self.sql_body {
            return body.clone();
        }
        let library = self.library.as_ref().map(|l| format!("{}, ", conforming(l))).unwrap_or_default();
        let source = self.source.as_deref().unwrap_or_default();
        let mut tag = if self.kind == "p" { "$procedure" } else { "$function" }.to_string();
        while source.contains(&tag) {
            tag.push('x');
        }
        format!("AS {library}{tag}${source}{tag}$")
    }
}

/// A setting's name, unquoted only if that is certainly valid. `app.x` is one name that contains a dot.
fn setting_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts_well && name.chars().all(plain) { name.to_string() } else { ident(name) }
}

/// Splits a deparsed list of expressions at its top-level commas.
pub fn split_expressions(list: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut depth = 0_i32;
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                items.push(std::mem::take(&mut item).trim().to_string());
                continue;
            }
            _ => {}
        }
        if c == '\'' || c == '"' {
            let escapes = c == '\'' && item.ends_with('E');
            item.push(c);
            while let Some(inside) = chars.next() {
                item.push(inside);
                if inside == '\\' && escapes {
                    item.extend(chars.next());
                } else if inside == c {
                    break;
                }
            }
            continue;
        }
        item.push(c);
    }
    items.push(item.trim().to_string());
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commas_inside_are_not_commas_between() {
        let list = "'a, b'::text, ARRAY[1, 2], f(1, ')'), E'it\\'s, ', '''', \"A,\"(1), 3";
        assert_eq!(
            split_expressions(list),
            ["'a, b'::text", "ARRAY[1, 2]", "f(1, ')')", "E'it\\'s, '", "''''", "\"A,\"(1)", "3"]
        );
    }

    proptest! {
        #[test]
        fn any_literals_are_split_again(values in proptest::collection::vec("\\PC{0,12}", 1..5)) {
            let literals: Vec<String> = values.iter().map(|v| format!("{}::text", crate::collect::setting::quoted(v))).collect();
            prop_assert_eq!(split_expressions(&literals.join(", ")), literals);
        }
    }
}
