//! Which source wins, from which file, and what is said about the ones that cannot be used.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use stacksnap::config::{
    Environment, Flags, Format, Inputs, Provenance, SecretCommand, load, resolve_source, resolve_target, show, validate,
};
use stacksnap::model::connection::{ConnSpec, Host, LOCAL_SUPABASE, SslMode};
use stacksnap::model::failure::{Failure, FailureKind};
use stacksnap::model::secret::Secret;

struct World {
    dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
    flags: Flags,
    run: Option<SecretCommand>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("app/sub")).unwrap();
        std::fs::create_dir(dir.path().join("app/.git")).unwrap();
        Self { dir, variables: Vec::new(), flags: Flags::default(), run: None }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_string(), value.to_string()));
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join("app").join(name), text).unwrap();
        self
    }

    fn inputs(&self) -> Inputs {
        let home = self.dir.path().to_str().unwrap();
        let base = [("HOME", home), ("USER", "ann")].into_iter();
        let own = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Inputs {
            flags: self.flags.clone(),
            environment: Environment::of(base.chain(own), self.dir.path().join("app")),
            run_command: self.run.clone(),
        }
    }

    fn source(&self) -> Result<ConnSpec, Failure> {
        let inputs = self.inputs();
        resolve_source(&inputs, &load(&inputs)?)
    }

    fn winner(&self) -> (String, Option<String>) {
        let spec = self.source().unwrap();
        let file = spec.origin.file.as_ref().and_then(|f| f.file_name()).map(|f| f.to_string_lossy().into_owned());
        (spec.origin.variable, file)
    }
}

const PROJECT: &str = "schema = 1\n[projects.shop]\ndb_url = { env = \"SHOP_URL\" }\n";
const ORDER: [&str; 5] = ["DIRECT_URL", "SUPABASE_DB_URL", "DATABASE_URL", "POSTGRES_URL_NON_POOLING", "POSTGRES_URL"];

fn text(failure: &Failure) -> String {
    format!("{failure} {failure:?} {}", failure.hints.join(" | "))
}

#[test]
fn the_order_of_sources_is_the_documented_one() {
    let mut world =
        World::new().file("stacksnap.toml", PROJECT).set("PGHOST", "pg").set("SHOP_URL", "postgres://shop/d");
    for name in ORDER {
        world = world.set(name, &format!("postgres://{}/d", name.to_lowercase().replace('_', "-")));
    }
    world = world.set("STACKSNAP_DB_URL", "postgres://own/d");
    world.flags.db_url = Some(Secret::new("postgres://flag/d"));
    let spec = world.source().unwrap();
    assert_eq!(spec.origin.variable, "--db-url");
    assert!(spec.origin.notes[0].contains("STACKSNAP_DB_URL"), "{:?}", spec.origin.notes);
    world.flags.db_url = None;
    assert_eq!(world.winner(), ("STACKSNAP_DB_URL".into(), None));
    world.variables.retain(|(name, _)| name != "STACKSNAP_DB_URL");
    assert_eq!(world.winner(), ("projects.shop.db_url".into(), Some("stacksnap.toml".into())));
    std::fs::remove_file(world.dir.path().join("app/stacksnap.toml")).unwrap();
    for name in ORDER {
        assert_eq!(world.winner(), (name.to_string(), None));
        world.variables.retain(|(other, _)| other != name);
    }
    assert_eq!(world.winner(), ("PGHOST".into(), None));
    world.variables.clear();
    let spec = world.source().unwrap();
    assert_eq!(spec.origin.variable, LOCAL_SUPABASE);
    assert_eq!(spec.hosts, [(Host::Tcp("127.0.0.1".into()), 54322)]);
    assert_eq!(spec.password, Some(Secret::new("postgres")));
}

#[test]
fn the_env_file_comes_after_the_process_for_each_name() {
    let env_file = "export DATABASE_URL=\"postgres://file/d\" # comment\nPGPASSWORD=pw\nSHOP_URL=postgres://shop/d\n";
    let world = World::new().file(".env", env_file);
    assert_eq!(world.winner(), ("DATABASE_URL".into(), Some(".env".into())));
    assert_eq!(world.source().unwrap().password, Some(Secret::new("pw")));
    // A later name of the process does not come before an earlier name of the file; the same name does.
    let world = world.set("POSTGRES_URL_NON_POOLING", "postgres://x/d");
    assert_eq!(world.winner().0, "DATABASE_URL");
    let world = world.set("DATABASE_URL", "postgres://process/d");
    assert_eq!(world.winner(), ("DATABASE_URL".into(), None));
    let world = world.file("stacksnap.toml", PROJECT);
    assert_eq!(world.source().unwrap().hosts[0].0, Host::Tcp("shop".into()));
}

