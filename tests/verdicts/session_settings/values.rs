//! Which settings a database can carry on a server, and other values than the ones they have.
//!
//! Invariant: no setting is passed over in silence: one of text that has no value here is a failure, and what is left
//! out says why.

use crate::support::Cluster;

/// A setting and a value that it does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

impl Setting {
    /// `ALTER DATABASE … SET`.
    pub fn statement(&self, database: &str) -> String {
        // Quotes would make one item of a list.
        let listed = ["search_path", "temp_tablespaces", "DateStyle"].contains(&self.name.as_str());
        let value = if listed { self.value.clone() } else { format!("'{}'", self.value) };
        format!("ALTER DATABASE {database} SET {} = {value}", self.name)
    }
}

/// Settings that are not tried, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("commit_delay", "it makes every commit slow, whoever commits"),
    ("application_name", "the client gives it"),
    ("backtrace_functions", "what the server's log says"),
    ("dynamic_library_path", "without it no language and no extension works, whoever connects"),
    ("extension_control_path", "it is the server's installation"),
    ("extension_destdir", "it is the server's installation"),
    ("lc_messages", "locales that the machine has; messages are never compared"),
    ("lc_numeric", "locales that the machine has; to_char alone uses it"),
    ("lc_time", "locales that the machine has; to_char alone uses it"),
    ("local_preload_libraries", "nobody can log in where a library is missing"),
    ("output_plugin_libraries", "what logical decoding may load"),
    ("session_preload_libraries", "nobody can log in where a library is missing"),
    ("max_stack_depth", "at its least no query of a catalog can be parsed, whoever asks"),
    ("temp_buffers", "at its most no temporary table can be made, whoever makes it"),
    ("temp_file_limit", "at its least no sort succeeds, whoever sorts"),
    ("transaction_deferrable", "it is the transaction's"),
    ("transaction_isolation", "it is the transaction's"),
    ("transaction_read_only", "it is the transaction's"),
    ("wal_consistency_checking", "pages are compared on a standby"),
];

/// What the server writes to its log changes nothing else, and costs more than all the rest.
const OF_THE_LOG: [&str; 3] = ["log_", "debug_p", "trace_"];
/// How the planner searches: at their most it takes all memory that there is, whoever plans.
const OF_THE_PLANNER: &str = "geqo_";

/// Values of settings that are text, or whose least and most say nothing.
const VALUES: &[(&str, &[&str])] = &[
    ("DateStyle", &["German, DMY", "SQL, MDY", "Postgres, DMY"]),
    ("TimeZone", &["Asia/Kolkata", "America/St_Johns"]),
    ("client_min_messages", &["debug1", "error"]),
    ("client_encoding", &["LATIN1", "SQL_ASCII"]),
    ("createrole_self_grant", &["set, inherit"]),
    ("debug_io_direct", &[""]),
    ("default_table_access_method", &["other_heap"]),
    ("default_tablespace", &["settings_space"]),
    ("default_text_search_config", &["pg_catalog.german"]),
    ("lc_monetary", &["C"]),
    ("restrict_nonsystem_relation_kind", &["view, foreign-table"]),
    ("search_path", &["\"Odd \"\"Schema\", public, pg_catalog", "\"$user\""]),
    ("temp_tablespaces", &["settings_space"]),
    ("timezone_abbreviations", &["Australia", "India"]),
    // What ends things: soon, but not before a session on a busy machine can say that it should not.
    ("idle_in_transaction_session_timeout", &["5s"]),
    ("idle_session_timeout", &["5s"]),
    ("lock_timeout", &["1ms"]),
    ("statement_timeout", &["5s"]),
    ("transaction_timeout", &["5s"]),
];

/// What the values above name: made on a server before its databases carry them.
pub const NEEDED: &str = "CREATE TABLESPACE settings_space LOCATION ''";

/// Every setting with every value to be tried, in the order of names.
pub fn all(cluster: &Cluster, database: &str) -> Vec<Setting> {
    let sql = "SELECT concat_ws('|', name, vartype, setting, min_val, max_val, array_to_string(enumvals, ','))
               FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY name";
    let locales = cluster.sql(
        database,
        "SELECT string_agg(DISTINCT collname, ',') FROM pg_collation \
        WHERE collprovider = 'c' AND collencoding IN (-1, 6) AND collname ~ '^[a-z]{2}_[A-Z]{2}\\.utf8$'",
    );
    let mut found = Vec::new();
    for line in cluster.sql(database, sql).lines() {
        let mut fields = line.split('|').map(str::to_string);
        let mut field = || fields.next().unwrap_or_default();
        let (name, kind, setting) = (field(), field(), field());
        let of_the_log = OF_THE_LOG.iter().any(|prefix| name.starts_with(prefix)) && name != "debug_parallel_query";
        if of_the_log || name.starts_with(OF_THE_PLANNER) || LEFT_OUT.iter().any(|(left, _)| *left == name) {
            continue;
        }
        let named = VALUES.iter().find(|(n, _)| *n == name).map(|(_, values)| *values);
        let values: Vec<String> = match (named, kind.as_str()) {
            (Some(_), _) if name == "lc_monetary" => locales.split(',').take(2).map(str::to_string).collect(),
            (Some(values), _) => values.iter().map(ToString::to_string).collect(),
            (None, "bool") => vec![if setting == "on" { "off" } else { "on" }.to_string()],
            (None, "enum") => field().split(',').map(str::to_string).collect(),
            (None, "integer" | "real") => vec![field(), field()],
            _ => panic!("the setting {name} is text: give it a value in VALUES, or a reason in LEFT_OUT"),
        };
        let others = values.into_iter().filter(|value| *value != setting && !value.is_empty());
        found.extend(others.map(|value| Setting { name: name.clone(), value }));
    }
    found
}
