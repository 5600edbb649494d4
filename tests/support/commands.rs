//! For the tests of `restore`, `undo` and `guard`: how they are called, and what a database holds.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Access, Cluster, Database, Place, Ran, server, success};

/// The target as `--to` takes it, without the password.
pub fn target_of(access: Access<'_>) -> String {
    format!("host={} port={} user={} dbname={}", access.host, access.port, access.user, access.database)
}

/// A snapshot of the database; gives its folder.
#[track_caller]
pub fn snapshot(place: &Place, database: &Database, args: &[&str]) -> PathBuf {
    let ran = place.run(database.access(), args);
    let folder = ran.folder();
    if folder.is_absolute() { folder } else { place.dir.path().join(folder) }
}

/// `restore SNAP --to …` with the password in the environment.
pub fn restore(place: &Place, access: Access<'_>, snapshot: &str, args: &[&str]) -> Command {
    back(place, access, &["restore", snapshot], args)
}

/// `undo ID --to …`
pub fn undo(place: &Place, access: Access<'_>, id: &str, args: &[&str]) -> Command {
    back(place, access, &["undo", id], args)
}

fn back(place: &Place, access: Access<'_>, verb: &[&str], args: &[&str]) -> Command {
    into(&server(), place, access, verb, args)
}

/// A command with a target on a server, and the programs of that server's major.
pub fn into(server: &Cluster, place: &Place, access: Access<'_>, verb: &[&str], args: &[&str]) -> Command {
    let mut command = place.bare(verb);
    command.args(["--to", &target_of(access)]).arg("--pg-bin").arg(&server.bin).args(args);
    command.env("PGPASSWORD", access.password);
    command
}

/// `guard ARGS -- sh -c SCRIPT`, where `$PSQL` runs psql on the database and stops at an error.
pub fn guard(place: &Place, access: Access<'_>, args: &[&str], script: &str) -> Command {
    let mut command = place.bare(&["guard"]);
    command.arg("--pg-bin").arg(&server().bin).args(args).args(["--", "sh", "-c", script]);
    command.env("PGHOST", access.host).env("PGPORT", access.port.to_string()).env("PGUSER", access.user);
    command.env("PGPASSWORD", access.password).env("PGDATABASE", access.database);
    command.env("PSQL", format!("{} -X -q -v ON_ERROR_STOP=1", server().bin.join("psql").display()));
    command
}

/// Everything that pg_dump says of a database, as sorted lines: equal when schema and rows are.
pub fn contents(database: &Database) -> Vec<String> {
    let mut command = database.server.program("pg_dump", &database.name);
    let text = success(command.args(["--encoding", "UTF8"]));
    let plain =
        |line: &&str| !line.starts_with("--") && !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    let mut lines: Vec<String> = text.lines().filter(plain).map(str::to_string).collect();
    lines.sort();
    lines
}

/// Runs it on a terminal of its own and types `answer`. All that it says is in `stdout`.
pub fn on_a_terminal(command: &mut Command, answer: &str) -> Ran {
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy().replace('\'', r"'\''"));
    let line: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &line.join(" "), "/dev/null"]).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.current_dir(command.get_current_dir().unwrap());
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