#[test]
fn env_files_are_found_by_flag_by_project_and_here() {
    let mut world =
        World::new().file("other.env", "DIRECT_URL=postgres://other/d").file(".env", "DIRECT_URL=postgres://here/d");
    assert_eq!(world.winner().1.as_deref(), Some(".env"));
    world.flags.env_file = Some("other.env".into());
    assert_eq!(world.winner().1.as_deref(), Some("other.env"));
    world.flags.env_file = Some("none.env".into());
    assert_eq!(world.source().unwrap_err().kind, FailureKind::Configuration);
    world.flags.env_file = None;
    world.flags.project_dir = Some("sub".into());
    let world = world.file("sub/.env", "DIRECT_URL=postgres://sub/d");
    assert_eq!(world.source().unwrap().hosts[0].0, Host::Tcp("sub".into()));
}

#[test]
fn an_empty_variable_is_passed_over_and_said() {
    let spec = World::new().set("STACKSNAP_DB_URL", "").set("DATABASE_URL", "postgres://h/d").source().unwrap();
    assert_eq!(spec.origin.variable, "DATABASE_URL");
    assert!(spec.origin.notes.contains(&"STACKSNAP_DB_URL is set, but empty: ignored".to_string()));
}

#[test]
fn libpqs_variables_service_and_password_file() {
    let world = World::new().set("PGSERVICE", "shop").set("PGSSLMODE", "verify-full");
    std::fs::write(world.dir.path().join(".pg_service.conf"), "[shop]\nhost=sh\ndbname=sd\nuser=su\n").unwrap();
    let pgpass = world.dir.path().join(".pgpass");
    std::fs::write(&pgpass, "sh:5432:sd:su:from-file\n").unwrap();
    std::fs::set_permissions(&pgpass, std::fs::Permissions::from_mode(0o600)).unwrap();
    let spec = world.source().unwrap();
    assert_eq!((spec.display().as_str(), spec.ssl_mode), ("su@sh:5432/sd", SslMode::VerifyFull));
    assert_eq!(spec.password, Some(Secret::new("from-file")));
    assert_eq!(spec.origin.variable, "PGSERVICE");
    // What does not say where the database is does not choose libpq's defaults.
    let world = World::new().set("PGSSLMODE", "disable").set("PGPASSWORD", "x");
    assert_eq!(world.winner().0, LOCAL_SUPABASE);
}

#[test]
fn a_transaction_pooler_is_refused_with_the_line_to_use() {
    let url = "postgresql://postgres.ref:canary@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?pgbouncer=true";
    let failure = World::new().set("DATABASE_URL", url).source().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    let shown = text(&failure);
    assert!(
        shown.contains("postgresql://postgres.ref:***@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"),
        "{shown}"
    );
    assert!(shown.contains("DATABASE_URL") && !shown.contains("canary"), "{shown}");
    let both = World::new().set("DATABASE_URL", url).set("POSTGRES_URL_NON_POOLING", "postgres://h/d");
    assert!(text(&both.source().unwrap_err()).contains("also set: POSTGRES_URL_NON_POOLING"));
    let mut flag = World::new();
    flag.flags.db_url = Some(Secret::new(url));
    assert_eq!(flag.source().unwrap_err().kind, FailureKind::Usage);
    let parts = World::new().set("PGHOST", "h").set("PGPORT", "6543").source().unwrap_err();
    assert!(text(&parts).contains("postgresql://h:5432"), "{}", text(&parts));
}

#[test]
fn placeholders_are_named() {
    let url = "postgresql://postgres:[YOUR-PASSWORD]@db.abc.supabase.co:5432/postgres";
    let failure = World::new().file(".env", &format!("DIRECT_URL={url}\n")).source().unwrap_err();
    let shown = text(&failure);
    assert!(shown.contains("[YOUR-PASSWORD]") && shown.contains("DIRECT_URL in ") && shown.contains(".env"), "{shown}");
    let failure = World::new().file(".env", "DATABASE_URL=\"postgresql://u:${PW}@h/d\"").source().unwrap_err();
    assert!(text(&failure).contains("does not expand variables"));
}

