//! Databases from a grammar, each taken, put back, damaged, put back in place and undone; pg_dump has to agree with every
//! verdict, in both directions: no unnamed difference, and no false alarm.
//!
//! `STACKSNAP_GENERATED=FROM-TO` runs these seeds (`1-3000`), without it a share of them. A seed that fails is named with
//! what to run; where it ran on the server of the environment its databases stay there. `STACKSNAP_GENERATED_THREADS=1`
//! uses no other server.

mod around;
mod damage;
mod grammar;
mod kinds;
mod objects;
mod random;
mod shapes;
mod shown;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Cluster, ok, server, text};
use objects::World;
use serde_json::Value;
use shown::{Comparer, Shown, without};

/// What CI runs on each server.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=30;
/// Each but the first has a server of its own: roles are the whole server's.
const THREADS: usize = 2;
/// A drill and a verified schema need a cluster of their own: every so many seeds have one.
const CLUSTER_EVERY: u64 = 15;
/// The same for steps that find less than they cost.
const MORE_EVERY: u64 = 4;

/// Settings that a database or a role may carry must not change how this test itself reads and writes.
const PINNED: &str = "-c quote_all_identifiers=off -c standard_conforming_strings=on -c bytea_output=hex \
    -c array_nulls=on -c xmloption=content -c backslash_quote=safe_encoding -c extra_float_digits=1 -c DateStyle=ISO \
    -c IntervalStyle=postgres -c TimeZone=UTC -c lc_monetary=C -c lc_numeric=C -c default_transaction_isolation=read\\ committed \
    -c search_path=pg_catalog -c check_function_bodies=off -c row_security=on -c client_min_messages=warning \
    -c default_toast_compression=pglz -c default_table_access_method=heap -c transform_null_equals=off";

/// What no dump of a database holds: its own properties and settings, the roles of the seed and what they are in.
const AROUND: &str = "SELECT to_jsonb(x) FROM (SELECT 'setting', (SELECT rolname FROM pg_roles WHERE oid = setrole), setconfig \
        FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) OR \
        setdatabase = 0 AND setrole IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'gen%') ORDER BY 2) x;
    SELECT to_jsonb(x) FROM (SELECT 'database', datconnlimit, datallowconn, (SELECT array_agg(a::text ORDER BY a::text) \
        FROM unnest(datacl) a), pg_get_userbyid(datdba), \
        shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()) x;
    SELECT to_jsonb(a) - 'oid' || jsonb_build_object('comment', shobj_description(oid, 'pg_authid')) FROM pg_authid a \
        WHERE rolname LIKE 'gen%' ORDER BY rolname;
    SELECT to_jsonb(m) - 'oid' - 'roleid' - 'member' - 'grantor' || jsonb_build_object('in', roleid::regrole, 'is', member::regrole, \
        'by', grantor::regrole) FROM pg_auth_members m WHERE roleid::regrole::text LIKE 'gen%' OR member::regrole::text LIKE 'gen%' \
        ORDER BY roleid::regrole::text, member::regrole::text, grantor::regrole::text;";

fn seeds() -> Vec<u64> {
    let Ok(text) = std::env::var("STACKSNAP_GENERATED") else { return SEEDS.collect() };
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    (from.parse().unwrap()..=to.parse().unwrap()).collect()
}

fn threads() -> usize {
    std::env::var("STACKSNAP_GENERATED_THREADS").map_or(THREADS, |text| text.parse().unwrap())
}

