//! Carrying out a confirmed plan: in one transaction, or (into an empty target) with several connections.
//!
//! Invariant: in place everything is one transaction, which commits only when nothing differs but what the plan said:
//! a failure, a lost connection or kill -9 leaves the target as it was. Values of sequences are part of it. Into an
//! empty target rows are committed table by table: running the same restore again goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::converge::{Converge, Left};
use super::creation::Creation;
use super::delta::SEEN;
use super::identity::qualified;
use super::parallel;
use super::runner::Runner;
use super::state::{Examined, examine, refuse_changed, refuse_target};
use super::tables::{COLUMNS_DIFFER, MADE_AGAIN, NEW, Tables};
use super::waiting::Waiting;
use super::{Done, Engine, made_roles, roles, settle, unwritten, vault};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::model::restore::{ConfirmedPlan, Exception, ObjectName, RestorePlan, TableLoad, TargetKind};
use crate::monitor::millis;
use crate::monitor::{Event, Phase};
use crate::pg::meaning::Within;
use crate::pg::session::Session;

/// In replica role no ordinary trigger fires, event triggers and foreign keys included (R37).
const BEGIN: &str = "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL storage.allow_delete_query = 'true'; \
    SET LOCAL synchronous_commit = on; SET LOCAL stacksnap.lenient = 'on'";

/// The same for a role that may not switch triggers off, into an empty database.
pub(super) const BEGIN_PLAIN: &str =
    "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL standard_conforming_strings = on";

/// How long a rollback may take before the connection is dropped, which rolls back too.
const ROLLBACK_MAX: Duration = Duration::from_secs(10);

/// At most so many objects are named in one message.
const NAMED_MAX: usize = 12;

/// Executes.
pub async fn execute(engine: &Engine<'_>, confirmed: &ConfirmedPlan) -> Result<Done> {
    let plan = confirmed.plan();
    let (session, examined) = examine(engine).await?;
    refuse_target(engine, &examined)?;
    refuse_changed(&examined, plan)?;
    let creation = examined.creation(engine)?;
    let runner = Runner::new(&session, engine.cancel);
    let tables = Tables::new(engine.source, &examined.scope, engine.request, engine.monitor);
    // In its own database the plan has compared them: rewriting equal ones takes their owner's rights for nothing.
    let blobs = plan.drop.iter().chain(&plan.replace).chain(&plan.create).any(|o| o.kind == "BLOB");
    if examined.facts.kind == TargetKind::SameDatabase && !blobs {
        tables.leave_large_objects();
    }
    let work = Work { engine, plan, examined: &examined, creation: &creation, runner: &runner, tables: &tables };
    if !plan.one_transaction {
        work.prepare_and_fill().await?;
    }
    let done = work.in_one_transaction().await?;
    settle::after_commit(&runner).await;
    Ok(done)
}

/// One execution.
struct Work<'a> {
    engine: &'a Engine<'a>,
    plan: &'a RestorePlan,
    examined: &'a Examined,
    creation: &'a Creation<'a>,
    runner: &'a Runner<'a>,
    tables: &'a Tables<'a>,
}

