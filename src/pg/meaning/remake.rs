//! Makes an expression once more from its text, in the same kind of place, and reads what the server shows of it.
//!
//! Invariant: only temporary objects are made, each is dropped or rolled back at once, and none is ever used: views are
//! not selected from, rules and functions do not run. Texts that are not one expression are not sent with others.

use crate::model::deparsed::expressions::{Form, Routine};
use crate::model::deparsed::{is_single, is_single_action, is_single_body};
use crate::model::failure::Result;
use crate::model::name::{ident, literal};
use crate::model::object_kind::ObjectKind;
use crate::pg::session::{Row, Session};

/// A text and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub form: Form,
    pub text: String,
}

const SAVEPOINT: &str = "SAVEPOINT stacksnap_meaning";
const BACK: &str = "ROLLBACK TO SAVEPOINT stacksnap_meaning; RELEASE SAVEPOINT stacksnap_meaning";
const BASE_TYPE: &str = "SELECT pg_catalog.format_type(t.typbasetype, t.typtypmod) FROM pg_catalog.pg_type t \
    WHERE t.oid = pg_catalog.to_regtype($1) AND t.typtype = 'd'";

/// May this session make temporary objects? Not on a standby, nor without the right to.
pub async fn may_make(session: &Session) -> Result<bool> {
    let made = attempt(session, "CREATE TEMP VIEW stacksnap_view AS SELECT 1 AS a").await?;
    Ok(made)
}

/// What the server shows of each text, in their order. `None` where it cannot be made from its text.
pub async fn remade(session: &Session, texts: Vec<Text>) -> Result<Vec<Option<Text>>> {
    let mut statements = Vec::with_capacity(texts.len());
    for (number, text) in texts.iter().enumerate() {
        statements.push(statements_of(session, number, text).await?);
    }
    let mut shown: Vec<Option<String>> = vec![None; texts.len()];
    // A text that cannot be made fails its whole message: then each half is tried by itself.
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

/// Runs the statements and reads what they left in the session's variables, then takes everything back.
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

/// The variable in which a text is kept until it is read.
fn variable(number: usize) -> String {
    format!("stacksnap.text_{number}")
}

/// The text as the server showed it, as something that can be made again.
fn again(form: &Form, shown: String) -> Option<Text> {
    let form = match form {
        // A view was made of it, so its text is a query now.
        Form::Value | Form::OfRelation(_) | Form::OfTrigger(_) | Form::OfDomain(_) | Form::Query => Form::Query,
        Form::Arguments(routine) => Form::Arguments(Routine { arguments: shown.clone(), ..routine.clone() }),
        other => other.clone(),
    };
    let text = if form == Form::Query { shown.trim_end().strip_suffix(';')?.to_string() } else { shown };
    Some(Text { form, text })
}

/// What makes the text, keeps what the server shows of it, and drops it. `None`: it must not or cannot be sent.
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

/// On a table that has the columns of the rule's relation. What the server shows begins after the table's name.
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

/// Under its own name, by which a body may refer to its arguments.
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
