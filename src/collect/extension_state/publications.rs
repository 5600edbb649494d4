//! Publications and replica identities.
//!
//! Invariant (R16): it covers owner, operations, via root, row filters, column lists, schemas and FOR ALL TABLES. A
//! publication that the restoring role does not own (the platform's) is left unchanged, with a warning.

use serde_json::json;

use super::super::context::{Collected, Context};
use super::super::do_block::do_block;
use super::super::setting::quoted;
use super::super::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::name::{QualifiedName, dollar_quoted, ident};
use crate::pg::session::Row;
use crate::snapshot::layout::PUBLICATIONS_SQL;

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    let publications = ctx.session.rows(include_str!("../sql/publications.sql"), &[]).await?;
    let members = members(ctx).await?;
    let mut file = SqlFile::new(&[
        "Publications and replica identities. Run it after the schema and the roles.",
        "Replication slots and subscriptions are not in this file: they belong to whoever replicates.",
    ]);
    let mut count = 0;
    for row in publications.iter().filter(|row| !row.get::<_, bool>("of_extension")) {
        let oid: u32 = row.get("oid");
        let parts: Vec<&str> = members.iter().filter(|(of, _)| *of == oid).map(|(_, part)| part.as_str()).collect();
        file.statement(&statement(row, &parts));
        file.blank();
        count += 1;
    }
    let mut tables = Vec::new();
    for row in ctx.session.rows(include_str!("../sql/replica_identity.sql"), &[]).await? {
        let name = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("table"));
        let (identity, index): (String, Option<String>) = (row.get("identity"), row.get("index"));
        tables.push(json!({"table": name.sql(), "identity": identity, "index": index}));
    }
    if !tables.is_empty() {
        file.statement(&do_block(include_str!("../sql/replica_identity_apply.sql"), &json!({"tables": tables})));
    }
    ctx.sink.write(PUBLICATIONS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    collected.count(Count::Publications, count);
    Ok(())
}

/// `TABLE …` and `TABLES IN SCHEMA …` by publication.
async fn members(ctx: &Context<'_>) -> Result<Vec<(u32, String)>> {
    let modern = ctx.session.version_num >= 150_000;
    let (columns, filter) = if modern {
        (
            "CASE WHEN r.prattrs IS NOT NULL THEN ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a \
              WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs) ORDER BY a.attnum) END",
            "pg_catalog.pg_get_expr(r.prqual, r.prrelid)",
        )
    } else {
        ("NULL::text[]", "NULL::text")
    };
    let query =
        include_str!("../sql/publication_tables.sql").replace("/*COLUMNS*/", columns).replace("/*FILTER*/", filter);
    let mut out = Vec::new();
    for row in ctx.session.rows(&query, &[]).await? {
        let name = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("table"));
        let mut part = format!("TABLE ONLY {}", name.sql());
        if let Some(columns) = row.get::<_, Option<Vec<String>>>("columns") {
            let columns: Vec<String> = columns.iter().map(|c| ident(c)).collect();
            part.push_str(&format!(" ({})", columns.join(", ")));
        }
        if let Some(filter) = row.get::<_, Option<String>>("filter") {
            part.push_str(&format!(" WHERE ({filter})"));
        }
        out.push((row.get("publication"), part));
    }
    if modern {
        let query = "SELECT p.pnpubid, n.nspname::text FROM pg_catalog.pg_publication_namespace p \
            JOIN pg_catalog.pg_namespace n ON n.oid = p.pnnspid ORDER BY 2";
        for row in ctx.session.rows(query, &[]).await? {
            out.push((row.get(0), format!("TABLES IN SCHEMA {}", ident(row.get(1)))));
        }
    }
    Ok(out)
}

fn statement(row: &Row, parts: &[&str]) -> String {
    let name: String = row.get("name");
    let all: bool = row.get("all_tables");
    let (sql_name, literal_name) = (ident(&name), quoted(&name));
    let mut options = vec![format!("publish = {}", quoted(row.get("publish")))];
    if let Some(via_root) = row.get::<_, Option<bool>>("via_root") {
        options.push(format!("publish_via_partition_root = {via_root}"));
    }
    if let Some(generated) = row.get::<_, Option<String>>("generated") {
        let word = if generated == "s" { "stored" } else { "none" };
        options.push(format!("publish_generated_columns = {word}"));
    }
    let set_options = format!("    ALTER PUBLICATION {sql_name} SET ({});\n", options.join(", "));
    let for_all = if all { " FOR ALL TABLES" } else { "" };
    let set_members = match (all, parts.is_empty()) {
        (true, _) => String::new(),
        (false, false) => format!("    ALTER PUBLICATION {sql_name} SET {};\n", parts.join(",\n        ")),
        (false, true) => format!(
            "    -- It publishes nothing, and ALTER PUBLICATION ... SET takes no empty list.\n    \
             holds := EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid\n                     \
             WHERE p.pubname = {literal_name});\n    \
             IF current_setting('server_version_num')::int >= 150000 THEN\n        \
             holds := holds OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace r\n            \
             JOIN pg_catalog.pg_publication p ON p.oid = r.pnpubid WHERE p.pubname = {literal_name});\n    END IF;\n    \
             IF holds THEN\n        DROP PUBLICATION {sql_name};\n        CREATE PUBLICATION {sql_name};\n    END IF;\n"
        ),
    };
    // Row filters and column lists of a partitioned table are allowed only while the table is published via its root,
    // so the order matters. A publication that becomes empty is recreated without options.
    let via_root = row.get::<_, Option<bool>>("via_root") == Some(true);
    let set = if via_root && !parts.is_empty() {
        format!("{set_options}{set_members}")
    } else {
        format!("{set_members}{set_options}")
    };
    let comment = row.get::<_, Option<String>>("comment").map_or("NULL".to_string(), |c| quoted(&c));
    let body = format!(
        "\nDECLARE\n    for_all boolean;\n    mine boolean;\n    holds boolean;\nBEGIN\n    \
         SELECT p.puballtables, pg_catalog.pg_has_role(p.pubowner, 'USAGE')\n    \
         INTO for_all, mine FROM pg_catalog.pg_publication p WHERE p.pubname = {literal_name};\n    \
         IF mine = false THEN\n        \
         RAISE WARNING 'publication % belongs to another role and is left as it is', {literal_name};\n        RETURN;\n    END IF;\n    \
         IF for_all <> {all} THEN\n        DROP PUBLICATION {sql_name};\n        mine := NULL;\n    END IF;\n    \
         IF mine IS NULL THEN\n        CREATE PUBLICATION {sql_name}{for_all};\n    END IF;\n{set}    \
         ALTER PUBLICATION {sql_name} OWNER TO {};\n    \
         COMMENT ON PUBLICATION {sql_name} IS {comment};\nEND\n",
        ident(row.get("owner")),
    );
    format!("DO {}", dollar_quoted(&body))
}
