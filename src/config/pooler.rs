//! Refuses poolers in transaction mode: each transaction may get another server session, so a snapshot cannot be held.
//!
//! Invariant: the refusal contains the exact line to use instead, with the password as `***`.

use super::conninfo::Params;
use super::conninfo::build::{Password, to_uri};
use crate::model::failure::{Failure, FailureKind, Result};

const SUPABASE_POOLER: &str = ".pooler.supabase.com";
const TRANSACTION_PORT: &str = "6543";

/// `given` has the parameters of the source itself, `filled` also those from elsewhere. `pgbouncer=false` in a URL
/// means that the port is not a pooler's.
pub fn refuse(given: &Params, filled: &Params) -> Result<Option<String>> {
    let hosts = filled.get("host").unwrap_or_default();
    let on_supabase_pooler = hosts.split(',').any(|host| host.ends_with(SUPABASE_POOLER));
    let on_transaction_port = filled.get("port").unwrap_or_default().split(',').any(|port| port == TRANSACTION_PORT);
    let flagged = given.pgbouncer == Some(true);
    let excused = given.pgbouncer == Some(false) && !on_supabase_pooler;
    if on_supabase_pooler && !on_transaction_port {
        // Port 5432 of Supabase's pooler is session mode; `pgbouncer=true` in the URL is for Prisma only.
        return Ok(flagged.then(|| "'pgbouncer=true' is ignored: this port of the pooler is session mode".into()));
    }
    if (!on_transaction_port && !flagged) || excused {
        return Ok(None);
    }
    let mut instead = given.clone();
    if on_transaction_port {
        instead.set("port", filled.get("port").unwrap_or_default().replace(TRANSACTION_PORT, "5432"));
    }
    if instead.get("host").is_none() && !hosts.is_empty() {
        instead.set("host", hosts);
    }
    let reason = if on_transaction_port { "port 6543" } else { "'pgbouncer=true' in the URL" };
    let text = format!("this is a pooler in transaction mode ({reason}): no snapshot can be held through it");
    let what = if on_supabase_pooler { "the session pooler" } else { "the server itself" };
    let failure = Failure::msg(FailureKind::Configuration, text)
        .hint(format!("use {what} instead: {}", to_uri(&instead, Password::Hidden)));
    Err(if on_transaction_port && !on_supabase_pooler {
        failure.hint("if a PostgreSQL server really listens on 6543, add ?pgbouncer=false to the URL")
    } else {
        failure
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::conninfo::parse;

    fn hints(url: &str) -> Option<Vec<String>> {
        let params = parse(url).unwrap();
        refuse(&params, &params).err().map(|failure| failure.hints)
    }

    #[test]
    fn the_line_to_use_instead_is_exact() {
        let url = "postgresql://postgres.abc:ca%40nary@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?pgbouncer=true&sslmode=require";
        assert_eq!(
            hints(url).unwrap(),
            ["use the session pooler instead: \
              postgresql://postgres.abc:***@aws-0-eu-west-1.pooler.supabase.com:5432/postgres?sslmode=require"]
        );
        let direct = hints("postgresql://postgres:x@db.abc.supabase.co:6543/postgres").unwrap();
        assert_eq!(
            direct[0],
            "use the server itself instead: postgresql://postgres:***@db.abc.supabase.co:5432/postgres"
        );
    }

    #[test]
    fn session_mode_and_excused_ports_are_fine() {
        assert!(hints("postgresql://u@aws-0-eu-west-1.pooler.supabase.com:5432/postgres?pgbouncer=true").is_none());
        assert!(hints("postgresql://u@localhost:6543/d?pgbouncer=false").is_none());
        assert!(hints("postgresql://u@localhost:5432/d").is_none());
        assert!(hints("postgresql://u@localhost:5432/d?pgbouncer=true").is_some());
        assert!(hints("postgresql://u@aws.pooler.supabase.com:6543/d?pgbouncer=false").is_some());
        assert!(hints("host=localhost port=6543").is_some());
    }
}
