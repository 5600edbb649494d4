//! Recreates an expression from its text, in the same kind of context, and reads the server's deparse of it.
//!
//! Invariant: it creates only temporary objects, drops each or rolls it back at once, and never uses them: no view is
//! selected from, no rule or function runs. A text that is not a single expression is never sent.

use crate::model::deparsed::expressions::{Form, Routine};
use crate::model::deparsed::{is_single, is_single_action, is_single_body};
use crate::model::failure::Result;
use crate::model::name::{ident, literal};
use crate::model::object_kind::ObjectKind;
use crate::pg::session::{Row, Session};

/// A text and its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub form: Form,
    pub text: String,
}

const SAVEPOINT: &str = "SAVEPOINT stacksnap_meaning";
const BACK: &str = "ROLLBACK TO SAVEPOINT stacksnap_meaning; RELEASE SAVEPOINT stacksnap_meaning";
const BASE_TYPE: &str = "SELECT pg_catalog.format_type(t.typbasetype, t.typtypmod) FROM pg_catalog.pg_type t \
    WHERE t.oid = pg_catalog.to_regtype($1) AND t.typtype = 'd'";

/// Whether this session can create temporary objects: not on a standby, and not without the TEMPORARY privilege.
pub async fn may_make(session: &Session) -> Result<bool> {
    let made = attempt(session, "CREATE TEMP VIEW stacksnap_view AS SELECT 1 AS a").await?;
    Ok(made)
}

/// The server's deparse of each text, in the same order. `None` if it cannot be recreated from its text.
pub async fn remade(session: &Session, texts: Vec<Text>) -> Result<Vec<Option<Text>>> {
    let mut statements = Vec::with_capacity(texts.len());
    for (number, text) in texts.iter().enumerate() {
        statements.push(statements_of(session, number, text).await?);
    }
    let mut shown: Vec<Option<String>> = vec![None; texts.len()];
    // A text that cannot be recreated fails its whole batch: the batch is then split in halves.
    let all: Vec<usize> = (0..texts.len()).filter(|n| statements[*n].is_some()).collect();
    let mut open = vec![all];
    while let Some(part) = open.pop() {
        if part.is_empty() {
            continue;
        }
        let sql: Vec<&str> = part.iter().filter_map(|n| statements[*n].as_deref()).collect();
        match read(session, &part, &sql.join(";\n")).await? {
            Some(read) => part.iter().zip(read).for_each(|(n, text)| shown[*n] = text),
            None if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                open.extend([first.to_vec(), second.to_vec()]);
            }
            None => {}
        }
    }
    Ok(texts.iter().zip(shown).map(|(text, shown)| again(&text.form, shown?)).collect())
}

/// Runs the statements, reads the results from the session's variables, and rolls everything back.
async fn read(session: &Session, numbers: &[usize], sql: &str) -> Result<Option<Vec<Option<String>>>> {
    session.execute(SAVEPOINT).await?;
    let columns: Vec<String> =
        numbers.iter().map(|n| format!("pg_catalog.current_setting('{}', true)", variable(*n))).collect();
    let query = format!("SELECT ARRAY[{}]::pg_catalog.text[]", columns.join(", "));
    let rows = match session.execute(sql).await {
        Ok(()) => session.rows(&query, &[]).await,
        Err(failure) => Err(failure),
    };
    match rows {
        Ok(rows) => {
            session.execute(BACK).await?;
            Ok(rows.first().and_then(|row: &Row| row.try_get::<_, Vec<Option<String>>>(0).ok()))
        }
        Err(failure) if session.is_closed() => Err(failure),
        Err(_) => {
            session.execute(BACK).await?;
            Ok(None)
        }
    }
}

async fn attempt(session: &Session, sql: &str) -> Result<bool> {
    session.execute(SAVEPOINT).await?;
    let done = session.execute(sql).await;
    if let (Err(failure), true) = (&done, session.is_closed()) {
        return Err(crate::model::failure::Failure::msg(failure.kind, failure.to_string()));
    }
    session.execute(BACK).await?;
    Ok(done.is_ok())
}

/// The variable that keeps a result until it is read.
fn variable(number: usize) -> String {
    format!("stacksnap.text_{number}")
}

/// The deparsed text in a form that can be recreated once more.
fn again(form: &Form, shown: String) -> Option<Text> {
    let form = match form {
        // The expression became a view, so its text is a query now.
        Form::Value | Form::OfRelation(_) | Form::OfTrigger(_) | Form::OfDomain(_) | Form::Query => Form::Query,
        Form::Arguments(routine) => Form::Arguments(Routine { arguments: shown.clone(), ..routine.clone() }),
        other => other.clone(),
    };
    let text = if form == Form::Query { shown.trim_end().strip_suffix(';')?.to_string() } else { shown };
    Some(Text { form, text })
}

