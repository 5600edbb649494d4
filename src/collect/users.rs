//! Users: `auth.users` and every table that belongs to a login, as SQL that can be run twice, and the users as CSV.
//!
//! Invariant: tables and columns are discovered (R9, R11), so it works for an auth schema with 21 or with 35 columns. A
//! hash is copied unchanged and counted by kind, never printed (R10). Sessions and tokens are written only if they are
//! kept. Always left out: the service's own `schema_migrations` (R22), `instances`, and `audit_log_entries`, which is a
//! log and not part of a login. All three are in the archive.

use std::collections::BTreeMap;
use std::io::Write;

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::tables::{self, SequenceMeta, TableMeta};
use super::upsert::{Fields, UpsertFile};
use super::values::{blocking, csv_value};
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::name::QualifiedName;
use crate::snapshot::layout::{USERS_CSV, USERS_SQL};
use crate::snapshot::reader::{ArchiveData, DataFile};
use crate::snapshot::sink::ArtifactWriter;

pub const COLLECTOR: Collector = Collector {
    name: "users",
    category: Category::Users,
    stage: Stage::Archive,
    run: |ctx| Box::pin(run(ctx)) as CollectFuture<'_>,
};

const NOT_A_LOGIN: [&str; 3] = ["schema_migrations", "instances", "audit_log_entries"];

const CSV_BUFFER_BYTES: usize = 128 * 1024;

async fn run(ctx: &Context<'_>) -> Result<Collected> {
    let listed = tables::list(ctx.session).await?;
    let login = |t: &TableMeta| t.name.schema == "auth" && !NOT_A_LOGIN.contains(&t.root.name.as_str());
    let tables: Vec<TableMeta> = listed.into_iter().filter(login).collect();
    let users = QualifiedName::new("auth", "users");
    if !tables.iter().any(|t| t.name == users) {
        return Ok(Collected::skipped("there is no table auth.users"));
    }
    let Some(archive) = ctx.archive else {
        return Err(Failure::msg(FailureKind::Failed, "the archive does not exist yet"));
    };
    if archive.file(&users).is_none() {
        let mut collected = Collected::default();
        collected.gap(not_in_archive(&users));
        return Ok(collected);
    }
    let tables = tables::describe(ctx.session, tables).await?;
    let sequences = tables::sequences(ctx.session, &tables).await?;
    let dropped = if ctx.settings.keep_sessions { Vec::new() } else { session_tables(&tables) };
    blocking(|| write(ctx, archive, &tables, &sequences, &dropped))
}

/// Does the table hold sessions or pending logins, rather than accounts?
fn is_session_table(name: &str) -> bool {
    const NAMES: [&str; 3] = ["sessions", "flow_state", "mfa_amr_claims"];
    const ENDINGS: [&str; 4] = ["_tokens", "_challenges", "_states", "_authorizations"];
    NAMES.contains(&name) || ENDINGS.iter().any(|e| name.ends_with(e))
}

/// The session tables, and every table that references one of them, because its rows need the session's row.
fn session_tables(tables: &[TableMeta]) -> Vec<u32> {
    let mut out: Vec<u32> = tables.iter().filter(|t| is_session_table(&t.root.name)).map(|t| t.oid).collect();
    loop {
        let next = |t: &&TableMeta| {
            !out.contains(&t.oid) && t.name.name != "users" && t.parents.iter().any(|p| out.contains(p))
        };
        match tables.iter().find(next) {
            Some(table) => out.push(table.oid),
            None => return out,
        }
    }
}

/// Does the column hold a secret, by its name?
fn is_secret_column(name: &str) -> bool {
    ["password", "secret", "token", "private_key", "code_verifier", "credential"].iter().any(|w| name.contains(w))
        && !["_at", "_id", "_type", "_name", "_status", "_method"].iter().any(|e| name.ends_with(e))
        && !name.starts_with("num_")
}

const ABOUT: [&str; 6] = [
    "Users with their unchanged password hashes, and the rows that belong to their logins.",
    "It can be run twice: existing rows are made equal to the snapshot's, nothing is deleted.",
    "If another account has the same e-mail under another id, it fails and changes nothing.",
    "Run it with: psql -X -v ON_ERROR_STOP=1 -f users_with_encrypted_passwords.sql",
    "Not in it: auth.schema_migrations, auth.instances, auth.audit_log_entries (see the archive).",
    "SECRET: it holds password hashes and may hold TOTP secrets and tokens.",
];

fn write(
    ctx: &Context<'_>,
    archive: &ArchiveData,
    tables: &[TableMeta],
    sequences: &[SequenceMeta],
    dropped: &[u32],
) -> Result<Collected> {
    let mut collected = Collected::default();
    let mut census = Census::default();
    let mut csv = UsersCsv { out: ctx.sink.create(USERS_CSV, Category::Users)?, buffer: Vec::new() };
    let mut sql = UpsertFile::begin(ctx.sink, USERS_SQL, Category::Users, &ABOUT)?;
    for table in tables {
        if dropped.contains(&table.oid) {
            let rows = archive.for_each_row(&table.name, |_, _| Ok(()))?.unwrap_or(0);
            sql.comment(&format!("left out (sessions and tokens are not kept): {}, {rows} rows", table.name.plain()))?;
            collected.add(Count::SessionRowsLeftOut.word(), rows);
            continue;
        }
        let is_users = table.name.name == "users";
        if let (true, Some(file)) = (is_users, archive.file(&table.name)) {
            csv.header(file);
        }
        let rows = sql.table(archive, table, |file, fields| {
            if !is_users {
                return Ok(());
            }
            census.add(file, fields);
            csv.row(fields)
        })?;
        note_rows(&mut collected, table, rows, archive);
    }
    for sequence in sequences {
        sql.sequence(sequence)?;
    }
    sql.finish()?;
    csv.finish()?;
    census.tell(&mut collected);
    Ok(collected)
}

