//! A source with everything that could go wrong in it, and what a snapshot of it would be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stacksnap::model::category::Category;
use stacksnap::model::manifest::{Manifest, TableRecord};
use stacksnap::model::name::QualifiedName;
use stacksnap::monitor::Silent;
use stacksnap::render::{RestoreScriptFacts, manifest_markdown, restore_script};
use stacksnap::snapshot::seal::seal;

use crate::support::{Cluster, Database, handmade, success};

pub const SCRIPT: &str = "restore_complete_backup.sh";

/// Names that would run something, or end a quote, a line, a comment or a here-document.
fn nasty() -> Vec<String> {
    [
        "x\n\\! touch MARK\n",
        "`touch MARK`",
        "$(touch MARK)",
        "a'b\"c\\d",
        "\nSTACKSNAP_SQL\ntouch MARK\n",
        ":USER %I é; --",
    ]
    .map(str::to_string)
    .to_vec()
}

pub fn fill(source: &Database) {
    source.sql(
        "CREATE SCHEMA app; CREATE TABLE app.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text, double int GENERATED ALWAYS AS (length(note) * 2) STORED);
         INSERT INTO app.orders (note) SELECT repeat('row ' || n || E'\\\\!\\n\\t`id`', 3) FROM generate_series(1, 3000) n;
         CREATE TABLE app.lines (id int REFERENCES app.orders, what jsonb); INSERT INTO app.lines SELECT n, '{}' FROM generate_series(1, 500) n;
         CREATE MATERIALIZED VIEW app.totals AS SELECT count(*) AS n FROM app.orders;
         ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON app.orders USING (id > 0);
         CREATE FUNCTION app.hostile() RETURNS text LANGUAGE sql AS $$ SELECT E'\\n\\\\! touch MARK\\nCOMMIT;\\n' $$;
         CREATE PROCEDURE app.commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
         ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO PUBLIC;
         CREATE FUNCTION app.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.ddl_log VALUES (tg_tag); END $$; CREATE TABLE app.ddl_log (what text);
         CREATE EVENT TRIGGER \"it's \\ a\nwatch\" ON ddl_command_end EXECUTE FUNCTION app.watch();
         COMMENT ON EVENT TRIGGER \"it's \\ a\nwatch\" IS 'watches';
         REVOKE ALL ON app.lines FROM PUBLIC; SELECT lo_from_bytea(4711, 'large');",
    );
    for name in nasty() {
        let table = stacksnap::model::name::ident(&name);
        let text = stacksnap::model::name::literal(&name);
        source.sql(&format!(
            "CREATE TABLE app.{table} ({table} text); INSERT INTO app.{table} VALUES ({text});
             CREATE POLICY {table} ON app.{table} USING ({table} <>{text}); COMMENT ON TABLE app.{table} IS {text}"
        ));
    }
}

/// What a snapshot of `source` would be: pg_dump's archive and a few parts, sealed.
pub fn snapshot(server: &Cluster, source: &Database, root: &Path, change: impl FnOnce(&mut Manifest)) -> PathBuf {
    let sink = handmade::partial(root);
    let dump = sink.root().join("complete_database_with_data.dump");
    success(server.program("pg_dump", &source.name).args(["-Fd", "-Z1", "-f"]).arg(&dump));
    let mut first = String::new();
    for entry in fs::read_dir(&dump).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("complete_database_with_data.dump/{name}");
        fs::set_permissions(dump.join(&name), fs::Permissions::from_mode(0o600)).unwrap();
        sink.adopt(&path, Category::Archive).unwrap();
        first = path;
    }
    let mut manifest = handmade::draft();
    manifest.source.database.clone_from(&source.name);
    let tables = [("orders", 3000), ("lines", 500)].map(|(t, n)| (t.to_string(), n)).into_iter();
    for (name, rows) in tables.chain(nasty().into_iter().map(|name| (name, 1))) {
        let name = QualifiedName::new("app", name);
        let (data_file, fingerprint) = (Some(first.clone()), String::new());
        manifest.tables.push(TableRecord {
            name,
            rows,
            fingerprint,
            bytes_raw: 0,
            data_file,
            csv_file: None,
            columns: vec![],
            mark: None,
        });
    }
    let role = format!("app_reader_{}", std::process::id());
    let parts = [
        (
            "database_roles.sql",
            format!(
                "DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ),
        ),
        (
            "rls_policies_complete.sql",
            "DROP POLICY IF EXISTS mine ON app.orders; CREATE POLICY mine ON app.orders USING (id > 1)".into(),
        ),
        (
            "extension_state/database_settings.sql",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.x = 1', current_database()); END $$".into(),
        ),
        ("access_grants.sql", format!("REVOKE ALL ON app.lines FROM PUBLIC; GRANT SELECT ON app.lines TO {role}")),
    ];
    for (path, statement) in parts {
        sink.write(path, Category::Grants, handmade::own_sql(&statement).as_bytes()).unwrap();
    }
    change(&mut manifest);
    use std::io::Write;
    let mut script = sink.create_executable(SCRIPT, Category::Report).unwrap();
    script.write_all(restore_script(&RestoreScriptFacts::from_manifest(&manifest)).unwrap().as_bytes()).unwrap();
    script.finish().unwrap();
    sink.write("BACKUP_MANIFEST.md", Category::Report, manifest_markdown(&manifest).unwrap().as_bytes()).unwrap();
    seal(root, &sink, manifest, None, &Silent).unwrap().folder
}