#[test]
fn a_target_is_what_was_typed_and_nothing_else() {
    let environment = Environment::of(
        [
            ("USER", "ann"),
            ("PGHOST", "evil"),
            ("PGDATABASE", "evil"),
            ("PGPORT", "1"),
            ("PGUSER", "eve"),
            ("PGPASSWORD", "pw"),
        ],
        "/",
    );
    let spec = resolve_target("postgresql://bob@h/d", &environment).unwrap();
    assert_eq!(spec.display(), "bob@h:5432/d");
    assert_eq!(spec.password, Some(Secret::new("pw")));
    for incomplete in ["postgresql://h", "postgresql:///d", "host=h", "d", "", "postgresql://h:6543/d"] {
        let failure = resolve_target(incomplete, &environment).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Usage, "{incomplete}");
    }
}

#[test]
fn secrets_of_the_configuration_come_from_variable_file_and_command() {
    let toml = |secret: &str| format!("schema = 1\n[projects.shop]\ndb_url = {secret}\n");
    let mut world =
        World::new().file("secret", "postgres://file/d\n").file("stacksnap.toml", &toml("{ file = \"secret\" }"));
    assert_eq!(world.source().unwrap().hosts[0].0, Host::Tcp("file".into()));
    world = world.file("stacksnap.toml", &toml("{ cmd = [\"pass\", \"canary-argument\"] }"));
    assert!(!text(&world.source().unwrap_err()).contains("canary"));
    world.run = Some(Arc::new(|argv: &[String]| Ok(Secret::new(format!("postgres://{}/d", argv[0])))));
    let spec = world.source().unwrap();
    assert_eq!(spec.hosts[0].0, Host::Tcp("pass".into()));
    assert!(!format!("{spec:?}").contains("canary"));
    world = world.file("stacksnap.toml", &toml("{ env = \"NOT_SET\" }"));
    assert_eq!(world.source().unwrap_err().kind, FailureKind::Configuration);
}

#[test]
fn settings_know_where_they_came_from() {
    let mut world = World::new()
        .file("stacksnap.toml", "schema = 1\n[snapshot]\nkeep_days = 9\njobs = 3\nroot = \"b\"\nlock_wait = \"5s\"\n")
        .set("STACKSNAP_JOBS", "5")
        .set("STACKSNAP_LOCK_WIAT", "1s");
    world.flags.root = Some("elsewhere".into());
    let settings = load(&world.inputs()).unwrap();
    assert_eq!(settings.root, world.dir.path().join("app/elsewhere"));
    assert_eq!((settings.jobs, settings.keep_days), (Some(5), Some(9)));
    assert_eq!(settings.formats, [Format::Dump, Format::Sql, Format::Csv]);
    assert_eq!(settings.encryption_functions, ["is_encrypted", "encrypt_*", "decrypt_*"]);
    assert_eq!(settings.provenance["root"], Provenance::Flag("--root"));
    assert_eq!(settings.provenance["jobs"], Provenance::Variable("STACKSNAP_JOBS"));
    assert!(matches!(&settings.provenance["keep_days"], Provenance::File { line: 3, .. }));
    assert_eq!(settings.provenance["timeout"], Provenance::Default);
    assert_eq!(settings.warnings, ["the variable STACKSNAP_LOCK_WIAT is not known: did you mean STACKSNAP_LOCK_WAIT?"]);
    let shown = show(&settings);
    let line = shown.iter().find(|line| line.key == "lock_wait").unwrap();
    assert!(line.value == "5s" && line.origin.ends_with("stacksnap.toml:6"), "{line:?}");
}

#[test]
fn every_setting_that_is_shown_has_its_origin() {
    let settings = load(&World::new().inputs()).unwrap();
    for line in show(&settings) {
        assert!(settings.provenance.contains_key(line.key), "{}", line.key);
    }
}

