//! What `--help` says is part of the interface: each text is kept in `tests/cli/help/`.
//! After a wanted change: `STACKSNAP_BLESS=1 cargo test --test cli help::`, then read the difference.

use crate::support::Place;

const VERBS: [&str; 22] = [
    "",
    "create",
    "list",
    "show",
    "logs",
    "verify",
    "drill",
    "restore",
    "undo",
    "guard",
    "diff",
    "tenant",
    "tenant detect",
    "tenant classify",
    "tenant list",
    "tenant check",
    "doctor",
    "config",
    "config show",
    "completions",
    "man",
    "version",
];

#[test]
fn help_texts_are_the_kept_ones() {
    let place = Place::new();
    let folder = crate::support::repo("tests/cli/help");
    let bless = std::env::var_os("STACKSNAP_BLESS").is_some();
    for verb in VERBS {
        let mut args: Vec<&str> = verb.split_whitespace().collect();
        args.push("--help");
        let ran = place.ran(&args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{verb}");
        let name = if verb.is_empty() { "stacksnap".to_string() } else { verb.replace(' ', "_") };
        let file = folder.join(format!("{name}.txt"));
        if bless {
            std::fs::write(&file, &ran.stdout).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(ran.stdout, kept, "help of '{verb}' has changed; see the head of tests/cli/help.rs");
    }
}

#[test]
fn every_verb_has_a_kept_text() {
    let help = Place::new().ran(&["--help"]).stdout;
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    for line in listed {
        let verb = line.split_whitespace().next().unwrap();
        assert!(VERBS.contains(&verb), "'{verb}' has no kept help text");
    }
}

#[test]
fn trap_15_help_shows_no_value_of_the_environment() {
    let place = Place::new();
    for verb in VERBS {
        let mut args: Vec<&str> = verb.split_whitespace().collect();
        args.push("--help");
        let mut command = place.command(&args);
        for variable in ["STACKSNAP_DB_URL", "DATABASE_URL", "PGPASSWORD", "STACKSNAP_ROOT", "STACKSNAP_CONFIG"] {
            command.env(variable, "postgres://u:canary@h/db");
        }
        let output = command.output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains("canary"), "{verb}");
    }
}

#[test]
fn completions_and_manual_page_know_the_verbs() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = place.ran(&["completions", shell]);
        assert!(ran.code == 0 && ran.stdout.contains("min-interval"), "{shell}");
    }
    let man = place.ran(&["man"]);
    assert!(man.code == 0 && man.stdout.contains("STACKSNAP CREATE"), "{man:?}");
    assert!(!man.stdout.contains("run\\-id") && !man.stdout.contains("run-id"));
}
