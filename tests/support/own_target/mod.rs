//! A cluster of one test's own, and the built program upon it: for what concerns a whole server.
#![allow(dead_code, clippy::disallowed_methods)]

use std::process::Command;

use crate::support::restore_cli::target_of;
use crate::support::round::Cluster;
use crate::support::take::{Access, Place, Ran, Server, success};

/// A cluster that a snapshot is restored into, and a way in.
pub struct Target {
    pub cluster: Cluster,
    pub server: Server,
}

impl Target {
    pub fn new(major: u32) -> Self {
        let cluster = Cluster::start(major);
        let server = Server {
            bin: cluster.bin.clone(),
            host: "127.0.0.1".into(),
            port: cluster.port.parse().unwrap(),
            user: "supabase_admin".into(),
            password: "postgres".into(),
        };
        Self { cluster, server }
    }

    /// Everything that pg_dumpall says of roles, settings of databases included.
    pub fn roles(&self) -> Vec<String> {
        let text = success(self.server.program("pg_dumpall", "postgres").args(["--roles-only"]));
        let mut lines: Vec<String> = text
            .lines()
            .filter(|l| !l.starts_with("--") && !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict"))
            .map(str::to_string)
            .collect();
        let settings = "SELECT format('%s %s %s', setdatabase, setrole::regrole, setconfig) FROM pg_db_role_setting
            UNION ALL SELECT format('%s of %s', parname, paracl) FROM pg_parameter_acl";
        lines.extend(self.server.psql("postgres", settings).lines().map(str::to_string));
        lines.sort();
        lines
    }

    pub fn has(&self, role: &str) -> bool {
        let sql = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'");
        self.server.psql("postgres", &sql) == "1"
    }

    pub fn run(&self, place: &Place, access: Access<'_>, verb: &[&str], args: &[&str]) -> Ran {
        Ran::of(&mut self.command(place, access, verb, args))
    }

    pub fn command(&self, place: &Place, access: Access<'_>, verb: &[&str], args: &[&str]) -> Command {
        let mut command = place.bare(verb);
        command.args(["--to", &target_of(access)]).arg("--pg-bin").arg(&self.cluster.bin).args(args);
        command.env("PGPASSWORD", access.password);
        command
    }
}
