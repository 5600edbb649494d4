//! The first line of a run: the database, the role, and where the connection was configured.
//!
//! Invariant: it is printed before anything is done in the database, without a secret, and goes to standard error
//! unless the output is ndjson. Documents have the same facts under `connection`.

use serde::Serialize;

use super::out::{Format, Ui};
use super::text::line;
use crate::model::connection::{ConnSpec, ConnectionSummary};

/// A document with its connection.
#[derive(Serialize)]
pub struct With<'a, T> {
    pub connection: ConnectionSummary,
    #[serde(flatten)]
    pub body: &'a T,
}

impl<'a, T> With<'a, T> {
    pub fn new(spec: &ConnSpec, body: &'a T) -> Self {
        Self { connection: spec.summary(), body }
    }
}

/// Prints the line. `doing` is for example `reading` or `writing to`.
pub fn say(ui: Ui, doing: &str, spec: &ConnSpec) {
    if ui.format == Format::Ndjson {
        ui.document("connection", &spec.summary());
    } else {
        ui.say(&text(doing, &spec.summary()));
    }
}

fn text(doing: &str, found: &ConnectionSummary) -> String {
    let ConnectionSummary { host, port, database, role, from, file } = found;
    let file = file.as_deref().map(|file| format!(" in {}", line(file))).unwrap_or_default();
    let (host, database, role) = (line(host), line(database), line(role));
    format!("{doing} database {database} as {role} at {host}, port {port} (from {}{file})", line(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::{Host, Origin};
    use crate::model::secret::Secret;

    #[test]
    fn the_line_names_the_place_the_role_and_who_said_so_and_no_secret() {
        let spec = ConnSpec {
            hosts: vec![(Host::Tcp("db.example".into()), 5433)],
            database: "shop\n".into(),
            user: "ann".into(),
            password: Some(Secret::new("canary")),
            origin: Origin { variable: "DATABASE_URL".into(), file: Some("/srv/.env.local".into()), notes: Vec::new() },
            ..ConnSpec::default()
        };
        let said = text("reading", &spec.summary());
        let want = "reading database shop\\u{a} as ann at db.example, port 5433 (from DATABASE_URL in /srv/.env.local)";
        assert_eq!(said, want);
        assert!(!serde_json::to_string(&With::new(&spec, &serde_json::json!({"a": 1}))).unwrap().contains("canary"));
    }
}
