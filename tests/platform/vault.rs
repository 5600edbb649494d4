//! Secrets of the vault come back: onto another server, whose root key is another one, and in place.
//!
//! The judge is the target's own `vault.decrypted_secrets`. The values stand nowhere else: every file below the root
//! folder and everything that was printed is searched for them.

use std::path::{Path, PathBuf};

use crate::support::{Cluster, Snapshot, server, text};
use serde_json::Value;

const SECRETS: &str = "SELECT vault.create_secret('vaultbird-one', 'api', 'for the api');
    SELECT vault.create_secret(E'vaultbird\"two\\n''é''', 'mail'); SELECT vault.create_secret('vaultbird-three')";
const BY_NAME: &str =
    "SELECT json_agg(json_build_array(name, description, decrypted_secret) ORDER BY name, decrypted_secret)
    FROM vault.decrypted_secrets";
const WITH_IDS: &str = "SELECT json_agg(json_build_array(id, name, description, decrypted_secret) ORDER BY id) FROM vault.decrypted_secrets";
const ROWS: &str = "SELECT json_agg(s ORDER BY id) FROM vault.secrets s";

/// How one command ended.
struct Ran {
    code: i32,
    document: Value,
    said: String,
}

impl Ran {
    /// `code what` of the exceptions that are about the vault.
    fn exceptions(&self) -> Vec<String> {
        let all = self.document["exceptions"].as_array().cloned().unwrap_or_default();
        let line = |e: &Value| format!("{} {}", e["code"].as_str().unwrap(), e["what"].as_str().unwrap());
        all.iter().map(line).filter(|l| l.contains("vault")).collect()
    }

    /// The secrets that a list of the plan names.
    fn planned(&self, list: &str) -> Vec<String> {
        let all = self.document[list].as_array().cloned().unwrap_or_default();
        let secrets = all.iter().filter(|o| o["kind"] == "VAULT SECRET");
        secrets.map(|o| o["identity"].as_str().unwrap().to_string()).collect()
    }
}

/// A root folder and its configuration.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A configuration that says `seal` in `[snapshot]`.
    fn config(&self, name: &str, seal: &str) -> String {
        let file = self.folder.path().join(name);
        std::fs::write(&file, format!("schema = 1\n[snapshot]\n{seal}\n")).unwrap();
        file.to_str().unwrap().to_string()
    }

    fn run(&self, cluster: &Cluster, database: &str, arguments: &[&str]) -> Ran {
        let mut command = cluster.stacksnap(database, &self.root());
        command.args(arguments).args(["-o", "json", "--pg-bin"]).arg(&cluster.bin).env("SEAL", "correct horse");
        let output = command.output().unwrap();
        let said = text(&output);
        assert!(!said.contains("vaultbird"), "{said}");
        self.holds_no_value();
        let last = String::from_utf8_lossy(&output.stdout).trim_end().lines().last().unwrap_or_default().to_string();
        let document = serde_json::from_str(&last).unwrap_or(Value::Null);
        Ran { code: output.status.code().unwrap_or(-1), document, said }
    }

    fn create(&self, cluster: &Cluster, database: &str, config: &str) -> String {
        let ran = self.run(cluster, database, &["--config", config, "create"]);
        assert!(matches!(ran.code, 0 | 3), "{}", ran.said);
        let name = ran.document["snapshot"].as_str().unwrap().to_string();
        Snapshot::open(&self.root().join(&name)).is_good();
        name
    }

    fn restore(&self, cluster: &Cluster, user: &str, to: (&str, &str), snapshot: &str, more: &[&str]) -> Ran {
        let (database, config) = to;
        let to = format!("host=127.0.0.1 port={} user={user} dbname={database}", cluster.port);
        let mut arguments = vec!["--config", config, "restore", snapshot, "--to", &to, "--allow-partial"];
        arguments.extend(["--sessions", "keep", "--activate-jobs"]);
        if !more.contains(&"--dry-run") {
            arguments.extend(["--confirm", database]);
        }
        arguments.extend(more);
        self.run(&cluster.as_user(user, "postgres"), database, &arguments)
    }

    /// Snapshots, plans, logs and records: nothing but the seal holds a value, and the seal is shut.
    fn holds_no_value(&self) {
        let mut waiting = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    waiting.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    assert!(!bytes.windows(9).any(|w| w == b"vaultbird"), "{}", path.display());
                }
            }
        }
    }
}

