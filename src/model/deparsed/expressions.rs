//! Finds the expressions in an object's definition and what each of them may refer to.
//!
//! Invariant: pure. An expression is a range of the definition; the text between expressions has to be identical. It
//! never guesses: a definition that it does not understand has no expressions and is compared as plain text.

use std::ops::Range;

use super::columns::{ColumnValue, column_name, column_value, columns, commas, end_of_value};
use super::{Token, group_end, tokens};
use crate::model::identity::{identifier_end, on};
use crate::model::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;

/// The context of an expression, so that a parser can be given it. Relations are qualified and quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A value that refers to no relation.
    Value,
    /// A value that may refer to the columns of this relation.
    OfRelation(String),
    /// The WHEN condition of a trigger on this relation; may refer to `old` and `new`.
    OfTrigger(String),
    /// The check of this domain; may refer to `VALUE`.
    OfDomain(String),
    /// A whole SELECT.
    Query,
    /// The type of a view's column. It follows from the query: recreated, it may lose a length (`char(3)`, `bpchar`).
    ColumnType { query: String, number: usize },
    /// The action of a rule: everything after the name of its relation.
    Rule { event: String, relation: String },
    /// The argument list of a routine, with its parentheses.
    Arguments(Routine),
    /// A routine body that the server stores as a parse tree. It may qualify arguments with the routine's name.
    Body(Routine),
}

/// What is needed to create a copy of a routine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    pub is_procedure: bool,
    /// Without its schema, quoted.
    pub name: String,
    /// With the parentheses.
    pub arguments: String,
    /// `RETURNS …`, empty for a procedure.
    pub result: String,
    /// Quoted where needed.
    pub language: String,
}

/// One expression of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// Identifies the expression within its object: a column, `USING`, `WHERE`, …
    pub key: String,
    pub range: Range<usize>,
    pub form: Form,
}

/// The expressions of an object, in the order of its definition.
pub fn expressions(object: &CatalogObject) -> Vec<Expression> {
    found(object).unwrap_or_default()
}

fn found(object: &CatalogObject) -> Option<Vec<Expression>> {
    let definition = object.definition.as_str();
    // A routine's body may be plain source text, not deparsed text.
    if matches!(object.kind, ObjectKind::Function | ObjectKind::Procedure) {
        return routine(object);
    }
    let all = tokens(definition)?;
    match object.kind {
        ObjectKind::CheckConstraint => check(object, &all),
        ObjectKind::Constraint if all.first()?.is("EXCLUDE") => {
            let form = Form::OfRelation(on(&object.identity)?.1.to_string());
            let group = all.iter().position(Token::is_group)?;
            let mut found = elements(definition, &all[group], &form)?;
            // The condition is in parentheses, and words may follow it.
            found.extend(groups_after(&all[group..], &["WHERE"], &form));
            Some(found)
        }
        ObjectKind::Table | ObjectKind::ForeignTable => table(object, &all),
        ObjectKind::View | ObjectKind::MaterializedView => view(definition, &all),
        ObjectKind::Index => {
            let start = all.iter().position(|t| t.is("ON"))? + 1;
            let relation = relation_after(definition, &all[start..])?;
            elements_and_where(definition, &all, &Form::OfRelation(relation))
        }
        ObjectKind::Policy => {
            let form = Form::OfRelation(on(&object.identity)?.1.to_string());
            Some(groups_after(&all, &["USING", "CHECK"], &form))
        }
        ObjectKind::Trigger => {
            let form = Form::OfTrigger(on(&object.identity)?.1.to_string());
            Some(groups_after(&all, &["WHEN"], &form))
        }
        ObjectKind::PublicationTable => {
            let relation = &object.identity[..qualified_end(&object.identity)?];
            Some(groups_after(&all, &["WHERE"], &Form::OfRelation(relation.to_string())))
        }
        ObjectKind::Rule => rule(definition, &all),
        ObjectKind::Statistics => statistics(definition, &all),
        ObjectKind::Domain => {
            let at = all.iter().position(|t| t.is("DEFAULT"))?;
            let range = all.get(at + 1)?.start..definition.len();
            Some(vec![Expression { key: "DEFAULT".into(), range, form: Form::Value }])
        }
        _ => None,
    }
}

/// The byte after `schema.name` at the start of `text`.
fn qualified_end(text: &str) -> Option<usize> {
    let schema = identifier_end(text)?;
    let rest = text[schema..].strip_prefix('.')?;
    Some(schema + 1 + identifier_end(rest)?)
}