impl Work<'_> {
    fn converge(&self) -> Converge<'_> {
        Converge {
            source: self.engine.source,
            creation: self.creation,
            runner: self.runner,
            scope: &self.examined.scope,
            database: self.examined.facts.database.clone(),
            tables: self.tables,
        }
    }

    fn started(&self, phase: Phase) -> Instant {
        let bytes = self.plan.load.iter().map(|l| l.bytes_raw).sum();
        self.engine.monitor.event(Event::PhaseStarted { phase, bytes_total: (phase == Phase::Load).then_some(bytes) });
        Instant::now()
    }

    fn ended(&self, phase: Phase, summary: String, clock: Instant) {
        let duration_ms = millis(clock.elapsed());
        self.engine.monitor.event(Event::PhaseEnded { phase, summary, duration_ms });
    }

    /// Makes what comes before the rows, commits it, and fills and builds over several connections.
    async fn prepare_and_fill(&self) -> Result<()> {
        let clock = self.started(Phase::Prepare);
        self.runner.run("begin", BEGIN).await?;
        self.stand_in().await?;
        let prepared = self.converge().prepare().await;
        self.finish(prepared).await?;
        self.ended(Phase::Prepare, format!("{} statements", self.runner.statements()), clock);
        let clock = self.started(Phase::Load);
        let live = self.engine.source.read_target(self.runner.session, Within::Nothing).await?;
        let filled = parallel::fill(self.engine, self.plan, &live, self.creation, self.tables).await?;
        self.ended(Phase::Load, filled, clock);
        Ok(())
    }

    /// Makes stand-ins for extensions that the target cannot have. Only a superuser may; what needs one that is not
    /// there is found when it is made.
    async fn stand_in(&self) -> Result<()> {
        for sql in self.examined.stubs.statements.iter().filter(|_| self.examined.facts.is_superuser) {
            if let Some(failure) = self.runner.attempt("stand-in of an extension", sql).await? {
                self.engine.monitor.warn("stand_in_failed", failure.to_string(), None);
            }
        }
        Ok(())
    }

    /// Everything that is left, and nothing of it unless all of it.
    async fn in_one_transaction(&self) -> Result<Done> {
        let clock = self.started(Phase::Finish);
        let begin = if self.examined.scope.untrusted { BEGIN_PLAIN } else { BEGIN };
        self.runner.run("begin", begin).await?;
        if self.plan.one_transaction {
            self.stand_in().await?;
        }
        let waiting = Waiting::default();
        let worked = tokio::select! {
            worked = self.work() => worked.map_err(|failure| waiting.explain(failure)),
            never = waiting.watch(self.engine, self.runner.session.backend_pid) => match never {},
        };
        let exceptions = self.finish(worked).await?;
        self.ended(Phase::Finish, format!("{} statements", self.runner.statements()), clock);
        let totals = self.tables.totals();
        Ok(Done {
            statements: self.runner.statements(),
            rows_loaded: totals.rows,
            bytes_loaded: totals.bytes,
            exceptions,
            scope: Some(self.examined.scope.clone()),
        })
    }

    /// COMMIT or ROLLBACK.
    async fn finish<T>(&self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => {
                self.runner.run("commit", "COMMIT").await.map_err(|f| {
                    f.hint("whether it was committed is not known: compare with stacksnap diff SNAPSHOT live")
                })?;
                Ok(value)
            }
            Err(failure) => {
                if self.runner.is_abandoned() {
                    self.stop_statement().await;
                }
                // A connection that is gone rolled back by itself.
                let _ = tokio::time::timeout(ROLLBACK_MAX, self.runner.session.execute("ROLLBACK")).await;
                Err(failure.hint("everything of this transaction was rolled back"))
            }
        }
    }

    /// Ends the statement that was left running, from beside.
    async fn stop_statement(&self) {
        let stop = async {
            let session = Session::open(self.engine.target, "stacksnap stop").await?;
            let pid = self.runner.session.backend_pid;
            session.execute(&format!("SELECT pg_catalog.pg_cancel_backend({pid})")).await
        };
        let _ = tokio::time::timeout(ROLLBACK_MAX, stop).await;
    }

    async fn work(&self) -> Result<Vec<Exception>> {
        let converge = self.converge();
        // Rows of the platform's own tables come first: keys of the user's tables refer to them.
        let scope = &self.examined.scope;
        // One that is made again is filled when it is made.
        let replaced = |load: &TableLoad| {
            let tables = self.plan.replace.iter().filter(|o| o.kind == "TABLE");
            let mut named = tables.filter_map(|o| qualified(&o.identity));
            [COLUMNS_DIFFER, MADE_AGAIN].contains(&load.why.as_str())
                && named.any(|(schema, name)| load.table.schema == schema && load.table.name == name)
        };
        let is_theirs =
            |load: &&TableLoad| scope.is_managed(Some(&load.table.schema)) && load.why != NEW && !replaced(load);
        let (theirs, ours): (Vec<_>, Vec<_>) = self.plan.load.iter().partition(is_theirs);
        self.tables.reload(self.runner, &theirs).await?;
        self.tables.drop_orphans(self.runner).await?;
        converge.run().await?;
        if !scope.untrusted {
            // What could be made in an empty database was filled as it was made.
            let filled = ours.iter().map(|load| load.table.clone()).collect();
            converge.drop_unproved(&filled, &mut BTreeMap::new()).await?;
            self.tables.reload(self.runner, &ours).await?;
        }
        self.tables.large_objects(self.runner).await?;
        let mut words = BTreeMap::new();
        settle::after_rows(self.engine, self.runner, self.creation, self.tables, &mut words).await?;
        // Nothing here needs them any more, and memberships that only their end takes away are gone before the verdict.
        let roles_left = made_roles::drop_planned(self.engine, self.examined, self.plan, self.runner).await?;
        // The rows may have made objects (queues, partitions); what they made has to be right too. Only what the server
        // says now counts: an earlier pass may have stumbled over what a later one mended.
        let left = converge.run().await?;
        words.extend(left.words.clone());
        let mut exceptions = self.judge(&Left { words, ..left })?;
        exceptions.extend(roles_left);
        exceptions.extend(vault::bring_back(self.engine, self.examined, self.runner).await?);
        let mut words = BTreeMap::new();
        exceptions.extend(settle::last(self.engine, self.examined, self.runner, self.plan, &mut words).await?);
        unwritten::take_away(self.engine, self.examined, self.runner).await?;
        for (what, text) in words {
            self.engine.monitor.warn("not_set", format!("{what}: {text}"), None);
        }
        exceptions.sort();
        exceptions.dedup();
        Ok(exceptions)
    }

    /// The platform's own object, which stays as it is where it could not be put back.
    fn of_platform(&self, name: &ObjectName, left: &Left) -> Option<Exception> {
        let object = self.engine.source.inventory.objects.iter().find(|o| ObjectName::of(o) == *name)?;
        let words = left.words.get(&format!("{} {}", name.kind, name.identity)).map(String::as_str);
        self.examined.scope.services.excuse(object, words, self.plan)
    }

    /// What the server refused and no exception names: nothing of it is passed over.
    fn tell(&self, left: &Left, exceptions: &[Exception]) {
        for (what, words) in &left.words {
            if !exceptions.iter().any(|e| what.ends_with(&e.what)) {
                self.engine.monitor.warn("not_done", said(what, words), None);
            }
        }
    }

    /// What is left is an exception that was foretold or that this role cannot help; anything else ends it.
    fn judge(&self, left: &Left) -> Result<Vec<Exception>> {
        let mut exceptions = self.plan.exceptions.clone();
        exceptions.extend(self.tables.kept_out());
        exceptions.extend(left.regranted.iter().map(|name| roles::granted_by_another(name, self.examined)));
        exceptions.extend(left.named.iter().cloned());
        let mut fatal: Vec<&ObjectName> = Vec::new();
        for object in &left.objects {
            match settle::excuse(object, left, self.examined, self.engine.source)
                .or_else(|| self.of_platform(object, left))
            {
                Some(exception) => exceptions.push(exception),
                None => fatal.push(object),
            }
        }
        let part_failed = !self.examined.scope.is_whole() && !left.words.is_empty();
        if fatal.is_empty() && !part_failed {
            self.tell(left, &exceptions);
            return Ok(exceptions);
        }
        let named: BTreeSet<String> =
            fatal.iter().take(NAMED_MAX).map(|o| visible(&format!("{} {}", o.kind, o.identity))).collect();
        let more = fatal.len().saturating_sub(NAMED_MAX);
        let mut text = format!(
            "{} objects could not be made equal: {}",
            fatal.len(),
            named.into_iter().collect::<Vec<_>>().join(", ")
        );
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        let mut failure = Failure::msg(FailureKind::Failed, text);
        // A file that failed as a whole explains many objects: it is told first, and what the server said before what
        // is only seen to differ.
        let mut told: Vec<_> = left.words.iter().collect();
        told.sort_by_key(|(what, words)| (!what.ends_with(".sql"), words.starts_with(SEEN)));
        for (what, words) in told.into_iter().take(NAMED_MAX) {
            failure = failure.hint(said(what, words));
        }
        Err(failure)
    }
}

/// What the server said about something, which its words may begin with.
fn said(what: &str, words: &str) -> String {
    let words = words.strip_prefix(what).map_or(words, |rest| rest.trim_start_matches(": "));
    format!("{}: {}", visible(what), visible(words))
}