fn source(name: &str) -> (Cluster, String) {
    let cluster = server();
    let database = cluster.load(name, "member", &["stack"]);
    cluster.sql(&database, "SET ROLE postgres; CREATE TABLE public.notes AS SELECT 1 AS id");
    cluster.sql(&database, SECRETS);
    (cluster, database)
}

#[test]
fn r13_onto_another_server_with_another_root_key() {
    let ((cluster, from), place) = (source("vault_other"), Place::new());
    let config = place.config("seal.toml", "seal_passphrase = { env = \"SEAL\" }");
    let snapshot = place.create(&cluster, &from, &config);
    let target = Cluster::start(15);
    for name in ["fresh", "wrong", "shut"] {
        target.load(name, "member", &["stack"]);
    }
    let plain = |what: &[&str]| what.iter().map(ToString::to_string).collect::<Vec<_>>();

    // A wrong passphrase, and a variable that is not there: nothing is written.
    let wrong = place.config("wrong.toml", "seal_passphrase = \"wrong horse\"");
    let absent = place.config("absent.toml", "seal_passphrase = { env = \"NOT_SET\" }");
    for config in [&wrong, &absent] {
        let done = place.restore(&target, "supabase_admin", ("wrong", config), &snapshot, &[]);
        assert_eq!(done.code, 78, "{}", done.said);
        assert!(done.said.contains("nothing was written"), "{}", done.said);
        assert_eq!(target.sql("wrong", "SELECT to_regclass('public.notes')"), "");
    }

    // Without a key each secret is named, beforehand and afterwards.
    let none = place.config("none.toml", "");
    let done = place.restore(&target, "supabase_admin", ("shut", &none), &snapshot, &["--no-safety-snapshot"]);
    assert_eq!(done.code, 3, "{}", done.said);
    let named = done.exceptions();
    assert!(named.len() == 3 && named.iter().all(|e| e.starts_with("vault_secret_sealed")), "{named:?}");
    assert!(done.said.contains("--seal-identity"), "{}", done.said);
    assert_eq!(target.sql("shut", ROWS), "");

    // As the project's own role: the same secrets under new ids, which the plan says.
    let plan = place.restore(&target, "postgres", ("fresh", &config), &snapshot, &["--dry-run"]);
    assert_eq!(plan.planned("create").len(), 3, "{}", plan.said);
    let done = place.restore(&target, "postgres", ("fresh", &config), &snapshot, &["--no-safety-snapshot"]);
    assert_eq!(done.code, 3, "{}", done.said);
    assert_eq!(done.exceptions(), plan.exceptions());
    assert!(done.exceptions().contains(&"vault_secret_new_id vault secret 'api'".to_string()), "{}", done.said);
    assert_eq!(target.sql("fresh", BY_NAME), cluster.sql(&from, BY_NAME));
    let again = ["--dry-run", "--replace-other-project"];
    let plan = place.restore(&target, "postgres", ("fresh", &config), &snapshot, &again);
    let lists = ["create", "replace", "drop"].map(|list| plan.planned(list));
    assert_eq!((lists.concat(), plan.exceptions()), (plain(&[]), plain(&[])), "{}", plan.said);

    // As superuser, into an empty database: the ids too.
    target.empty("bare");
    let done = place.restore(&target, "supabase_admin", ("bare", &config), &snapshot, &["--no-safety-snapshot"]);
    assert!(matches!(done.code, 0 | 3), "{}", done.said);
    assert_eq!(done.exceptions(), plain(&[]), "{}", done.said);
    assert_eq!(target.sql("bare", WITH_IDS), cluster.sql(&from, WITH_IDS));
    cluster.drop_database(&from);
}

/// One gone, one changed, two that swapped names, one without a name gone, one that came later.
const DAMAGE: &str = "DELETE FROM vault.secrets WHERE name IN ('gone') OR name IS NULL;
    SELECT vault.update_secret(id, 'new value') FROM vault.secrets WHERE name = 'mail';
    SELECT vault.update_secret(id, NULL, 'tmp') FROM vault.secrets WHERE name = 'left';
    SELECT vault.update_secret(id, NULL, 'left') FROM vault.secrets WHERE name = 'right';
    SELECT vault.update_secret(id, NULL, 'right') FROM vault.secrets WHERE name = 'tmp';
    SELECT vault.create_secret('later', 'later')";