/// Statements that create an object from the text, store its deparse, and drop it. `None` if the text cannot be sent.
async fn statements_of(session: &Session, number: usize, text: &Text) -> Result<Option<String>> {
    let sent = text.text.as_str();
    let may_be_sent = match &text.form {
        Form::ColumnType { query, .. } => is_single(query),
        Form::Rule { .. } => is_single_action(sent),
        Form::Body(routine) => is_single(&routine.arguments) && is_single_body(sent),
        _ => is_single(sent),
    };
    if !may_be_sent {
        return Ok(None);
    }
    let keep = |shown: &str| format!("SELECT pg_catalog.set_config('{}', {shown}, true)", variable(number));
    let view = |query: &str| {
        let kept = keep("pg_catalog.pg_get_viewdef('pg_temp.stacksnap_view'::pg_catalog.regclass)");
        format!("CREATE TEMP VIEW stacksnap_view AS {query};\n{kept};\nDROP VIEW pg_temp.stacksnap_view")
    };
    let value = |from: &str| view(&format!("SELECT {sent} AS stacksnap_value{from}"));
    Ok(Some(match &text.form {
        Form::Value => value(""),
        Form::OfRelation(relation) => value(&format!(" FROM ONLY {relation}")),
        Form::OfTrigger(relation) => value(&format!(" FROM ONLY {relation} old, ONLY {relation} new")),
        Form::OfDomain(domain) => {
            let rows = session.rows(BASE_TYPE, &[domain]).await?;
            let Some(Ok(base)) = rows.first().map(|row| row.try_get::<_, String>(0)) else { return Ok(None) };
            value(&format!(" FROM (SELECT NULL::{base} AS value) AS domain"))
        }
        Form::Query => view(sent),
        Form::ColumnType { query, number } => {
            let shown = format!(
                "(SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a WHERE a.attrelid = \
                 'pg_temp.stacksnap_view'::pg_catalog.regclass AND a.attnum = {number})"
            );
            let kept = keep(&shown);
            format!("CREATE TEMP VIEW stacksnap_view AS {query};\n{kept};\nDROP VIEW pg_temp.stacksnap_view")
        }
        Form::Rule { event, relation } => rule(event, relation, sent, keep),
        Form::Arguments(routine) => {
            let body = format!("LANGUAGE {} AS ''", routine.language);
            function(routine, sent, &body, "arguments", keep)
        }
        Form::Body(routine) => {
            function(routine, &routine.arguments, &format!("LANGUAGE {} {sent}", routine.language), "body", keep)
        }
    }))
}

/// A rule on a temporary table with the columns of the rule's relation. The result is the text after the table's name.
fn rule(event: &str, relation: &str, action: &str, keep: impl Fn(&str) -> String) -> String {
    let shown = "(SELECT pg_catalog.substr(t.def, pg_catalog.strpos(t.def, 'stacksnap_table') + 15) FROM (SELECT \
        pg_catalog.pg_get_ruledef(w.oid) AS def FROM pg_catalog.pg_rewrite w WHERE w.ev_class = \
        'pg_temp.stacksnap_table'::pg_catalog.regclass) t)";
    let shown = format!("pg_catalog.rtrim({shown}, ';')");
    format!(
        "CREATE TEMP TABLE stacksnap_table (LIKE {relation});\n\
         CREATE RULE stacksnap_rule AS ON {event} TO pg_temp.stacksnap_table {action};\n{};\n\
         DROP TABLE pg_temp.stacksnap_table",
        keep(&shown)
    )
}

/// A function under its own name, because a body may qualify its arguments with it.
fn function(routine: &Routine, arguments: &str, body: &str, shown: &str, keep: impl Fn(&str) -> String) -> String {
    let kind = if routine.is_procedure { ObjectKind::Procedure } else { ObjectKind::Function };
    let name = crate::model::identity::unquoted(&routine.name);
    let shown = match shown {
        "arguments" => "'(' || pg_catalog.pg_get_function_arguments(p.oid) || ')'",
        _ => "pg_catalog.pg_get_function_sqlbody(p.oid)",
    };
    let oid = format!(
        "(SELECT {shown} FROM pg_catalog.pg_proc p WHERE p.pronamespace = pg_catalog.pg_my_temp_schema() AND p.proname \
         = {})",
        literal(&name)
    );
    format!(
        "SET LOCAL check_function_bodies = off;\nCREATE {kind} pg_temp.{name}{arguments} {} {body};\n{};\n\
         DROP {kind} pg_temp.{name}",
        routine.result,
        keep(&oid),
        name = ident(&name),
    )
}