#[test]
fn every_verdict_about_a_generated_database_is_true() {
    let (seeds, next) = (seeds(), AtomicU64::new(0));
    let failed: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let (major, threads) = (server().major(), threads().min(seeds.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (seeds, next, failed) = (&seeds, &next, &failed);
            scope.spawn(move || {
                // A seed makes roles, which other tests of the same server would see.
                let cluster = if threads == 1 { server() } else { Cluster::start(major) };
                while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                    let journey = Journey::of(*seed, &cluster, major);
                    let ended = journey.run();
                    journey.drop_roles();
                    if let Err(why) = ended {
                        let why = first_lines(&why);
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
struct Journey<'c> {
    seed: u64,
    cluster: &'c Cluster,
    world: World,
    place: tempfile::TempDir,
    source: String,
    target: String,
    /// Where texts are made once more.
    again: String,
    comparer: Comparer,
    /// What the last restore named, by kind and identity.
    named: Mutex<BTreeSet<String>>,
}

/// Between how a command ended and what it said.
const ENDED: &str = " and said: ";
/// What an undo may name.
const UNREACHABLE: [&str; 4] = ["materialized_view_differs", "left_not_valid", "column_order", "index_invalid"];

type Told<T = ()> = Result<T, String>;

impl<'c> Journey<'c> {
    fn of(seed: u64, cluster: &'c Cluster, major: u32) -> Self {
        let name = |what: &str| format!("generated_{seed}_{what}");
        let (source, target, again) = (name("source"), name("target"), name("again"));
        let (world, place) = (World::new(seed, major), tempfile::tempdir().unwrap());
        Self {
            seed,
            cluster,
            world,
            place,
            source,
            target,
            again,
            comparer: Comparer::default(),
            named: Mutex::default(),
        }
    }

    fn run(&self) -> Told {
        self.drop_roles();
        self.empty(&self.source);
        self.tolerant(&self.source, &self.world.around);
        self.tolerant(&self.source, &self.world.statements);
        if self.seed.is_multiple_of(3) {
            // An older generation: made again from its own dump.
            let dump = self.dump(&self.source, &[]);
            self.empty(&self.source);
            self.tolerant(&self.source, &self.world.around);
            self.tolerant(&self.source, &[dump]);
        }
        let whole = self.shown(&self.source);
        let verified: &[&str] =
            if self.seed % CLUSTER_EVERY == 7 { &["create", "--verify", "schema"] } else { &["create"] };
        self.stacksnap(verified, &self.source, 0)?;
        self.empty(&self.target);
        if let Err(why) = self.restore(&self.target) {
            let refused = why.contains("ended with Some(3)") && why.contains("\"left_out\"");
            if refused && self.again(&whole)?.schema.iter().any(|line| line.starts_with("ERROR")) {
                tell(&format!("seed {}: pg_dump's own text cannot be loaded, and that was named", self.seed));
                return Ok(());
            }
            return Err(why);
        }
        self.diff(&self.target, 0)?;
        self.same("restored elsewhere", &whole, &self.shown(&self.target))?;
        if self.seed.is_multiple_of(MORE_EVERY) {
            self.diff(&self.source, 0)?;
        }
        if self.seed.is_multiple_of(CLUSTER_EVERY) {
            self.stacksnap(&["drill", "latest"], &self.source, 0)?;
        }
        self.tolerant(&self.source, &self.world.damage());
        let damaged = self.shown(&self.source);
        let is_damaged = damaged.rows != whole.rows
            || damaged.around != whole.around
            || self.comparer.schema(&whole, &damaged, &|shown| self.again(shown))?.is_some();
        self.diff(&self.source, if is_damaged { 4 } else { 0 })?;
        let id = self.restore(&self.source)?;
        self.diff(&self.source, 0)?;
        self.same("restored in place", &whole, &self.shown(&self.source))?;
        if is_damaged {
            let to = self.to(&self.source);
            let args = ["-o", "json", "undo", &id, "--to", &to, "--confirm", &self.source];
            self.stacksnap(&args, &self.source, 0).or_else(|why| self.only_unreachable(&args, why))?;
            self.same("undone", &damaged, &self.shown(&self.source))?;
        }
        let names = [&self.source, &self.target, &self.again];
        self.maintenance(&names.map(|name| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        Ok(())
    }

    /// Statements outside of the databases, each by itself.
    fn maintenance(&self, statements: &[String]) {
        let mut command = self.cluster.psql("template1");
        statements.iter().for_each(|statement| {
            command.args(["-c", statement]);
        });
        ok(command.env("PGOPTIONS", PINNED));
    }

    /// A new, empty database.
    fn empty(&self, name: &str) {
        self.maintenance(&[
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE template0"),
        ]);
    }

    /// Roles are the server's, so they go with their seed. Its databases are gone by now, or stay to be looked at.
    fn drop_roles(&self) {
        if !self.world.roles.is_empty() {
            let statements: Vec<String> =
                self.world.roles.iter().map(|role| format!("DROP ROLE IF EXISTS {role}")).collect();
            self.tolerant("template1", &statements);
        }
    }

    /// Statements that the server refuses are left out.
    fn tolerant(&self, database: &str, statements: &[String]) {
        if statements.is_empty() {
            return;
        }
        let mut command = self.cluster.program("psql", database);
        command.args(["-X", "-q", "-o", "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let told = std::env::var_os("STACKSNAP_GENERATED_REFUSED").is_some();
        let mut child = command.stderr(if told { Stdio::inherit() } else { Stdio::null() }).spawn().unwrap();
        child.stdin.take().unwrap().write_all((statements.join(";\n") + ";\n").as_bytes()).unwrap();
        child.wait().unwrap();
    }

    fn dump(&self, database: &str, args: &[&str]) -> String {
        ok(self.cluster.program("pg_dump", database).env("PGOPTIONS", PINNED).args(args))
    }

    fn shown(&self, database: &str) -> Shown {
        let around = ok(self.cluster.psql(database).env("PGOPTIONS", PINNED).args(["-c", AROUND]));
        Shown::of(&self.dump(database, &[]), &around)
    }

    /// The schema as pg_dump shows it once it was made from its own dump: texts that mean the same are the same then.
    fn again(&self, shown: &Shown) -> Told<Shown> {
        self.empty(&self.again);
        let mut command = self.cluster.psql(&self.again);
        command.args(["-v", "ON_ERROR_STOP=0"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.env("PGOPTIONS", PINNED).spawn().unwrap();
        child.stdin.take().unwrap().write_all((shown.schema.join("\n") + "\n").as_bytes()).unwrap();
        let said = text(&child.wait_with_output().unwrap());
        let mut normal = Shown::of(&self.dump(&self.again, &["-s"]), "");
        // What pg_dump's own text cannot make is missing on both sides, and told by the same words.
        normal.schema.extend(said.lines().filter(|line| line.starts_with("ERROR")).map(str::to_string));
        Ok(normal)
    }

    fn same(&self, what: &str, wanted: &Shown, found: &Shown) -> Told {
        if let Some(differs) = self.comparer.schema(wanted, found, &|shown| self.again(shown))? {
            return Err(format!("{what}: {differs}"));
        }
        for (what_of, wanted, found) in [("rows", &wanted.rows, &found.rows), ("around", &wanted.around, &found.around)]
        {
            if wanted != found {
                return Err(format!("{what}, {what_of}: {}", without(wanted, found)));
            }
        }
        Ok(())
    }

    fn to(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", self.cluster.port)
    }

    /// Gives the restore's id.
    fn restore(&self, database: &str) -> Told<String> {
        let first = self.first_snapshot();
        let args = ["-o", "json", "restore", &first, "--to", &self.to(database), "--confirm", database];
        self.named.lock().unwrap().clear();
        let output = self.stacksnap(&args, database, 0).or_else(|why| self.by_nature(why))?;
        let at = output.find("restore_2").map(|at| &output[at..]).unwrap_or_default();
        Ok(at.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
    }

    /// What no dump can carry is named, and by that alone a restore may differ.
    fn by_nature(&self, why: String) -> Told<String> {
        let report = why.split_once(ENDED).and_then(|(_, said)| serde_json::from_str::<Value>(said.trim()).ok());
        let list = report.as_ref().and_then(|r| r["exceptions"].as_array()).cloned().unwrap_or_default();
        let is_named = |e: &Value| ["column_order", "index_invalid"].contains(&e["code"].as_str().unwrap_or_default());
        if list.is_empty() || !list.iter().all(is_named) {
            return Err(why);
        }
        let what = |e: &Value| e["what"].as_str().unwrap_or_default().to_string();
        self.named.lock().unwrap().extend(list.iter().map(what));
        Ok(why)
    }

    fn diff(&self, database: &str, code: i32) -> Told {
        let ended = self.stacksnap(&["-o", "json", "diff", &self.first_snapshot(), "live"], database, code);
        let Err(why) = ended else { return Ok(()) };
        let report = why.split_once(ENDED).and_then(|(_, said)| serde_json::from_str::<Value>(said.trim()).ok());
        let list = |name: &str| report.as_ref().and_then(|r| r[name].as_array()).cloned().unwrap_or_default();
        let named = self.named.lock().unwrap();
        let is_named = |o: &Value| {
            let identity = o["identity"].as_str().unwrap_or_default();
            o["severity"] == "cosmetic" || named.iter().any(|n| n.ends_with(identity.rsplit("index ").next().unwrap()))
        };
        let unnamed: Vec<Value> = list("objects").into_iter().filter(|o| !is_named(o)).collect();
        if code == 0 && report.is_some() && unnamed.is_empty() && list("tables").is_empty() {
            return Ok(());
        }
        let unnamed: Vec<String> = unnamed.iter().map(|o| o.to_string()).collect();
        Err(if unnamed.is_empty() { why } else { format!("diff of {database}, not {code}: {}", unnamed.join(" | ")) })
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

    fn stacksnap(&self, args: &[&str], database: &str, code: i32) -> Told<String> {
        let mut command = self.cluster.stacksnap(database, &self.root());
        command.args(args);
        if args.iter().any(|arg| ["create", "restore", "drill", "undo"].contains(arg)) {
            command.arg("--pg-bin").arg(&self.cluster.bin);
        }
        let output = command.output().unwrap();
        if output.status.code() == Some(code) {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let verb = args.iter().find(|arg| !arg.starts_with('-') && **arg != "json").unwrap();
        let ended = output.status.code();
        Err(format!("{verb} on {database}, not {code}, ended with {ended:?}{ENDED}{}", text(&output)))
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
    fn only_unreachable(&self, args: &[&str], why: String) -> Told<String> {
        let at = why.rfind("\"exceptions\":[{").ok_or(why.clone())?;
        let exceptions = why[at..].split("],").next().unwrap_or_default();
        let named: Vec<&str> = exceptions.split("\"code\":\"").skip(1).filter_map(|e| e.split('"').next()).collect();
        if why.contains("ended with Some(3)") && !named.is_empty() && named.iter().all(|c| UNREACHABLE.contains(c)) {
            let checks = exceptions.split("\"what\":\"CHECK CONSTRAINT ").skip(1);
            for check in checks.filter_map(|e| e.split("\",\"why\"").next()) {
                self.take_for_proved(&check.replace("\\\"", "\""));
            }
            return self.stacksnap(&["list"], args.last().copied().unwrap_or_default(), 0);
        }
        Err(why)
    }
}

/// Of a report the part that says what is wrong.
fn first_lines(why: &str) -> String {
    let (head, said) = why.split_once(ENDED).unwrap_or((why, ""));
    let said = said.find("\"exceptions\":[{").map_or(said, |at| &said[at..]);
    let said: String = said.lines().take(14).collect::<Vec<_>>().join(" | ").chars().take(3000).collect();
    format!("{}{ENDED}{said}", head.chars().take(3000).collect::<String>())
}
