//! Which sessions wait for which locks; one query serves all watchers.
//!
//! Invariant: it only reads, and never shows query text, which may contain data. Names are as the server has them;
//! `object` and `holder` return them safe for a message.

use crate::model::failure::Result;
use crate::model::name::visible;
use crate::pg::session::Session;

/// A waiting session and one that it waits for (which holds the lock, or is ahead in the lock queue).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub waiter_pid: i32,
    pub waiter_application: String,
    /// 0 for a prepared transaction.
    pub holder_pid: i32,
    pub holder_application: String,
    /// Empty if this role may not see it.
    pub holder_user: String,
    /// `None` if the lock is not on a relation of this database.
    pub relation: Option<String>,
}

impl Wait {
    /// The locked object, safe for a message.
    pub fn object(&self) -> String {
        self.relation.as_deref().map_or_else(|| "an object".to_string(), visible)
    }

    /// The holder, safe for a message: `process 4711 (postgres, psql)`.
    pub fn holder(&self) -> String {
        if self.holder_pid == 0 {
            return "a prepared transaction".to_string();
        }
        let known: Vec<String> = [&self.holder_user, &self.holder_application]
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(|word| visible(word))
            .collect();
        let pid = self.holder_pid;
        if known.is_empty() { format!("process {pid}") } else { format!("process {pid} ({})", known.join(", ")) }
    }
}

/// All current waits on the whole server; callers pick their own.
pub async fn waits(session: &Session) -> Result<Vec<Wait>> {
    let rows = session.rows(include_str!("sql/waits.sql"), &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Wait {
            waiter_pid: row.get(0),
            waiter_application: row.get(1),
            holder_pid: row.get(2),
            holder_application: row.get(3),
            holder_user: row.get(4),
            relation: row.get(5),
        })
        .collect())
}

/// A session that waits for our session `ours` while another session of `application_name` waits for it. The server's
/// deadlock detector cannot see this cycle, because part of it is outside the server.
pub fn circle<'a>(waits: &'a [Wait], application_name: &str, ours: i32) -> Option<&'a Wait> {
    let between = |pid: i32| waits.iter().any(|wait| wait.waiter_pid == pid && wait.holder_pid == ours);
    waits.iter().find(|wait| wait.waiter_application == application_name && between(wait.holder_pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(waiter: (i32, &str), holder: (i32, &str), relation: Option<&str>) -> Wait {
        Wait {
            waiter_pid: waiter.0,
            waiter_application: waiter.1.to_string(),
            holder_pid: holder.0,
            holder_application: holder.1.to_string(),
            holder_user: if holder.0 == 3 { String::new() } else { "postgres".to_string() },
            relation: relation.map(str::to_string),
        }
    }

    #[test]
    fn a_circle_is_found_only_through_us() {
        let dump_behind_change = wait((1, "stacksnap 9"), (2, "psql"), Some("public.people"));
        let change_behind_reader = wait((2, "psql"), (7, "stacksnap 9"), Some("public.people"));
        let stranger = wait((5, "psql"), (2, "psql"), None);
        let all = [stranger.clone(), dump_behind_change.clone(), change_behind_reader.clone()];
        assert_eq!(circle(&all, "stacksnap 9", 7), Some(&dump_behind_change));
        assert_eq!(circle(&all, "stacksnap 9", 8), None);
        assert_eq!(circle(&[stranger, change_behind_reader], "stacksnap 9", 7), None);
    }

    #[test]
    fn what_is_said_of_a_holder() {
        assert_eq!(wait((1, ""), (2, "psql"), None).holder(), "process 2 (postgres, psql)");
        assert_eq!(wait((1, ""), (3, ""), None).holder(), "process 3");
        assert_eq!(wait((1, ""), (0, ""), None).holder(), "a prepared transaction");
        assert_eq!(wait((1, ""), (0, ""), None).object(), "an object");
    }
}