fn not_in_archive(table: &QualifiedName) -> Gap {
    let why = "the archive has no data file for it";
    let todo = "take a snapshot whose archive holds the schema auth with its data";
    Gap::new("users_rows_not_captured", table.plain(), why, todo)
}

/// Counts a table's rows, names its secrets, and adds a gap if the archive has no rows for it.
fn note_rows(collected: &mut Collected, table: &TableMeta, rows: Option<u64>, archive: &ArchiveData) {
    let Some(rows) = rows else {
        collected.gap(not_in_archive(&table.name));
        return;
    };
    collected.add(&table.root.name, rows);
    if rows == 0 {
        return;
    }
    let columns = archive.file(&table.name).map(|f| f.columns.as_slice()).unwrap_or_default();
    for column in columns.iter().filter(|c| is_secret_column(c)) {
        let what = format!("{}.{column}", table.name.plain());
        collected.secret(USERS_SQL, &what);
        if table.name.name == "users" {
            collected.secret(USERS_CSV, &what);
        }
    }
}

/// `users_complete.csv`, written in the same pass.
struct UsersCsv<'s> {
    out: ArtifactWriter<'s>,
    buffer: Vec<u8>,
}

impl UsersCsv<'_> {
    fn header(&mut self, file: &DataFile) {
        self.line(file.columns.iter().map(|c| Some(c.as_bytes())));
    }

    fn row(&mut self, fields: &Fields<'_>) -> std::io::Result<()> {
        self.line(fields.iter().map(|f| f.as_deref()));
        if self.buffer.len() >= CSV_BUFFER_BYTES {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn line<'f>(&mut self, fields: impl Iterator<Item = Option<&'f [u8]>>) {
        for (i, field) in fields.enumerate() {
            if i > 0 {
                self.buffer.push(b',');
            }
            csv_value(field, &mut self.buffer);
        }
        self.buffer.push(b'\n');
    }

    fn finish(mut self) -> std::io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.out.finish().map(|_| ())
    }
}

/// The number of hashes of each kind.
#[derive(Default)]
struct Census {
    kinds: BTreeMap<Count, u64>,
}

/// The kind of a hash, by its prefix. Source: the auth service's `internal/crypto/password.go`.
fn hash_kind(hash: Option<&[u8]>) -> Count {
    let Some(hash) = hash.filter(|h| !h.is_empty()) else { return Count::HashesEmpty };
    let starts = |prefix: &[u8]| hash.starts_with(prefix);
    if starts(b"$2a$") || starts(b"$2b$") || starts(b"$2y$") {
        Count::HashesBcrypt
    } else if starts(b"$argon2") {
        Count::HashesArgon2
    } else if starts(b"$fbscrypt$") {
        Count::HashesFbscrypt
    } else if starts(b"{") {
        Count::HashesEncryptedJson
    } else {
        Count::HashesOther
    }
}

impl Census {
    fn add(&mut self, file: &DataFile, fields: &Fields<'_>) {
        let Some(at) = file.columns.iter().position(|c| c == "encrypted_password") else { return };
        let hash = fields.get(at).and_then(|f| f.as_deref());
        *self.kinds.entry(hash_kind(hash)).or_default() += 1;
    }

    fn tell(&self, collected: &mut Collected) {
        for (kind, n) in &self.kinds {
            collected.count(*kind, *n);
        }
        if let Some(n) = self.kinds.get(&Count::HashesEncryptedJson) {
            collected.gap(Gap::new(
                "hashes_need_external_key",
                format!("{n} password hashes in auth.users"),
                "the auth service encrypted them with a key that is outside of the database",
                "keep GOTRUE_SECURITY_DB_ENCRYPTION_* of the auth service with the snapshot, and set the same keys after a restore",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_apart_by_their_first_letters() {
        for (hash, kind) in [
            ("$2a$10$x", "hashes_bcrypt"),
            ("$2y$10$x", "hashes_bcrypt"),
            ("$argon2id$v=19$", "hashes_argon2"),
            ("$fbscrypt$v=1", "hashes_fbscrypt"),
            ("{\"key_id\":\"1\"}", "hashes_encrypted_json"),
            ("", "hashes_empty"),
            ("5f4dcc3b", "hashes_other"),
        ] {
            assert_eq!(hash_kind(Some(hash.as_bytes())).word(), kind);
        }
        assert_eq!(hash_kind(None), Count::HashesEmpty);
    }

    #[test]
    fn what_points_at_a_session_goes_with_it() {
        let table = |oid, name: &str, parents: &[u32]| {
            let name = QualifiedName::new("auth", name);
            TableMeta {
                oid,
                root: name.clone(),
                root_oid: oid,
                name,
                columns: vec![],
                key: None,
                parents: parents.to_vec(),
            }
        };
        let tables = [
            table(1, "users", &[]),
            table(2, "sessions", &[1]),
            table(3, "device_of_session", &[2]),
            table(4, "identities", &[1]),
            table(5, "mfa_challenges", &[6]),
            table(6, "mfa_factors", &[1]),
        ];
        let mut dropped = session_tables(&tables);
        dropped.sort_unstable();
        assert_eq!(dropped, [2, 3, 5]);
    }

    #[test]
    fn secrets_are_known_by_their_columns() {
        for name in ["encrypted_password", "secret", "token", "client_secret_hash", "provider_access_token"] {
            assert!(is_secret_column(name), "{name}");
        }
        for name in ["email", "token_type", "recovery_sent_at"] {
            assert!(!is_secret_column(name), "{name}");
        }
    }
}
