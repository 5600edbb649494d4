//! `~/.pgpass`: passwords by host, port, database and user.
//!
//! Invariant: it works like libpq's `passwordFromFile`: a file that other users can read is ignored with a warning, and
//! the first matching line wins.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::model::failure::Result;
use crate::model::secret::Secret;
use crate::ownership;

/// The connection whose password is needed. `host` is `localhost` for the default folder of Unix sockets.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
}

/// The password of the first matching line, or a note about a file that libpq ignores too.
///
/// # Errors
/// `Configuration` for a file that another user could have written.
pub fn find(file: &Path, wanted: &Wanted<'_>) -> Result<Result<Option<Secret>, String>> {
    let Ok(facts) = std::fs::metadata(file) else { return Ok(Ok(None)) };
    if !facts.is_file() {
        return Ok(Err(format!("the password file {} is not a plain file: ignored", file.display())));
    }
    if facts.permissions().mode() & 0o077 != 0 {
        return Ok(Err(format!(
            "the password file {} can be read by other users: ignored, as libpq does (chmod 0600 it)",
            file.display()
        )));
    }
    let bytes = ownership::read(file, "the password file")?.unwrap_or_default();
    Ok(Ok(find_in(&String::from_utf8_lossy(&bytes), wanted)))
}

/// The same for the text of a file.
pub fn find_in(text: &str, wanted: &Wanted<'_>) -> Option<Secret> {
    let port = wanted.port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line.trim_end_matches('\r');
        for field in [wanted.host, &port, wanted.database, wanted.user] {
            rest = field_matches(rest, field)?;
        }
        let password = unescape(rest);
        (!password.is_empty()).then(|| Secret::new(password))
    })
}

/// The rest after the field and its colon, if the field is `*` or the wanted text.
fn field_matches<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return (unescape(&line[..at]) == wanted).then(|| &line[at + 1..]),
            _ => {}
        }
    }
    None
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WANTED: Wanted<'_> = Wanted { host: "db.example", port: 5432, database: "shop", user: "ann" };

    fn password(text: &str) -> Option<String> {
        find_in(text, &WANTED).map(|secret| secret.reveal().to_string())
    }

    #[test]
    fn the_first_matching_line_wins() {
        let text = "# c\nother:5432:shop:ann:no\n*:*:*:bob:no\ndb.example:5432:*:ann:yes\n*:*:*:*:later\n";
        assert_eq!(password(text).as_deref(), Some("yes"));
        assert_eq!(password("db.example:5433:shop:ann:no"), None);
        assert_eq!(password("db.example:5432:shop:ann"), None);
    }

    #[test]
    fn backslashes_protect_colons_and_themselves() {
        assert_eq!(password(r"*:*:*:*:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        let wanted = Wanted { database: "a:b", ..WANTED };
        assert_eq!(find_in(r"*:*:a\:b:*:p", &wanted), Some(Secret::new("p")));
        assert_eq!(password("*:*:*:*:p\r\n").as_deref(), Some("p"));
    }

    #[test]
    fn a_file_that_others_can_read_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pgpass");
        std::fs::write(&file, "*:*:*:*:p\n").unwrap();
        for (mode, fine) in [(0o600, true), (0o640, false), (0o604, false), (0o400, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(find(&file, &WANTED).unwrap().is_ok(), fine, "{mode:o}");
        }
        assert_eq!(find(&dir.path().join("none"), &WANTED).unwrap(), Ok(None));
        assert!(find(dir.path(), &WANTED).unwrap().is_err() && find(Path::new("/dev/null"), &WANTED).unwrap().is_err());
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(find(&file, &WANTED).is_err(), "everybody could have put it there");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a:*\\\\#\n\ré]{0,60}") {
            let _ = find_in(&text, &WANTED);
        }

        #[test]
        fn an_escaped_password_reads_back(secret in "[^\r\n]{1,30}") {
            let line = format!("*:*:*:*:{}", secret.replace('\\', "\\\\").replace(':', "\\:"));
            prop_assert_eq!(password(&line), Some(secret));
        }
    }
}
