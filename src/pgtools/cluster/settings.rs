//! Settings of a throw-away cluster: arguments of initdb and lines of postgresql.conf.
//!
//! Invariant (trap 24): it never listens on the network, is not crash-safe, and runs nothing in the background: no
//! autovacuum, no preloaded library of the source, no subscription that would connect to the source's publisher.

use std::path::Path;

/// Encoding and locale as in the manifest: `collate/ctype[/icu|builtin[/locale]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// Provider (`icu`, `builtin`) and its locale; `None` for libc.
    pub provider: Option<(String, String)>,
}

impl Locale {
    /// The C locale, which every system has.
    pub fn plain(encoding: &str) -> Self {
        Self { encoding: encoding.to_string(), collate: "C".to_string(), ctype: "C".to_string(), provider: None }
    }

    /// Parses `SourceFacts.encoding` and `SourceFacts.locale`.
    pub fn parse(encoding: &str, locale: &str) -> Self {
        let encoding = if encoding.is_empty() { "UTF8" } else { encoding };
        let mut parts = locale.split('/').filter(|part| !part.is_empty());
        let Some(collate) = parts.next() else { return Self::plain(encoding) };
        let ctype = parts.next().unwrap_or(collate);
        let provider = parts.next().map(|name| (name.to_string(), parts.next().unwrap_or_default().to_string()));
        Self { encoding: encoding.to_string(), collate: collate.to_string(), ctype: ctype.to_string(), provider }
    }

    pub fn is_plain(&self) -> bool {
        self.collate == "C" && self.ctype == "C" && self.provider.is_none()
    }

    /// For messages.
    pub fn shown(&self) -> String {
        let provider = self.provider.as_ref().map(|(name, locale)| format!(", {name} {locale}")).unwrap_or_default();
        format!("{} {}/{}{provider}", self.encoding, self.collate, self.ctype)
    }

    fn initdb_arguments(&self, major: u32) -> Vec<String> {
        let mut arguments = vec![
            format!("--encoding={}", self.encoding),
            "--locale=C".to_string(),
            format!("--lc-collate={}", self.collate),
            format!("--lc-ctype={}", self.ctype),
        ];
        match &self.provider {
            Some((name, locale)) if name == "icu" && major >= 15 => {
                arguments.push("--locale-provider=icu".to_string());
                arguments.push(format!("--icu-locale={locale}"));
            }
            Some((name, locale)) if name == "builtin" && major >= 17 => {
                arguments.push("--locale-provider=builtin".to_string());
                arguments.push(format!("--builtin-locale={locale}"));
            }
            // Since 15 initdb has a default provider, which a distribution may change.
            None if major >= 15 => arguments.push("--locale-provider=libc".to_string()),
            _ => {}
        }
        arguments
    }
}

/// The arguments of `initdb`, without the data folder.
pub fn initdb_arguments(superuser: &str, locale: &Locale, major: u32) -> Vec<String> {
    let mut arguments = vec![
        format!("--username={superuser}"),
        "--auth=trust".to_string(),
        "--no-sync".to_string(),
        "--no-instructions".to_string(),
    ];
    arguments.extend(locale.initdb_arguments(major));
    if major < 14 {
        arguments.retain(|argument| argument != "--no-instructions");
    }
    if major >= 18 {
        arguments.push("--no-data-checksums".to_string());
    }
    arguments
}

/// Lines to append to `postgresql.conf`. `socket` is the socket's folder, `connections` the number needed.
pub fn configuration(socket: &Path, connections: u32) -> String {
    let socket = socket.to_string_lossy().replace('\'', "''");
    format!(
        "\
listen_addresses = ''
port = {PORT}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = {connections}
superuser_reserved_connections = 1
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = '4GB'
checkpoint_timeout = '1h'
autovacuum = off
jit = off
max_logical_replication_workers = 0
max_locks_per_transaction = 4096
shared_buffers = '256MB'
maintenance_work_mem = '128MB'
dynamic_shared_memory_type = mmap
shared_preload_libraries = ''
logging_collector = off
log_destination = stderr
log_min_messages = warning
log_min_error_statement = panic
log_statement = none
update_process_title = off
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
"
    )
}

/// The port only affects the name of the socket.
pub const PORT: u16 = 5432;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_as_the_manifest_has_them() {
        let libc = Locale::parse("UTF8", "en_US.UTF-8/en_US.UTF-8");
        assert_eq!((libc.collate.as_str(), &libc.provider), ("en_US.UTF-8", &None));
        let icu = Locale::parse("UTF8", "en_US.UTF-8/C.UTF-8/icu/und");
        assert_eq!(icu.provider, Some(("icu".into(), "und".into())));
        assert!(initdb_arguments("x", &icu, 16).contains(&"--icu-locale=und".to_string()));
        assert!(initdb_arguments("x", &libc, 18).contains(&"--locale-provider=libc".to_string()));
        assert!(!initdb_arguments("x", &libc, 13).iter().any(|a| a.contains("provider")));
        assert!(Locale::parse("UTF8", "").is_plain() && Locale::parse("UTF8", "C").is_plain());
    }

    #[test]
    fn trap_24_nothing_listens_and_nothing_works_in_the_background() {
        let text = configuration(Path::new("/tmp/it's"), 20);
        for line in ["listen_addresses = ''", "wal_level = minimal", "max_wal_senders = 0", "autovacuum = off"] {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        assert!(text.contains("max_logical_replication_workers = 0") && text.contains("'/tmp/it''s'"));
    }
}
