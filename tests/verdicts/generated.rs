//! Databases from a grammar, each taken, put back, damaged, put back in place and undone; pg_dump has to agree with every
//! verdict, in both directions: no unnamed difference, and no false alarm.
//!
//! `STACKSNAP_GENERATED=FROM-TO` runs these seeds (`1-3000`), without it a share of them. A seed that fails is named with
//! what to run; its database stays on the server of the environment.

mod grammar;
mod objects;
mod random;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Cluster, ok, server, text};
use objects::World;
use random::Random;

/// What CI runs on each server.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=30;
const THREADS: usize = 2;
/// A drill makes a cluster of its own: every so many seeds have one.
const DRILL_EVERY: u64 = 10;

fn seeds() -> Vec<u64> {
    let Ok(text) = std::env::var("STACKSNAP_GENERATED") else { return SEEDS.collect() };
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    (from.parse().unwrap()..=to.parse().unwrap()).collect()
}

#[test]
fn every_verdict_about_a_generated_database_is_true() {
    let (seeds, next) = (seeds(), AtomicU64::new(0));
    let failed: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                    if let Err(why) = Journey::of(*seed).run() {
                        tell(&format!("seed {seed}: {why}"));
                        failed.lock().unwrap().push(format!("STACKSNAP_GENERATED={seed}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    tell(&format!("{} databases, {} failed", seeds.len(), failed.len()));
    assert!(failed.is_empty(), "{} of {} seeds failed:\n{}", failed.len(), seeds.len(), failed.join("\n"));
}

/// A long run says at once what it finds.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One seed's way.
struct Journey {
    seed: u64,
    cluster: Cluster,
    place: tempfile::TempDir,
    source: String,
    target: String,
    /// Where texts are made once more.
    again: String,
}

type Told<T = ()> = Result<T, String>;

impl Journey {
    fn of(seed: u64) -> Self {
        let name = |what: &str| format!("generated_{seed}_{what}");
        let (source, target, again) = (name("source"), name("target"), name("again"));
        Self { seed, cluster: server(), place: tempfile::tempdir().unwrap(), source, target, again }
    }

    fn run(&self) -> Told {
        let world = World::new(self.seed);
        self.cluster.empty(&self.source);
        self.tolerant(&self.source, &world.statements);
        if self.seed.is_multiple_of(3) {
            // An older generation: made again from its own dump.
            let dump = self.dump(&self.source, &[]);
            self.cluster.empty(&self.source);
            self.tolerant(&self.source, &[dump]);
        }
        let (schema, rows) = (self.normal(&self.source)?, self.rows(&self.source));
        self.stacksnap(&["create"], &self.source, 0)?;
        self.cluster.empty(&self.target);
        self.restore(&self.target)?;
        self.diff(&self.target, 0)?;
        self.same("restored elsewhere", &schema, &self.normal(&self.target)?)?;
        self.same("rows elsewhere", &rows, &self.rows(&self.target))?;
        self.diff(&self.source, 0)?;
        if self.seed.is_multiple_of(DRILL_EVERY) {
            self.stacksnap(&["drill", "latest"], &self.source, 0)?;
        }
        self.damage(&world);
        let (damaged, damaged_rows) = (self.normal(&self.source)?, self.rows(&self.source));
        let is_damaged = damaged != schema || damaged_rows != rows;
        self.diff(&self.source, if is_damaged { 4 } else { 0 })?;
        let id = self.restore(&self.source)?;
        self.diff(&self.source, 0)?;
        self.same("restored in place", &schema, &self.normal(&self.source)?)?;
        self.same("rows in place", &rows, &self.rows(&self.source))?;
        if is_damaged {
            let to = self.to(&self.source);
            let args = ["-o", "json", "undo", &id, "--to", &to, "--confirm", &self.source];
            self.stacksnap(&args, &self.source, 0).or_else(|why| self.only_unreachable(&args, why))?;
            self.same("undone", &damaged, &self.normal(&self.source)?)?;
            self.same("rows undone", &damaged_rows, &self.rows(&self.source))?;
        }
        for database in [&self.source, &self.target, &self.again] {
            self.cluster.drop_database(database);
        }
        Ok(())
    }

    /// Statements that the server refuses are left out.
    fn tolerant(&self, database: &str, statements: &[String]) {
        let mut command = self.cluster.program("psql", database);
        command.args(["-X", "-q", "-o", "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all((statements.join(";\n") + ";\n").as_bytes()).unwrap();
        child.wait().unwrap();
    }

    fn dump(&self, database: &str, args: &[&str]) -> String {
        ok(self.cluster.program("pg_dump", database).args(args))
    }

    /// The schema as pg_dump shows it once it was made from its own dump: texts that mean the same are the same then.
    fn normal(&self, database: &str) -> Told<Vec<String>> {
        let dump = self.dump(database, &["-s"]);
        self.cluster.empty(&self.again);
        let mut command = self.cluster.psql(&self.again);
        command.args(["-v", "ON_ERROR_STOP=0"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(dump.as_bytes()).unwrap();
        let said = text(&child.wait_with_output().unwrap());
        if said.contains("ERROR") {
            return Err(format!("pg_dump's own text cannot be loaded: {}", first_lines(&said)));
        }
        Ok(sorted(&self.dump(&self.again, &["-s"])))
    }

    fn rows(&self, database: &str) -> Vec<String> {
        sorted(&self.dump(database, &["-a"]))
    }

    fn damage(&self, world: &World) {
        let mut random = Random::new(self.seed ^ 0xDA_4A6E);
        let mut statements = Vec::new();
        for table in &world.tables {
            let kinds = [
                format!("DROP TABLE {table} CASCADE"),
                format!("DELETE FROM ONLY {table} WHERE id > 8"),
                format!("UPDATE {table} SET id = id + 100"),
                format!("ALTER TABLE {table} ADD COLUMN came_later int DEFAULT 3"),
                format!("ALTER TABLE {table} DROP CONSTRAINT \"check 0\""),
                format!("ALTER TABLE {table} DROP COLUMN status CASCADE"),
                format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
                format!("DROP POLICY \"p 0\" ON {table}; CREATE POLICY \"p 0\" ON {table} USING (true)"),
                format!("ALTER TABLE {table} RENAME TO renamed"),
                format!("ALTER TABLE {table} ALTER status SET DEFAULT 'new'::varchar(3), ALTER note SET DEFAULT 'x'"),
                format!("DROP TRIGGER late ON {table}"),
                format!("GRANT ALL ON {table} TO PUBLIC"),
            ];
            for _ in 0..1 + random.below(2) {
                statements.push(random.one(&kinds).clone());
            }
        }
        let others = [
            "DROP SCHEMA \"Other s\" CASCADE",
            "DROP FUNCTION gen.twice CASCADE",
            "CREATE OR REPLACE FUNCTION gen.twice(t varchar) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t'",
            "ALTER TYPE gen.mood ADD VALUE 'new' BEFORE 'sad'",
            "DROP TYPE gen.mood CASCADE",
            "ALTER DOMAIN gen.word DROP CONSTRAINT word_check",
            "DROP TABLE gen.parts CASCADE",
            "ALTER TABLE gen.parts DETACH PARTITION gen.part1",
            "DROP TABLE gen.child CASCADE",
            "ALTER TABLE gen.parent ALTER a SET DEFAULT 'w'",
            "DROP MATERIALIZED VIEW gen.mv0",
            "CREATE OR REPLACE VIEW gen.all_kinds AS SELECT kind, n FROM gen.kinds WHERE kind NOT IN ('a', 'z')",
            "SELECT setval('gen.numbers', -9)",
            "DROP PUBLICATION pub0; DROP STATISTICS gen.st1",
            "TRUNCATE gen.kinds CASCADE",
        ];
        for _ in 0..1 + random.below(3) {
            statements.push((*random.one(&others)).to_string());
        }
        self.tolerant(&self.source, &statements);
    }

    fn to(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", self.cluster.port)
    }

    /// Gives the restore's id.
    fn restore(&self, database: &str) -> Told<String> {
        let first = self.first_snapshot();
        let args = ["-o", "json", "restore", &first, "--to", &self.to(database), "--confirm", database];
        let output = self.stacksnap(&args, database, 0)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let at = said.find("restore_2").map(|at| &said[at..]).unwrap_or_default();
        Ok(at.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
    }

    fn diff(&self, database: &str, code: i32) -> Told {
        self.stacksnap(&["diff", &self.first_snapshot(), "live"], database, code).map(drop)
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }

    /// Safety snapshots come later.
    fn first_snapshot(&self) -> String {
        let names = std::fs::read_dir(self.root()).unwrap().flatten();
        let is_folder = |e: &std::fs::DirEntry| e.file_type().is_ok_and(|t| t.is_dir());
        let names = names.filter(is_folder).map(|e| e.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("comprehensive_backup_2")).min().unwrap()
    }

    fn stacksnap(&self, args: &[&str], database: &str, code: i32) -> Told<Output> {
        let mut command = self.cluster.stacksnap(database, &self.root());
        command.args(args);
        if args.iter().any(|arg| ["create", "restore", "drill", "undo"].contains(arg)) {
            command.arg("--pg-bin").arg(&self.cluster.bin);
        }
        let output = command.output().unwrap();
        if output.status.code() == Some(code) {
            return Ok(output);
        }
        Err(format!(
            "{args:?} on {database} ended with {:?}, not {code}: {}",
            output.status.code(),
            first_lines(&text(&output))
        ))
    }

    /// A check that was made NOT VALID, and named so, is compared as if it were proved.
    fn take_for_proved(&self, check: &str) {
        let Some((name, on)) = check.split_once(" on ") else { return };
        let place = match on.strip_prefix("domain ") {
            Some(domain) => format!("contypid = '{domain}'::regtype"),
            None => format!("conrelid = '{on}'::regclass"),
        };
        let sql =
            format!("UPDATE pg_constraint SET convalidated = true WHERE {place} AND quote_ident(conname) = '{name}'");
        self.cluster.sql(&self.source, &sql);
    }

    /// Contents that a view had before its rows were changed cannot be had again once it was refreshed, and a check that
    /// rows break since its function was changed cannot be proved again: both are named.
    fn only_unreachable(&self, args: &[&str], why: String) -> Told<Output> {
        let at = why.rfind("\"exceptions\":[").ok_or(why.clone())?;
        let exceptions = why[at..].split("],").next().unwrap_or_default();
        let named: Vec<&str> = exceptions.split("\"code\":\"").skip(1).filter_map(|e| e.split('"').next()).collect();
        if why.contains("ended with Some(3)")
            && !named.is_empty()
            && named.iter().all(|c| ["materialized_view_differs", "left_not_valid"].contains(c))
        {
            let checks = exceptions.split("\"what\":\"CHECK CONSTRAINT ").skip(1);
            for check in checks.filter_map(|e| e.split("\",\"why\"").next()) {
                self.take_for_proved(&check.replace("\\\"", "\""));
            }
            return self.stacksnap(&["list"], args.last().copied().unwrap_or_default(), 0);
        }
        Err(why)
    }

    fn same(&self, what: &str, wanted: &[String], found: &[String]) -> Told {
        if wanted == found {
            return Ok(());
        }
        let without = |a: &[String], b: &[String]| -> Vec<String> {
            a.iter().filter(|line| !b.contains(line)).take(6).cloned().collect()
        };
        Err(format!("{what}: lost {:?}, new {:?}", without(wanted, found), without(found, wanted)))
    }
}

fn first_lines(said: &str) -> String {
    said.lines().take(14).collect::<Vec<_>>().join(" | ").chars().take(3000).collect()
}

/// Without what differs from dump to dump.
fn sorted(dump: &str) -> Vec<String> {
    let is_noise =
        |line: &&str| line.starts_with("--") || line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    let mut lines: Vec<String> = dump.lines().filter(|l| !is_noise(l) && !l.is_empty()).map(str::to_string).collect();
    lines.sort();
    lines
}
