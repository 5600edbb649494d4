//! Service files: `[name]` followed by connection parameters.
//!
//! Invariant: it looks where libpq looks (PGSERVICEFILE or ~/.pg_service.conf, then the system's folder). Values of a
//! service never replace those of the connection string.

use std::path::PathBuf;

use super::conninfo::Params;
use super::environment::Environment;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;

/// The compiled-in folders of PostgreSQL packages, used if PGSYSCONFDIR is not set.
const SYSTEM_DIRS: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc"];

/// The parameters of the service `name`, and the file that they came from.
pub fn load<'a>(
    name: &str,
    environment: &Environment,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<(Params, PathBuf)> {
    let mut files = Vec::new();
    match lookup("PGSERVICEFILE") {
        Some(file) => files.push(environment.path(file)),
        None => files.extend(environment.home.as_ref().map(|home| home.join(".pg_service.conf"))),
    }
    match lookup("PGSYSCONFDIR") {
        Some(folder) => files.push(environment.path(folder).join("pg_service.conf")),
        None => files.extend(SYSTEM_DIRS.iter().map(|folder| PathBuf::from(folder).join("pg_service.conf"))),
    }
    for file in &files {
        let Some(text) = ownership::read_text(file, "the service file")? else { continue };
        if let Some(params) = find_in(&text, name).map_err(|f| f.context(format!("in {}", file.display())))? {
            return Ok((params, file.clone()));
        }
    }
    let looked: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Err(Failure::msg(FailureKind::Configuration, format!("no service file has the service '{name}'"))
        .hint(format!("looked in {}", looked.join(", ")))
        .hint("PGSERVICEFILE names another file"))
}

/// The parameters below `[name]`, if the file has that section.
fn find_in(text: &str, name: &str) -> Result<Option<Params>> {
    let mut params: Option<Params> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if params.is_some() {
                break;
            }
            if header.strip_suffix(']') == Some(name) {
                params = Some(Params::default());
            }
            continue;
        }
        let Some(params) = params.as_mut() else { continue };
        let wrong = |what: &str| Failure::msg(FailureKind::Configuration, format!("line {}: {what}", index + 1));
        if line.starts_with("ldap") {
            return Err(wrong("services from an LDAP server are not supported").hint("write the parameters out"));
        }
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("there is no '=' in the line"))?;
        if key.trim() == "service" {
            return Err(wrong("a service cannot name another service"));
        }
        // If several lines of a section set one parameter, the first wins, as in libpq.
        let mut one = Params::default();
        one.take(key.trim(), value.trim_start(), true).map_err(|f| f.context(format!("line {}", index + 1)))?;
        params.notes.append(&mut one.notes);
        for (key, value) in one.iter() {
            params.fill(key, value);
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# c\n[a]\nhost=ha\nport=1\n\n[shop]\nhost=hs\nhost=second\ndbname=d\npassword=p=q\n[z]\nuser=z\n";

    #[test]
    fn one_part_is_read_and_the_first_value_wins() {
        let params = find_in(FILE, "shop").unwrap().unwrap();
        let got: Vec<_> = params.iter().collect();
        assert_eq!(got, [("dbname", "d"), ("host", "hs"), ("password", "p=q")]);
        assert_eq!(find_in(FILE, "none").unwrap(), None);
    }

    #[test]
    fn errors_name_the_line() {
        let failure = find_in("[s]\nhots=x", "s").unwrap_err();
        assert_eq!(failure.to_string(), "line 2: unknown parameter 'hots'");
        assert!(find_in("[s]\nservice=t", "s").is_err());
        assert!(find_in("[s]\ncanary", "s").is_err_and(|f| !f.to_string().contains("canary")));
    }

    #[test]
    fn the_home_file_comes_before_the_systems() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".pg_service.conf"), "[s]\nhost=home\n").unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/pg_service.conf"), "[s]\nhost=system\n[t]\nhost=t\n").unwrap();
        let etc = dir.path().join("etc").display().to_string();
        let environment =
            Environment::of([("HOME", dir.path().to_str().unwrap()), ("PGSYSCONFDIR", etc.as_str())], dir.path());
        let host = |name: &str| {
            let (params, _) = load(name, &environment, |v| environment.get(v)).unwrap();
            params.get("host").unwrap().to_string()
        };
        assert_eq!(host("s"), "home");
        assert_eq!(host("t"), "t");
        let failure = load("u", &environment, |v| environment.get(v)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Configuration);
    }
}
