//! `queues.sql`: the queues of pgmq, created where they are missing, with their messages.
//!
//! Invariant (R15): a message is restored under its own id, with its own visibility time, once. Newer messages stay,
//! unless `stacksnap.exact` is on. Memory does not grow with the queue: rows are streamed from the file of the member
//! table into statements of bounded size.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use super::super::context::{Collected, Context};
use super::super::savepoint::attempt;
use super::super::setting::quoted;
use super::super::sql_file::{ENDING, PREAMBLE};
use super::super::upsert::{BYTES_A_STATEMENT, ROWS_A_STATEMENT};
use super::super::values::sql_value;
use super::members::{MemberTable, Members};
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::name::{QualifiedName, dollar_quoted, ident, sql_comment, visible};
use crate::snapshot::copy_text::CopyRow;
use crate::snapshot::layout::QUEUES_SQL;
use crate::snapshot::rows_mark::rows_mark;

/// A rollback wants exactly the messages of the snapshot.
const EXACT: &str = "coalesce(current_setting('stacksnap.exact', true), '') = 'on'";

struct Queue {
    name: String,
    partitioned: bool,
    unlogged: bool,
    created_at: String,
}

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected, members: &Members) -> Result<()> {
    if !ctx.has_extension("pgmq") || !members.tables.iter().any(|t| t.name.schema == "pgmq" && t.name.name == "meta") {
        return Ok(());
    }
    let query =
        "SELECT m.queue_name::text, m.is_partitioned, m.is_unlogged, m.created_at::text FROM pgmq.meta m ORDER BY 1";
    let rows = attempt(ctx.session, ctx.session.rows(query, &[])).await??;
    let queues: Vec<Queue> = rows
        .iter()
        .map(|r| Queue { name: r.get(0), partitioned: r.get(1), unlogged: r.get(2), created_at: r.get(3) })
        .collect();
    collected.count(Count::Queues, queues.len() as u64);
    if queues.is_empty() {
        return Ok(());
    }
    let mut out = BufWriter::with_capacity(1 << 16, ctx.sink.create(QUEUES_SQL, Category::ExtensionState)?);
    for line in [
        "Queues of pgmq with their messages. Run it after the extensions.",
        "Existing queues keep newer messages, unless stacksnap.exact is on: then these are deleted.",
    ] {
        writeln!(out, "{}", sql_comment(line))?;
    }
    out.write_all(PREAMBLE.as_bytes())?;
    writeln!(out, "{};", drop_others(&queues))?;
    for queue in &queues {
        if queue.partitioned {
            collected.gap(partitioned(&queue.name));
        }
        writeln!(out, "{};", create(queue))?;
        if queue.partitioned {
            continue;
        }
        for prefix in ["q_", "a_"] {
            let table = format!("{prefix}{}", queue.name.to_lowercase());
            if let Some(table) = members.tables.iter().find(|t| t.name.schema == "pgmq" && t.name.name == table) {
                writeln!(out, "{}", rows_mark(Some(&table.name)))?;
                writeln!(out, "DELETE FROM {} WHERE {EXACT};", table.name.sql())?;
                insert(ctx, table, &mut out)?;
                writeln!(out, "{}", rows_mark(None))?;
            }
            set_sequence(members, &format!("{table}_msg_id_seq"), &mut out)?;
        }
    }
    out.write_all(ENDING.as_bytes())?;
    let writer = out.into_inner().map_err(|e| Failure::new(FailureKind::Failed, e.into_error()))?;
    writer.finish()?;
    Ok(())
}

fn partitioned(queue: &str) -> Gap {
    Gap::new(
        "queue_partitioned",
        format!("partitioned queue '{}' of pgmq", visible(queue)),
        "pgmq does not record its partition and retention interval",
        "create it with pgmq.create_partitioned() before running queues.sql, then load its rows from member_tables/",
    )
}

/// With `stacksnap.exact`, drops queues that the snapshot does not have.
fn drop_others(queues: &[Queue]) -> String {
    let known: Vec<String> = queues.iter().map(|queue| quoted(&queue.name)).collect();
    let body = format!(
        "\nDECLARE\n    other text;\nBEGIN\n    IF {EXACT} THEN\n        \
         FOR other IN SELECT m.queue_name FROM pgmq.meta m WHERE m.queue_name <> ALL (ARRAY[{}]::text[]) LOOP\n            \
         PERFORM pgmq.drop_queue(other);\n        END LOOP;\n    END IF;\nEND\n",
        known.join(", ")
    );
    format!("DO {}", dollar_quoted(&body))
}

fn create(queue: &Queue) -> String {
    let name = quoted(&queue.name);
    let make = match (queue.partitioned, queue.unlogged) {
        (true, _) => format!(
            "RAISE EXCEPTION 'the partitioned queue % is missing', {name}\n            USING HINT = 'Create it with pgmq.create_partitioned() first.'"
        ),
        (false, true) => format!("PERFORM pgmq.create_unlogged({name})"),
        (false, false) => format!("PERFORM pgmq.create({name})"),
    };
    // A publication FOR ALL TABLES forbids updates of a table without a replica identity; then the queue keeps the
    // current time.
    let body = format!(
        "\nBEGIN\n    IF NOT EXISTS (SELECT FROM pgmq.meta WHERE queue_name = {name}) THEN\n        {make};\n        \
         BEGIN\n            UPDATE pgmq.meta SET created_at = {} WHERE queue_name = {name};\n        \
         EXCEPTION WHEN object_not_in_prerequisite_state THEN\n            NULL;\n        END;\n    END IF;\nEND\n",
        quoted(&queue.created_at)
    );
    format!("DO {}", dollar_quoted(&body))
}

