//! Runs the collectors one after the other. A collector that fails loses its own part only.
//!
//! Invariant: every planned collector has exactly one outcome; a failed one is a gap too, and leaves the session's
//! transaction usable.

use std::time::Instant;

use super::millis;
use super::selection::Selection;
use crate::collect::context::{Collected, Collector, Context};
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::model::manifest::SecretNotice;
use crate::model::outcome::{CollectorOutcome, Outcome};

/// The results of all collectors.
#[derive(Debug, Default)]
pub struct CollectorResults {
    pub outcomes: Vec<CollectorOutcome>,
    pub gaps: Vec<Gap>,
    pub secrets: Vec<SecretNotice>,
}

impl CollectorResults {
    /// Runs those of `collectors` whose category is selected.
    pub async fn run(&mut self, context: &Context<'_>, selection: &Selection, collectors: &[&Collector]) -> Result<()> {
        for collector in collectors {
            if !selection.has(collector.category) {
                let reason = "not asked for".to_string();
                self.add(collector, Outcome::Skipped { reason }, 0);
                continue;
            }
            let clock = Instant::now();
            context.session.execute("SAVEPOINT collector").await?;
            let result = (collector.run)(context).await;
            let duration_ms = millis(clock.elapsed());
            match result {
                Ok(collected) => {
                    context.session.execute("RELEASE SAVEPOINT collector").await?;
                    self.collected(collector, collected, duration_ms);
                }
                Err(failure) => {
                    context.session.execute("ROLLBACK TO SAVEPOINT collector").await?;
                    let error = crate::model::name::visible(&failure.to_string());
                    context.monitor.warn("collector_failed", format!("{}: {error}", collector.name), None);
                    let todo = failure.hints.first().cloned();
                    let todo =
                        todo.unwrap_or_else(|| "see the log of the run; the archive itself is not affected".into());
                    self.gaps.push(Gap::new("collector_failed", collector.name, error.clone(), todo));
                    self.add(collector, Outcome::Failed { error }, duration_ms);
                }
            }
        }
        Ok(())
    }

    fn collected(&mut self, collector: &Collector, collected: Collected, duration_ms: u64) {
        self.gaps.extend(collected.gaps);
        self.secrets.extend(collected.secrets);
        let outcome = match collected.skipped {
            Some(reason) => Outcome::Skipped { reason },
            None => Outcome::Collected { counts: collected.counts },
        };
        self.add(collector, outcome, duration_ms);
    }

    fn add(&mut self, collector: &Collector, outcome: Outcome, duration_ms: u64) {
        self.outcomes.push(CollectorOutcome {
            collector: collector.name.to_string(),
            category: collector.category,
            outcome,
            duration_ms,
        });
    }
}
