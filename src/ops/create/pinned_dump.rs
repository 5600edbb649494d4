//! Pins the settings that pg_dump's output depends on, whatever `ALTER DATABASE … SET` and `ALTER ROLE … SET` say.
//!
//! Invariant: pg_dump gets `PGOPTIONS` only for settings that deviate, after the user's own options. A second
//! connection checks that they are in force, because a pooler may ignore or refuse them. A setting that still deviates
//! is a gap.

use super::Job;
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::model::pins::{Pin, for_dump_among, options};
use crate::pg::catalog::deviating::deviating;
use crate::pg::session::Session;

/// How pg_dump connects.
pub struct PinnedDump {
    pub spec: ConnSpec,
    /// Settings that could not be pinned.
    pub gaps: Vec<Gap>,
}

/// `session` was opened with the user's own options.
pub async fn pinned_dump(job: &Job<'_>, session: &Session) -> Result<PinnedDump> {
    let deviating = for_dump(session).await?;
    if deviating.is_empty() {
        return Ok(PinnedDump { spec: job.source.clone(), gaps: Vec::new() });
    }
    let pins: Vec<Pin> = deviating.iter().map(|(pin, _)| *pin).collect();
    let text = options(job.source.options.as_deref(), &pins);
    let spec = ConnSpec { options: Some(text), ..job.source.clone() };
    match Session::open(&spec, &job.application_name).await {
        Ok(second) => {
            let still = for_dump(&second).await?;
            let gaps = still.iter().map(|(pin, value)| gap(pin, value, "the options of its connection are ignored"));
            Ok(PinnedDump { gaps: gaps.collect(), spec })
        }
        Err(refusal) => {
            let why = format!("options were refused: {refusal}");
            let gaps = deviating.iter().map(|(pin, value)| gap(pin, value, &why));
            Ok(PinnedDump { gaps: gaps.collect(), spec: job.source.clone() })
        }
    }
}

async fn for_dump(session: &Session) -> Result<Vec<(Pin, String)>> {
    let deviating = deviating(session).await?;
    let pin = |(name, value): &(String, String)| Some((*for_dump_among(&[name]).first()?, value.clone()));
    Ok(deviating.iter().filter_map(pin).collect())
}

fn gap(pin: &Pin, value: &str, why: &str) -> Gap {
    let Pin { name, value: wanted, .. } = pin;
    let why = format!("pg_dump ran with {value}, not with {wanted}: {why}");
    let todo = "take the snapshot over a direct connection, or reset the setting for the role that takes it";
    Gap::new("setting_not_pinned", format!("setting {name}"), why, todo)
}
