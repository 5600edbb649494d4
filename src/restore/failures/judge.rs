//! The verdict at the end of a restore: may these differences remain, or does the restore fail?
//!
//! Invariant: every remaining difference is an exception that the plan predicted or that this role cannot avoid, or it
//! is left out by name because the target allows that, or the restore fails. Causes are named before their
//! consequences.

use std::collections::{BTreeMap, BTreeSet};

use super::causes::CauseAnalysis;
use super::leave_out::MayLack;
use super::repair::Repaired;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::left_out;
use crate::model::left_out::LeftOut;
use crate::model::name::{shell, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, RestorePlan, TargetKind};
use crate::monitor::Monitor;
use crate::pg::meaning::Within;
use crate::restore::objects::converge::{Converge, Left};
use crate::restore::objects::delta::SEEN;
use crate::restore::objects::roles;
use crate::restore::settle;
use crate::restore::target::state::Examined;

/// The outcome of one execution.
pub(crate) struct Worked {
    pub exceptions: Vec<Exception>,
    pub left_out: Vec<LeftOut>,
}

/// At most this many causes and messages in one failure; the log has all.
const NAMED_MAX: usize = 12;

/// What the verdict needs.
pub struct Judge<'a> {
    pub plan: &'a RestorePlan,
    pub examined: &'a Examined,
    pub converge: &'a Converge<'a>,
    pub may_lack: &'a MayLack,
    pub monitor: &'a dyn Monitor,
}

/// What remains, split into excused and not.
struct Sorted {
    excused: Vec<Exception>,
    rest: BTreeSet<ObjectName>,
}