/// All rows of one table, in batches. A message whose id is taken overwrites the existing one.
fn insert(ctx: &Context<'_>, table: &MemberTable, out: &mut impl Write) -> Result<()> {
    let Some(path) = &table.path else { return Ok(()) };
    let reader = BufReader::with_capacity(1 << 16, File::open(ctx.sink.place(path)?)?);
    Ok(write_batches(reader, &table.name, &table.columns, out)?)
}

/// Turns lines of COPY text into statements. Each ends after a bounded number of rows or bytes, to bound the memory.
fn write_batches(
    mut reader: impl BufRead,
    table: &QualifiedName,
    columns: &[String],
    out: &mut impl Write,
) -> std::io::Result<()> {
    let columns: Vec<String> = columns.iter().map(|c| ident(c)).collect();
    let updates: Vec<String> =
        columns.iter().filter(|c| *c != "\"msg_id\"").map(|c| format!("{c} = excluded.{c}")).collect();
    let head = format!("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES", table.sql(), columns.join(", "));
    let tail = format!("\nON CONFLICT (msg_id) DO UPDATE SET {};", updates.join(", "));
    let (mut line, mut values) = (Vec::new(), Vec::new());
    let (mut rows, mut bytes) = (0, 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let row = CopyRow::new(line.strip_suffix(b"\n").unwrap_or(&line), columns.len());
        values.extend_from_slice(if rows == 0 { head.as_bytes() } else { b"," });
        for (at, field) in row.fields().enumerate() {
            values.extend_from_slice(if at == 0 { b"\n(" } else { b", " });
            sql_value(field.as_deref(), &mut values);
        }
        values.push(b')');
        out.write_all(&values)?;
        (rows, bytes) = (rows + 1, bytes + values.len());
        if rows == ROWS_A_STATEMENT || bytes >= BYTES_A_STATEMENT {
            writeln!(out, "{tail}")?;
            (rows, bytes) = (0, 0);
        }
        line.clear();
        values.clear();
    }
    if rows > 0 {
        writeln!(out, "{tail}")?;
    }
    Ok(())
}

/// The sequence is never set back below the snapshot's value.
fn set_sequence(members: &Members, name: &str, out: &mut impl Write) -> Result<()> {
    let Some(found) = members.sequences.iter().find(|s| s.name.schema == "pgmq" && s.name.name == name) else {
        return Ok(());
    };
    let sequence = found.name.sql();
    let body = format!(
        "\nBEGIN\n    IF {EXACT} OR EXISTS (SELECT FROM {sequence} s WHERE s.last_value < {value} OR (s.last_value = {value} AND {called} AND NOT s.is_called)) THEN\n        \
         PERFORM setval({}, {value}, {called});\n    END IF;\nEND\n",
        quoted(&sequence),
        value = found.last_value,
        called = found.is_called,
    );
    writeln!(out, "DO {};", dollar_quoted(&body))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::copy_text::encode;

    fn batches(rows: &[(u32, Option<&str>)]) -> String {
        let mut text = Vec::new();
        for (number, message) in rows {
            text.extend_from_slice(format!("{number}\t").as_bytes());
            encode(message.map(str::as_bytes), &mut text);
            text.push(b'\n');
        }
        let mut out = Vec::new();
        let columns = ["msg_id".to_string(), "message".to_string()];
        write_batches(text.as_slice(), &QualifiedName::new("pgmq", "q_a"), &columns, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const HEAD: &str = "INSERT INTO \"pgmq\".\"q_a\" (\"msg_id\", \"message\") OVERRIDING SYSTEM VALUE VALUES";
    const TAIL: &str = "ON CONFLICT (msg_id) DO UPDATE SET \"message\" = excluded.\"message\";";

    #[test]
    fn a_row_is_a_line_and_null_is_not_empty() {
        let expected = format!("{HEAD}\n('1', E'a\\nb'),\n('2', NULL),\n('3', '')\n{TAIL}\n");
        assert_eq!(batches(&[(1, Some("a\nb")), (2, None), (3, Some(""))]), expected);
        assert_eq!(batches(&[]), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn a_statement_is_bounded_by_rows_and_by_bytes(
            messages in proptest::collection::vec((0usize..3000, 0usize..40), 0..1500),
            large in proptest::collection::vec(0usize..BYTES_A_STATEMENT * 2, 0..3),
        ) {
            let long: Vec<String> = messages.iter().map(|(n, times)| "x".repeat(n * times / 40))
                .chain(large.iter().map(|n| "y".repeat(*n))).collect();
            let rows: Vec<(u32, Option<&str>)> = (0..).zip(long.iter().map(|m| Some(m.as_str()))).collect();
            let text = batches(&rows);
            let statements: Vec<&str> = text.split_inclusive(";\n").collect();
            let mut seen = 0;
            for statement in &statements {
                let lines: Vec<&str> = statement.lines().collect();
                prop_assert!(lines[0] == HEAD && lines[lines.len() - 1] == TAIL);
                let of = &lines[1..lines.len() - 1];
                prop_assert!(!of.is_empty() && of.len() <= ROWS_A_STATEMENT);
                let last = of[of.len() - 1].len();
                prop_assert!(statement.len() <= HEAD.len() + TAIL.len() + BYTES_A_STATEMENT + last + 8);
                seen += of.len();
            }
            prop_assert_eq!(seen, rows.len());
            prop_assert!(statements.len() <= 1 + rows.len() / ROWS_A_STATEMENT + text.len() / BYTES_A_STATEMENT);
        }
    }
}
