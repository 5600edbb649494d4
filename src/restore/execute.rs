//! Executes a confirmed plan: in one transaction, or over several connections into an empty target.
//!
//! Invariant: in place everything is one transaction. It commits only when nothing differs but what the plan predicted:
//! an error, a lost connection or kill -9 leaves the target unchanged. Sequence values are part of the transaction.
//! Into an empty target rows are committed table by table, and running the same restore again continues from there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::entries::creation::Creation;
use super::failures::judge::{Judge, Worked};
use super::failures::leave_out::MayLack;
use super::failures::refusals::Refusals;
use super::objects::converge::{Converge, Left};
use super::objects::{default_acls, made_roles};
use super::parts::vault;
use super::rows::computed;
use super::rows::parallel;
use super::rows::tables::Tables;
use super::sql::runner::{LockBudget, Runner};
use super::target::state::{Examined, examine, refuse_changed, refuse_target};
use super::target::waiting::Waiting;
use super::{Done, Engine, settle};
use crate::model::failure::Result;
use crate::model::identity::qualified;
use crate::model::load_reason::LoadReason;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{ConfirmedPlan, RestorePlan, TableLoad, TargetKind};
use crate::monitor::millis;
use crate::monitor::{Event, Phase};
use crate::pg::catalog::lock_room::lock_room;
use crate::pg::meaning::Within;
use crate::pg::session::Session;

/// With `session_replication_role = replica` no ordinary trigger fires, and no event trigger or foreign key either
/// (R37).
const BEGIN: &str = "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL storage.allow_delete_query = 'true'; \
    SET LOCAL synchronous_commit = on; SET LOCAL stacksnap.lenient = 'on'";

/// The same for a role that may not set `session_replication_role`, into an empty database.
pub(super) const BEGIN_PLAIN: &str =
    "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL standard_conforming_strings = on";

/// How long ROLLBACK may take. After that the connection is dropped, which rolls back too.
const ROLLBACK_MAX: Duration = Duration::from_secs(10);

/// Executes the plan.
pub async fn execute(engine: &Engine<'_>, confirmed: &ConfirmedPlan) -> Result<Done> {
    let plan = confirmed.plan();
    let (session, examined) = examine(engine).await?;
    refuse_target(engine, &examined)?;
    refuse_changed(&examined, plan)?;
    let creation = examined.creation(engine)?;
    let runner = Runner::new(&session, engine.cancel).with_breath(breath(&session, plan).await?);
    let may_lack = MayLack::new(plan, &examined.scope, engine.request);
    let tables = Tables::new(engine.source, &examined.scope, engine.request, engine.monitor);
    let tables = tables.that_may_lack(may_lack.clone());
    // In the snapshot's own database the plan has compared large objects. Rewriting equal ones would need their owners'
    // rights for nothing.
    let blobs = plan.drop.iter().chain(&plan.replace).chain(&plan.create).any(|o| o.kind == ObjectKind::Blob);
    if examined.facts.kind == TargetKind::SameDatabase && !blobs {
        tables.leave_large_objects();
    }
    tables.leave_views(computed::left_alone(engine, plan));
    if computed::are_refreshed(plan) {
        tables.plan_refresh();
    }
    let refusals = Refusals::default();
    let work = Work {
        engine,
        plan,
        examined: &examined,
        creation: &creation,
        runner: &runner,
        tables: &tables,
        may_lack: &may_lack,
        refusals: &refusals,
    };
    if !plan.one_transaction {
        work.prepare_and_fill().await?;
    }
    let done = work.in_one_transaction().await?;
    settle::after_commit(&runner).await;
    Ok(done)
}

/// Into an empty target the transaction is committed whenever it holds a quarter of the lock table: other sessions need
/// locks too.
async fn breath(session: &Session, plan: &RestorePlan) -> Result<Option<LockBudget>> {
    if plan.one_transaction {
        return Ok(None);
    }
    Ok(Some(LockBudget { begin: BEGIN, locks_max: lock_room(session).await?.locks() / 4 }))
}