const MORE: &str =
    "SELECT vault.create_secret('vaultbird-gone', 'gone'); SELECT vault.create_secret('vaultbird-left', 'left');
    SELECT vault.create_secret('vaultbird-right', 'right')";

fn damaged(cluster: &Cluster, database: &str) {
    for statement in DAMAGE.split(";\n") {
        cluster.sql(database, statement);
    }
}

#[test]
fn in_place_secrets_are_as_before() {
    let ((cluster, from), place) = (source("vault_place"), Place::new());
    cluster.sql(&from, MORE);
    let key = age::x25519::Identity::generate();
    let config = place.config("seal.toml", &format!("seal_recipients = [\"{}\"]", key.to_public()));
    let snapshot = place.create(&cluster, &from, &config);
    let (before, rows) = (cluster.sql(&from, BY_NAME), cluster.sql(&from, ROWS));
    let identity = place.folder.path().join("key.txt");
    {
        use age::secrecy::ExposeSecret;
        write_private(&identity, &format!("# made for a test\n{}\n", key.to_string().expose_secret()));
    }
    let identity = identity.to_str().unwrap();
    let equal = place.restore(&cluster, "postgres", (&from, &config), &snapshot, &["--dry-run"]);
    let lists = ["create", "replace", "drop"].map(|list| equal.planned(list));
    assert_eq!((lists.concat().len(), equal.exceptions().len()), (0, 0), "no key is needed: {}", equal.said);

    // A superuser of the same server needs no key: the archive's ciphertext comes back to the letter.
    damaged(&cluster, &from);
    let plan = place.restore(&cluster, "supabase_admin", (&from, &config), &snapshot, &["--dry-run"]);
    assert_eq!(plan.planned("drop"), ["later"]);
    let done = place.restore(&cluster, "supabase_admin", (&from, &config), &snapshot, &["--no-safety-snapshot"]);
    assert_eq!((done.code, done.exceptions().len()), (0, 0), "{}", done.said);
    assert_eq!(cluster.sql(&from, ROWS), rows);

    // The project's own role needs the key, and names what it cannot do without it.
    damaged(&cluster, &from);
    let plan = place.restore(&cluster, "postgres", (&from, &config), &snapshot, &["--dry-run"]);
    assert!(plan.exceptions().contains(&"vault_secret_sealed vault secret 'gone'".to_string()), "{}", plan.said);
    let with_key = ["--seal-identity", identity];
    let done = place.restore(&cluster, "postgres", (&from, &config), &snapshot, &with_key);
    assert_eq!(done.code, 3, "{}", done.said);
    assert_eq!(cluster.sql(&from, BY_NAME), before);
    assert!(done.exceptions().contains(&"vault_secret_new_id vault secret 'gone'".to_string()), "{}", done.said);

    // The safety snapshot was sealed too: undo takes it back.
    let restored = done.document["id"].as_str().unwrap().to_string();
    let to = format!("host=127.0.0.1 port={} user=postgres dbname={from}", cluster.port);
    let undo = ["--config", &config, "undo", &restored, "--to", &to, "--confirm", &from];
    let undone = place.run(&cluster.as_user("postgres", "postgres"), &from, &[&undo[..], &with_key].concat());
    assert!(matches!(undone.code, 0 | 3), "{}", undone.said);
    let later = "SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name IN ('later', 'mail') ORDER BY 1";
    assert_eq!(cluster.sql(&from, later), "later\nnew value");

    key_files_are_refused(&place, &cluster, (&from, &config), &snapshot);
    cluster.drop_database(&from);
}

fn write_private(file: &Path, content: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, content).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Another key, one that others can read, none at all: nothing is written, and no key is repeated.
fn key_files_are_refused(place: &Place, cluster: &Cluster, to: (&str, &str), snapshot: &str) {
    use age::secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;
    let file = place.folder.path().join("other.txt");
    let other = age::x25519::Identity::generate().to_string().expose_secret().to_string();
    for (content, mode) in [(other.as_str(), 0o600), (&other, 0o644), ("hunter2", 0o600)] {
        write_private(&file, content);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let more = ["--no-safety-snapshot", "--seal-identity", file.to_str().unwrap()];
        let done = place.restore(cluster, "postgres", to, snapshot, &more);
        assert_eq!(done.code, 78, "{}", done.said);
        assert!(!done.said.contains(content), "{}", done.said);
    }
}
