//! The definition of one aggregate as SQL: `pg_get_functiondef` does not support aggregates.
//!
//! Invariant: every property of `pg_aggregate` is written: transition, final, combine and serial functions, moving
//! mode, ordered-set and hypothetical-set kinds, sort operator, parallel safety. Source: CREATE AGGREGATE, ruleutils.c.

use super::function_def::FunctionRow;
use super::setting::quoted;
use crate::pg::session::Row;

/// One row of `sql/aggregates.sql`.
#[derive(Debug, Clone, Default)]
pub struct AggregateRow {
    /// `n` normal, `o` ordered-set, `h` hypothetical-set.
    pub kind: String,
    pub direct_args: usize,
    /// Keyword and value, in the order in which they are written.
    properties: Vec<(&'static str, Option<String>)>,
}

impl AggregateRow {
    pub fn read(row: &Row) -> Self {
        let text = |name: &str| row.get::<_, Option<String>>(name);
        let space = |name: &str| Some(row.get::<_, i32>(name)).filter(|n| *n > 0).map(|n| n.to_string());
        let modify = |function: &str, name: &str| {
            let word = match row.get::<_, String>(name).as_str() {
                "s" => "SHAREABLE",
                "w" => "READ_WRITE",
                _ => "READ_ONLY",
            };
            text(function).map(|_| word.to_string())
        };
        let flag = |name: &str| row.get::<_, bool>(name).then(String::new);
        let properties = vec![
            ("SFUNC", text("sfunc")),
            ("STYPE", text("state_type")),
            ("SSPACE", space("state_space")),
            ("FINALFUNC", text("finalfunc")),
            ("FINALFUNC_EXTRA", flag("finalfunc_extra")),
            ("FINALFUNC_MODIFY", modify("finalfunc", "finalfunc_modify")),
            ("COMBINEFUNC", text("combinefunc")),
            ("SERIALFUNC", text("serialfunc")),
            ("DESERIALFUNC", text("deserialfunc")),
            ("INITCOND", text("initcond").map(|v| quoted(&v))),
            ("MSFUNC", text("msfunc")),
            ("MINVFUNC", text("minvfunc")),
            ("MSTYPE", text("moving_type")),
            ("MSSPACE", space("moving_space")),
            ("MFINALFUNC", text("mfinalfunc")),
            ("MFINALFUNC_EXTRA", flag("mfinalfunc_extra")),
            ("MFINALFUNC_MODIFY", modify("mfinalfunc", "mfinalfunc_modify")),
            ("MINITCOND", text("minitcond").map(|v| quoted(&v))),
            ("SORTOP", text("sortop")),
        ];
        let direct_args = usize::try_from(row.get::<_, i32>("direct_args")).unwrap_or(0);
        Self { kind: row.get("kind"), direct_args, properties }
    }

    /// `CREATE OR REPLACE AGGREGATE …`
    pub fn definition(&self, function: &FunctionRow) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (word, value) in &self.properties {
            match value {
                Some(value) if value.is_empty() => parts.push((*word).to_string()),
                Some(value) => parts.push(format!("{word} = {value}")),
                None => {}
            }
        }
        match function.parallel.as_str() {
            "s" => parts.push("PARALLEL = SAFE".to_string()),
            "r" => parts.push("PARALLEL = RESTRICTED".to_string()),
            _ => {}
        }
        if self.kind == "h" {
            parts.push("HYPOTHETICAL".to_string());
        }
        let arguments = self.arguments(function);
        format!("CREATE OR REPLACE AGGREGATE {}({arguments}) (\n  {}\n)\n", function.sql_name, parts.join(",\n  "))
    }

    /// Direct arguments, ORDER BY, aggregated arguments. A final VARIADIC argument that is both is written twice.
    fn arguments(&self, function: &FunctionRow) -> String {
        let args: Vec<String> = function
            .input_types
            .iter()
            .enumerate()
            .map(|(i, type_name)| {
                let variadic = function.arg_modes.get(i).is_some_and(|m| m == "v");
                let name = function.arg_name(i);
                let space = if name.is_empty() { "" } else { " " };
                format!("{}{name}{space}{type_name}", if variadic { "VARIADIC " } else { "" })
            })
            .collect();
        if self.kind == "n" {
            return if args.is_empty() { "*".to_string() } else { args.join(", ") };
        }
        let (direct, ordered) = args.split_at(self.direct_args.min(args.len()));
        let ordered = match (ordered, direct.last()) {
            ([], Some(both)) => both.clone(),
            (list, _) => list.join(", "),
        };
        let space = if direct.is_empty() { "" } else { " " };
        format!("{}{space}ORDER BY {ordered}", direct.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(types: &[&str], modes: &[&str]) -> FunctionRow {
        FunctionRow {
            sql_name: "s.agg".to_string(),
            input_types: types.iter().map(ToString::to_string).collect(),
            arg_modes: modes.iter().map(ToString::to_string).collect(),
            ..FunctionRow::default()
        }
    }

    #[test]
    fn the_argument_list_of_each_kind() {
        let args = |kind: &str, direct_args, types: &[&str], modes: &[&str]| {
            let row = AggregateRow { kind: kind.to_string(), direct_args, properties: Vec::new() };
            row.arguments(&function(types, modes))
        };
        assert_eq!(args("n", 0, &[], &[]), "*");
        assert_eq!(args("n", 0, &["integer", "text"], &[]), "integer, text");
        assert_eq!(args("o", 1, &["double precision", "anyelement"], &[]), "double precision ORDER BY anyelement");
        assert_eq!(args("o", 0, &["anyelement"], &[]), "ORDER BY anyelement");
        assert_eq!(args("h", 1, &["\"any\""], &["v"]), "VARIADIC \"any\" ORDER BY VARIADIC \"any\"");
    }
}