impl Judge<'_> {
    /// Excuses, repairs and leaves out; or fails.
    pub async fn judge(&self, left: Left) -> Result<Worked> {
        let sorted = self.split_excused(&left);
        let mut mended = Repaired::default();
        let (left, sorted) = if sorted.rest.is_empty() {
            (left, sorted)
        } else {
            let rest = Left { objects: sorted.rest.clone(), ..left };
            mended = self.converge.mend(&rest, self.may_lack).await?;
            // What was excused stays excused: `rest` no longer contains it.
            if mended.is_empty() {
                (rest, sorted)
            } else {
                let after = self.compare_again(rest).await?;
                let sorted = self.split_excused(&after);
                (after, sorted)
            }
        };
        let reckoning = CauseAnalysis {
            left: &left,
            creation: self.converge.creation,
            inventory: &self.converge.source.inventory,
            given_up: &self.converge.tables.given_up(),
            not_valid: &mended.not_valid,
            withheld: &mended.withheld,
        };
        let left_out = reckoning.list(&sorted.rest);
        let mut exceptions = self.plan.exceptions.clone();
        exceptions.extend(self.converge.tables.kept_out());
        exceptions.extend(left.regranted.iter().map(|name| roles::granted_by_another(name, self.examined)));
        exceptions.extend(left.named.iter().cloned());
        exceptions.extend(sorted.excused);
        exceptions.extend(left_out::exceptions(&left_out));
        let part_failed = !self.examined.scope.is_whole() && self.unexplained_refusals(&left, &left_out) > 0;
        let fatal: Vec<&LeftOut> = left_out.iter().filter(|one| !self.may_lack.allows(one)).collect();
        self.log_left_out(&left_out);
        if fatal.is_empty() && !part_failed && !self.no_table_was_created(&left_out) {
            self.warn_unnamed(&left, &exceptions, &left_out);
            return Ok(Worked { exceptions, left_out });
        }
        Err(self.failure(&left_out, &left))
    }

    /// What differs after a repair. The server's earlier messages still apply.
    async fn compare_again(&self, before: Left) -> Result<Left> {
        let live = self.converge.source.read_target(self.converge.runner.session, Within::Transaction).await?;
        let after = self.converge.left(&live, before.words);
        Ok(Left { refusals: before.refusals, ..after })
    }

    fn split_excused(&self, left: &Left) -> Sorted {
        let mut sorted = Sorted { excused: Vec::new(), rest: BTreeSet::new() };
        for object in &left.objects {
            let excuse = settle::excuse(object, left, self.examined, self.converge.source);
            match excuse.or_else(|| self.excuse_of_platform(object, left)) {
                Some(exception) => sorted.excused.push(exception),
                None => {
                    sorted.rest.insert(object.clone());
                }
            }
        }
        sorted
    }

    /// Excuses an object of the platform that this role could not restore.
    fn excuse_of_platform(&self, name: &ObjectName, left: &Left) -> Option<Exception> {
        let object = self.converge.source.inventory.objects.iter().find(|o| ObjectName::of(o) == *name)?;
        let words = left.words.get(&format!("{} {}", name.kind, name.identity)).map(String::as_str);
        self.examined.scope.services.excuse(object, words, self.plan)
    }

    /// In a restore of selected parts much is not compared, so each refusal that no allowed object explains counts.
    fn unexplained_refusals(&self, left: &Left, left_out: &[LeftOut]) -> usize {
        let allowed: Vec<LeftOut> = left_out.iter().filter(|one| self.may_lack.allows(one)).cloned().collect();
        left.words.keys().filter(|what| !is_reported(what, left, &allowed)).count()
    }

    /// A restore into an empty database that created not one table has failed, whatever may be left out.
    fn no_table_was_created(&self, left_out: &[LeftOut]) -> bool {
        let empty = matches!(self.examined.facts.kind, TargetKind::Bare | TargetKind::FreshProject);
        let tables = || self.plan.create.iter().filter(|o| o.kind == ObjectKind::Table);
        empty
            && tables().next().is_some()
            && tables()
                .all(|o| left_out.iter().any(|one| one.object == *o && one.instead == left_out::Instead::Missing))
    }

    /// Logs every object. The report and the failure name only the causes.
    fn log_left_out(&self, left_out: &[LeftOut]) {
        for one in left_out {
            let text = match &one.because_of {
                Some(cause) => format!("{} depends on {cause}", one.what()),
                None => format!("{}: {}", one.what(), left_out::exception(one, left_out).why),
            };
            self.monitor.note(visible(&text));
        }
    }

    /// Warns about each refusal that no exception and no left out object names.
    fn warn_unnamed(&self, left: &Left, exceptions: &[Exception], left_out: &[LeftOut]) {
        for (what, words) in &left.words {
            if !exceptions.iter().any(|e| what.ends_with(&e.what)) && !is_reported(what, left, left_out) {
                self.monitor.warn("not_done", labelled(what, words), None);
            }
        }
    }

    /// Names the causes first, in the server's words, each with its number of dependents; refusals that belong to no
    /// object come last.
    fn failure(&self, left_out: &[LeftOut], left: &Left) -> Failure {
        let causes: Vec<&LeftOut> = left_out.iter().filter(|one| one.because_of.is_none()).collect();
        let (refused, seen): (Vec<&LeftOut>, Vec<&LeftOut>) =
            causes.into_iter().partition(|one| one.sqlstate.is_some());
        let lines: Vec<String> = refused.iter().chain(&seen).map(|cause| cause_line(cause, left_out)).collect();
        let Some((first, more)) = lines.split_first() else {
            let failure = Failure::msg(FailureKind::Failed, "a selected part could not be restored completely");
            return words_of(&left.words).into_iter().fold(failure, Failure::hint);
        };
        let dependents = left_out.len() - lines.len();
        let text = if left_out.len() == 1 {
            format!("1 object could not be made equal: {first}")
        } else {
            format!(
                "{} objects could not be made equal (causes: {}, dependents: {dependents}): {first}",
                left_out.len(),
                lines.len(),
            )
        };
        let sqlstate = refused.first().and_then(|cause| cause.sqlstate.as_deref());
        let sqlstate = sqlstate.and_then(crate::model::sqlstate::SqlState::parse);
        let failure = Failure { sqlstate, left_out: left_out.to_vec(), ..Failure::msg(FailureKind::Failed, text) };
        let failure = more.iter().take(NAMED_MAX - 1).cloned().fold(failure, Failure::hint);
        let failure = if more.len() >= NAMED_MAX {
            failure.hint(format!("{} more causes are in the log", more.len() + 1 - NAMED_MAX))
        } else {
            failure
        };
        let rest = left.words.iter().filter(|(what, _)| !is_reported(what, left, left_out));
        let rest: BTreeMap<String, String> = rest.map(|(what, words)| (what.clone(), words.clone())).collect();
        let failure = words_of(&rest).into_iter().fold(failure, Failure::hint);
        match refused.first() {
            Some(cause) if !self.plan.leave_out.contains(&cause.object) => failure.hint(format!(
                "to restore everything else, without it and its dependents: --leave-out {}",
                shell(&visible(&cause.what()))
            )),
            _ => failure,
        }
    }
}

/// Is this message about an object that is left out, and reported with it?
fn is_reported(what: &str, left: &Left, left_out: &[LeftOut]) -> bool {
    left_out
        .iter()
        .any(|one| one.what() == what || left.refusals.get(&one.object).is_some_and(|refusal| refusal.what == what))
}

/// `VIEW public.v: the server refused: … (SQLSTATE 42883) …; dependents: 3`
fn cause_line(cause: &LeftOut, all: &[LeftOut]) -> String {
    let dependents = match left_out::fallen(cause, all) {
        0 => String::new(),
        n => format!("; dependents: {n}"),
    };
    let words =
        if cause.said.is_empty() { "it still differs although the server reported no error" } else { &cause.said };
    format!("{}{dependents}", labelled(&cause.what(), words))
}

/// Files first: one that failed explains many objects. Then the server's messages, then differences without a message.
fn words_of(words: &BTreeMap<String, String>) -> Vec<String> {
    let mut sorted: Vec<_> = words.iter().collect();
    sorted.sort_by_key(|(what, words)| (!what.ends_with(".sql"), words.starts_with(SEEN)));
    sorted.into_iter().take(NAMED_MAX).map(|(what, words)| labelled(what, words)).collect()
}

/// `what: words`, without repeating `what` where the words already begin with it.
fn labelled(what: &str, words: &str) -> String {
    let words = words.strip_prefix(what).map_or(words, |rest| rest.trim_start_matches(": "));
    format!("{}: {}", visible(what), visible(words))
}