#[test]
fn the_configuration_file_is_looked_for_upwards_but_not_past_the_repository() {
    let world = World::new();
    let from = |folder: &str| {
        let mut inputs = world.inputs();
        inputs.environment.current_dir = world.dir.path().join(folder);
        load(&inputs).unwrap().config_file
    };
    std::fs::write(world.dir.path().join("stacksnap.toml"), "schema = 1").unwrap();
    assert_eq!(from("app/sub"), None);
    assert!(from("").is_some());
    std::fs::write(world.dir.path().join("app/stacksnap.toml"), "schema = 1").unwrap();
    assert_eq!(from("app/sub"), Some(world.dir.path().join("app/stacksnap.toml")));
    let named = world.set("STACKSNAP_CONFIG", "none.toml");
    assert_eq!(load(&named.inputs()).unwrap_err().kind, FailureKind::Configuration);
}

#[test]
fn projects_are_chosen_by_name_or_by_being_alone() {
    let two = "schema = 1\n[projects.shop]\nprotect = \"production\"\nproject_dir = \".\"\n[projects.blog]\n";
    let mut world = World::new().file("stacksnap.toml", two);
    assert_eq!(load(&world.inputs()).unwrap().project, None);
    world.flags.project = Some("shop".into());
    let settings = load(&world.inputs()).unwrap();
    assert_eq!(settings.protect.as_deref(), Some("production"));
    assert_eq!(settings.project_dir.as_deref(), Some(world.dir.path().join("app/.").as_path()));
    world.flags.project = Some("shp".into());
    assert_eq!(load(&world.inputs()).unwrap_err().hints, ["did you mean 'shop'?"]);
}

#[test]
fn a_folder_with_supabase_in_it_is_the_project() {
    let world = World::new();
    assert_eq!(load(&world.inputs()).unwrap().project_dir, None);
    std::fs::create_dir(world.dir.path().join("app/supabase")).unwrap();
    assert_eq!(load(&world.inputs()).unwrap().project_dir, Some(world.dir.path().join("app")));
}

#[test]
fn no_canary_in_anything_that_is_shown() {
    let url = "postgres://u:canary@h/d";
    let mut world = World::new()
        .file(
            "stacksnap.toml",
            &format!("schema = 1\n[snapshot]\nseal_passphrase = \"canary\"\n[projects.a]\ndb_url = \"{url}\"\n"),
        )
        .file(".env", "PGPASSWORD=canary\nDATABASE_URL=postgres://u:canary@h/d\n")
        .set("STACKSNAP_DB_URL", url)
        .set("PGPASSWORD", "canary");
    world.flags.db_url = Some(Secret::new(url));
    let inputs = world.inputs();
    let settings = load(&inputs).unwrap();
    let spec = resolve_source(&inputs, &settings).unwrap();
    assert_eq!(spec.password, Some(Secret::new("canary")));
    let warnings = validate(&inputs).unwrap();
    assert_eq!(warnings.len(), 2);
    let shown = serde_json::to_string(&show(&settings)).unwrap();
    assert!(shown.contains("***"));
    for text in
        [shown, format!("{settings:?}"), format!("{inputs:?}"), format!("{spec:?}"), spec.display(), warnings.join(" ")]
    {
        assert!(!text.contains("canary"), "{text}");
    }
}

/// Each of these cannot be used; none may repeat the password.
#[test]
fn no_canary_in_any_refusal() {
    for url in [
        "postgres://u:canary@h:6543/d",
        "postgres://u:canary@h:99999/d",
        "postgres://u:canary@h/d?sslmode=canary2&x=y",
        "postgres://u:can@ary@h/d?canary=1",
        "postgres://u:canary@[YOUR-HOST]/d",
        "postgres://u:canary%@h/d",
        "mysql://u:canary@h/d",
        "u:canary@h/d",
        "host=h password=canary one two",
    ] {
        let failure = World::new().set("DATABASE_URL", url).source().unwrap_err();
        let shown = text(&failure).replace("canary2", "");
        assert!(!shown.contains("canary") && !shown.contains("ary@"), "{url}: {shown}");
    }
}

#[test]
fn the_documents_example_is_read() {
    let doc = std::fs::read_to_string(crate::support::repo("doc/config.md")).unwrap();
    let example = doc.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut world = World::new().file("stacksnap.toml", example);
    world.flags.project = Some("shop".into());
    assert!(validate(&world.inputs()).unwrap().is_empty());
    for name in ORDER.iter().chain(&["STACKSNAP_DB_URL", "PGSERVICE", "54322"]) {
        assert!(doc.contains(name), "{name}");
    }
}