/// One execution of a plan.
struct Work<'a> {
    engine: &'a Engine<'a>,
    plan: &'a RestorePlan,
    examined: &'a Examined,
    creation: &'a Creation<'a>,
    runner: &'a Runner<'a>,
    tables: &'a Tables<'a>,
    may_lack: &'a MayLack,
    refusals: &'a Refusals,
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
            refusals: self.refusals,
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

    /// Creates and commits what comes before rows, then loads and builds over several connections.
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

    /// Creates stand-ins for extensions that the target does not offer. Only a superuser may. What needs a missing
    /// stand-in fails later, when it is created.
    async fn stand_in(&self) -> Result<()> {
        for sql in self.examined.stubs.statements.iter().filter(|_| self.examined.facts.is_superuser) {
            if let Some(failure) = self.runner.attempt("stand-in of an extension", sql).await? {
                self.engine.monitor.warn("stand_in_failed", failure.to_string(), None);
            }
        }
        Ok(())
    }

    /// Does the rest in one transaction: all of it or nothing.
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
        let Worked { exceptions, left_out } = self.finish(worked).await?;
        self.ended(Phase::Finish, format!("{} statements", self.runner.statements()), clock);
        let totals = self.tables.totals();
        Ok(Done {
            statements: self.runner.statements(),
            rows_loaded: totals.rows,
            bytes_loaded: totals.bytes,
            exceptions,
            left_out,
            scope: Some(self.examined.scope.clone()),
        })
    }

    /// COMMIT or ROLLBACK.
    async fn finish<T>(&self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => {
                self.runner.run("commit", "COMMIT").await.map_err(|f| {
                    f.hint("it is not known whether the COMMIT succeeded: compare with stacksnap diff SNAPSHOT live")
                })?;
                Ok(value)
            }
            Err(failure) => {
                if self.runner.is_abandoned() {
                    self.stop_statement().await;
                }
                // A lost connection has rolled back already.
                let _ = tokio::time::timeout(ROLLBACK_MAX, self.runner.session.execute("ROLLBACK")).await;
                Err(failure.hint("the transaction was rolled back: nothing of it remains"))
            }
        }
    }

    /// Cancels the running statement from a second connection.
    async fn stop_statement(&self) {
        let stop = async {
            let session = Session::open(self.engine.target, "stacksnap stop").await?;
            let pid = self.runner.session.backend_pid;
            session.execute(&format!("SELECT pg_catalog.pg_cancel_backend({pid})")).await
        };
        let _ = tokio::time::timeout(ROLLBACK_MAX, stop).await;
    }

    async fn work(&self) -> Result<Worked> {
        let converge = self.converge();
        // Rows of the platform's tables come first: foreign keys of the user's tables refer to them.
        let scope = &self.examined.scope;
        // A table that is recreated is loaded when it is created.
        let replaced = |load: &TableLoad| {
            let tables = self.plan.replace.iter().filter(|o| o.kind == ObjectKind::Table);
            let mut named = tables.filter_map(|o| qualified(&o.identity));
            matches!(load.reason, LoadReason::ColumnsDiffer | LoadReason::MadeAgain)
                && named.any(|(schema, name)| load.table.schema == schema && load.table.name == name)
        };
        let is_theirs = |load: &&TableLoad| {
            scope.is_managed(Some(&load.table.schema)) && load.reason != LoadReason::New && !replaced(load)
        };
        let (theirs, ours): (Vec<_>, Vec<_>) = self.plan.load.iter().partition(is_theirs);
        self.tables.reload(self.runner, &theirs).await?;
        self.tables.drop_orphans(self.runner).await?;
        if !self.plan.one_transaction {
            // Tables that the parallel phase could not load come first, before anything is built on them.
            self.tables.reload(self.runner, &ours).await?;
        }
        converge.run().await?;
        if !scope.untrusted {
            // In an empty database every table that could be created was loaded as it was created.
            let filled = ours.iter().map(|load| load.table.clone()).collect();
            converge.drop_unproved(&filled, &mut BTreeMap::new()).await?;
            self.tables.reload(self.runner, &ours).await?;
        }
        self.tables.large_objects(self.runner).await?;
        let mut words = BTreeMap::new();
        settle::after_rows(self.engine, self.runner, self.creation, self.tables, &mut words).await?;
        // No object refers to these roles any more. Dropping them before the final comparison also removes their
        // memberships.
        let roles_left = made_roles::drop_planned(self.engine, self.examined, self.plan, self.runner).await?;
        // Rows may have created objects (queues, partitions): converge once more. Only this run's messages count: a
        // later pass may have fixed what an earlier one could not do.
        let left = converge.run().await?;
        words.extend(left.words.clone());
        let judge = Judge {
            plan: self.plan,
            examined: self.examined,
            converge: &converge,
            may_lack: self.may_lack,
            monitor: self.engine.monitor,
        };
        let judged = judge.judge(Left { words, ..left }).await?;
        let Worked { mut exceptions, left_out } = judged;
        exceptions.extend(roles_left);
        exceptions.extend(vault::bring_back(self.engine, self.examined, self.runner).await?);
        let mut words = BTreeMap::new();
        exceptions.extend(settle::last(self.engine, self.examined, self.runner, self.plan, &mut words).await?);
        default_acls::take_away(self.engine, self.examined, self.runner).await?;
        for (what, text) in words {
            self.engine.monitor.warn("not_set", format!("{what}: {text}"), None);
        }
        exceptions.sort();
        exceptions.dedup();
        Ok(Worked { exceptions, left_out })
    }
}