/// `[ONLY] schema.name` at the start of the tokens.
fn relation_after(definition: &str, rest: &[Token<'_>]) -> Option<String> {
    let first = if rest.first()?.is("ONLY") { rest.get(1)? } else { rest.first()? };
    let text = &definition[first.start..];
    Some(text[..qualified_end(text)?].to_string())
}

/// The contents of the groups directly after these keywords.
fn groups_after(all: &[Token<'_>], keywords: &[&str], form: &Form) -> Vec<Expression> {
    let pairs = all.iter().zip(all.iter().skip(1));
    let of = |(word, group): (&Token<'_>, &Token<'_>)| {
        let key = keywords.iter().find(|k| word.is(k)).filter(|_| group.is_group())?;
        Some(Expression { key: (*key).to_string(), range: inside(group), form: form.clone() })
    };
    pairs.filter_map(of).collect()
}

/// The range without the parentheses.
fn inside(group: &Token<'_>) -> Range<usize> {
    group.start + 1..group.end() - 1
}

fn check(object: &CatalogObject, all: &[Token<'_>]) -> Option<Vec<Expression>> {
    let place = on(&object.identity)?.1;
    let form = match place.strip_prefix("domain ") {
        Some(domain) => Form::OfDomain(domain.to_string()),
        None => Form::OfRelation(place.to_string()),
    };
    Some(groups_after(&all[..all.len().min(2)], &["CHECK"], &form))
}

/// `… USING method (elements) [INCLUDE (…)] [WITH (…)] [WHERE expression] keywords of the inventory`.
fn elements_and_where(definition: &str, all: &[Token<'_>], form: &Form) -> Option<Vec<Expression>> {
    let using = all.iter().position(|t| t.is("USING"))?;
    let group = all.iter().skip(using).position(Token::is_group)? + using;
    let mut found = elements(definition, &all[group], form)?;
    if let Some(at) = all.iter().skip(group).position(|t| t.is("WHERE")).map(|at| at + group + 1) {
        let end = end_of_value(&all[at..], &["INVALID", "NOT", "CLUSTERED", "REPLICA", "TABLESPACE", "STATISTICS"]);
        // `NOT READY` is the inventory's keyword; a deparsed `NOT x` would be in parentheses.
        let range = all.get(at)?.start..all.get(at + end.checked_sub(1)?)?.end();
        found.push(Expression { key: "WHERE".into(), range, form: form.clone() });
    }
    Some(found)
}

/// The expressions among the elements of an index, a key or statistics: `(…)` or a call. A plain column is none.
fn elements(definition: &str, group: &Token<'_>, form: &Form) -> Option<Vec<Expression>> {
    elements_of(definition, inside(group), form)
}

fn elements_of(definition: &str, range: Range<usize>, form: &Form) -> Option<Vec<Expression>> {
    let mut found = Vec::new();
    for (number, part) in commas(definition, range)?.into_iter().enumerate() {
        let inner = tokens(&definition[part.clone()])?;
        let value = match inner.first()? {
            first if first.is_group() => inside(first),
            first => match call_end(&inner) {
                Some(end) => first.start..end,
                None => continue,
            },
        };
        let range = part.start + value.start..part.start + value.end;
        found.push(Expression { key: format!("element {number}"), range, form: form.clone() });
    }
    Some(found)
}

/// The byte after a call at the start: `name(…)` or `schema.name(…)`. Other expressions that the server deparses
/// without parentheses (`COALESCE(…)`, `CAST`) end with a group too.
fn call_end(inner: &[Token<'_>]) -> Option<usize> {
    let mut at = 1;
    while inner.get(at)?.is_sign('.') {
        at += 2;
    }
    let group = inner.get(at)?;
    group.is_group().then(|| group.end())
}

fn table(object: &CatalogObject, all: &[Token<'_>]) -> Option<Vec<Expression>> {
    let definition = object.definition.as_str();
    let relation = Form::OfRelation(object.identity.clone());
    let mut found = Vec::new();
    for line in columns(definition)? {
        let text = &definition[line.clone()];
        let (range, form) = match column_value(text) {
            Some(ColumnValue::Default(range)) => (range, Form::Value),
            Some(ColumnValue::Generated(range)) => (range, relation.clone()),
            None => continue,
        };
        let key = format!("column {}", column_name(text)?);
        found.push(Expression { key, range: line.start + range.start..line.start + range.end, form });
    }
    if let Some(at) = all.iter().position(|t| t.is("PARTITION")) {
        let key = all.get(at + 3).filter(|t| t.is_group())?;
        let parts = elements(definition, key, &relation)?;
        found.extend(parts.into_iter().map(|e| Expression { key: format!("partition key {}", e.key), ..e }));
    }
    Some(found)
}

/// `… COLUMNS (name type, …) AS query;`: the query ends with its semicolon.
fn view(definition: &str, all: &[Token<'_>]) -> Option<Vec<Expression>> {
    let start = all.iter().position(|t| t.is("AS"))? + 1;
    let end = all.iter().rposition(|t| t.is_sign(';'))?;
    let range = all.get(start)?.start..all.get(end)?.start;
    let query = definition[range.clone()].to_string();
    let mut found = Vec::new();
    let list = all[..start].iter().zip(&all[1..]).find(|(word, group)| word.is("COLUMNS") && group.is_group());
    for (number, line) in commas(definition, inside(list?.1))?.into_iter().enumerate() {
        let inner = tokens(&definition[line.clone()])?;
        let last = inner.get(end_of_value(&inner, &["DEFAULT"]).checked_sub(1)?)?;
        let range = line.start + inner.get(1)?.start..line.start + last.end();
        let form = Form::ColumnType { query: query.clone(), number: number + 1 };
        found.push(Expression { key: format!("type {}", inner.first()?.text), range, form });
    }
    found.push(Expression { key: "query".into(), range, form: Form::Query });
    Some(found)
}

/// `CREATE RULE name AS ON event TO relation …;`
fn rule(definition: &str, all: &[Token<'_>]) -> Option<Vec<Expression>> {
    let on = all.iter().position(|t| t.is("ON"))?;
    let to = all.iter().position(|t| t.is("TO"))?;
    let relation = relation_after(definition, &all[to + 1..])?;
    let start = all.get(to + 1)?.start + relation.len();
    let end = all.iter().rposition(|t| t.is_sign(';'))?;
    let form = Form::Rule { event: all.get(on + 1)?.text.to_string(), relation };
    Some(vec![Expression { key: "rule".into(), range: start..all.get(end)?.start, form }])
}

/// `CREATE STATISTICS name [(kinds)] ON elements FROM relation`.
fn statistics(definition: &str, all: &[Token<'_>]) -> Option<Vec<Expression>> {
    let on = all.iter().position(|t| t.is("ON"))?;
    let from = all.iter().rposition(|t| t.is("FROM"))?;
    let relation = relation_after(definition, all.get(from + 1..)?)?;
    elements_of(definition, all.get(on)?.end()..all.get(from)?.start, &Form::OfRelation(relation))
}

/// A routine with argument defaults, or with a body stored as a parse tree: `(arguments) RETURNS … LANGUAGE …`.
fn routine(object: &CatalogObject) -> Option<Vec<Expression>> {
    let definition = object.definition.as_str();
    // A default may contain a line break, and a body any text.
    let end = definition.starts_with('(').then(|| group_end(definition, 0))??;
    let arguments = &definition[..end];
    let (head, body) = definition[end..].split_once('\n')?;
    let all = tokens(head)?;
    let at = all.iter().position(|t| t.is("LANGUAGE"))?;
    let language = all.get(at + 1)?;
    let is_parsed = language.text == "sql" && (body.starts_with("BEGIN ATOMIC") || body.starts_with("RETURN "));
    if !is_parsed && !arguments.contains(" DEFAULT ") {
        return None;
    }
    let schema = identifier_end(&object.identity)?;
    let name = object.identity[schema..].strip_prefix('.')?;
    let routine = Routine {
        is_procedure: object.kind == ObjectKind::Procedure,
        name: name[..identifier_end(name)?].to_string(),
        arguments: arguments.to_string(),
        result: head[..all[at].start].trim().to_string(),
        language: language.text.to_string(),
    };
    let form = Form::Arguments(routine.clone());
    let mut found = vec![Expression { key: "arguments".into(), range: 0..end, form }];
    if is_parsed {
        let range = definition.len() - body.len()..definition.len();
        found.push(Expression { key: "body".into(), range, form: Form::Body(routine) });
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    fn texts(kind: &str, identity: &str, definition: &str) -> Vec<String> {
        let object = object(kind, identity, definition);
        let text = |e: Expression| format!("{}: {}", e.key, &object.definition[e.range]);
        expressions(&object).into_iter().map(text).collect()
    }

    #[test]
    fn constraints_and_policies() {
        let check = "CHECK (((a)::text = ANY ((ARRAY['x)'::text])))) NOT VALID UNPROVED";
        let whole = ["CHECK: ((a)::text = ANY ((ARRAY['x)'::text])))"];
        assert_eq!(texts("CHECK CONSTRAINT", "c on public.t", check), whole);
        let exclude = "EXCLUDE USING gist (a WITH =, lower(b) WITH =, ((c)::text) WITH =) WHERE ((d > 1)) DEFERRABLE";
        let found = texts("CONSTRAINT", "c on public.t", exclude);
        assert_eq!(found, ["element 1: lower(b)", "element 2: (c)::text", "WHERE: (d > 1)"]);
        let more = format!("{exclude} INITIALLY DEFERRED\nINDEX WITH (fillfactor='50')");
        assert_eq!(texts("CONSTRAINT", "c on public.t", &more), found);
        let policy = "AS PERMISSIVE FOR ALL TO \"USING (x)\" USING ((a = 1)) WITH CHECK (b)";
        assert_eq!(texts("POLICY", "p on public.t", policy), ["USING: (a = 1)", "CHECK: b"]);
        assert!(texts("CONSTRAINT", "c on public.t", "UNIQUE (a)").is_empty());
    }

    #[test]
    fn of_a_trigger_the_condition_and_of_a_rule_the_action() {
        let trigger =
            "CREATE TRIGGER t BEFORE UPDATE ON public.t FOR EACH ROW WHEN ((new.a > 1)) EXECUTE FUNCTION f('WHEN (x)')";
        assert_eq!(texts("TRIGGER", "t on public.t", trigger), ["WHEN: (new.a > 1)"]);
        let definition =
            "CREATE RULE r AS\n    ON INSERT TO public.\"t ;\"\n   WHERE (new.a > 1) DO INSTEAD NOTHING; DISABLED";
        let rule = object("RULE", "r on public.\"t ;\"", definition);
        let found = expressions(&rule);
        assert_eq!(definition[found[0].range.clone()].trim(), "WHERE (new.a > 1) DO INSTEAD NOTHING");
        let form = Form::Rule { event: "INSERT".into(), relation: "public.\"t ;\"".into() };
        assert_eq!(found[0].form, form);
    }

    #[test]
    fn of_an_index_the_expressions_and_the_predicate() {
        let index = "CREATE INDEX i ON ONLY public.t USING btree (a DESC, lower(b) COLLATE \"C\" text_pattern_ops, \
                     ((c || 'x'::text))) WITH (fillfactor='70') WHERE active INVALID";
        let found = ["element 1: lower(b)", "element 2: (c || 'x'::text)", "WHERE: active"];
        assert_eq!(texts("INDEX", "public.i", index), found);
        let statistics = "CREATE STATISTICS public.s (mcv) ON a, ((b || 'FROM'::text)), lower(c) FROM public.t";
        let found = ["element 1: (b || 'FROM'::text)", "element 2: lower(c)"];
        assert_eq!(texts("STATISTICS", "public.s", statistics), found);
    }

    #[test]
    fn of_a_table_defaults_generated_columns_and_the_partition_key() {
        let table = "(\n  id bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,\n  a numeric(10,2) NOT NULL DEFAULT 1 + 2 STORAGE m,\n  \
                     \"b, c\" text DEFAULT ',\n  x'::text,\n  g text GENERATED ALWAYS AS (lower(\"b, c\")) STORED STATISTICS 5\n) \
                     PARTITION BY RANGE (id, ((a)::text)) WITH ()";
        let found = [
            "column a: 1 + 2",
            "column \"b, c\": ',\n  x'::text",
            "column g: lower(\"b, c\")",
            "partition key element 1: (a)::text",
        ];
        assert_eq!(texts("TABLE", "public.t", table), found);
    }

    #[test]
    fn of_views_the_query_and_of_routines_arguments_and_body() {
        let view = "WITH (security_invoker=true) COLUMNS (a text) AS  SELECT 'x;'::text AS a; WITH DATA";
        assert_eq!(texts("MATERIALIZED VIEW", "public.v", view), ["type a: text", "query: SELECT 'x;'::text AS a"]);
        let view = "COLUMNS (\"a b\" numeric(8,2), c character varying(3) DEFAULT 'x'::text) AS  SELECT 1;";
        assert_eq!(texts("VIEW", "s.v", view)[..2], ["type \"a b\": numeric(8,2)", "type c: character varying(3)"]);
        let definition = "(a text DEFAULT 'x\n('::text) RETURNS TABLE(b integer) LANGUAGE sql STABLE AS \nBEGIN ATOMIC\n SELECT a;\nEND";
        let found = ["arguments: (a text DEFAULT 'x\n('::text)", "body: BEGIN ATOMIC\n SELECT a;\nEND"];
        assert_eq!(texts("FUNCTION", "public.f(integer)", definition), found);
        assert!(texts("FUNCTION", "public.f()", "() RETURNS void LANGUAGE plpgsql AS \nbegin end").is_empty());
        assert_eq!(texts("DOMAIN", "public.d", "AS text NOT NULL DEFAULT 'x'::text"), ["DEFAULT: 'x'::text"]);
    }
}
