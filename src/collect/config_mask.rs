//! Masks literal secrets in `supabase/config.toml`: only their values are replaced, every other byte stays.
//!
//! Invariant: pure. `env(NAME)` stays, because it is only a name. Text that is not valid TOML is not copied, because
//! its secrets cannot be located.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The masked text, and the paths of the masked values.
#[derive(Debug, PartialEq, Eq)]
pub struct Masked {
    pub text: String,
    pub replaced: Vec<String>,
}

/// Masks a text. The error says why it is not valid TOML, without quoting the line.
pub fn mask(text: &str) -> Result<Masked, String> {
    let table = DeTable::parse(text).map_err(|error| error.message().to_string())?;
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    for (key, value) in table.get_ref() {
        look(value, key.get_ref(), &mut found);
    }
    found.extend(comments(text, &found));
    found.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, _) in &found {
        let Some(before) = text.get(at..range.start) else { continue };
        out.push_str(before);
        out.push_str("\"***\"");
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Ok(Masked { text: out, replaced: found.into_iter().map(|(_, path)| path).collect() })
}

fn look(value: &Spanned<DeValue<'_>>, path: &str, found: &mut Vec<(Range<usize>, String)>) {
    match value.get_ref() {
        DeValue::String(text) if is_secret(path, text) => found.push((value.span(), path.to_string())),
        // Numbers in these sections are one-time passwords and PINs; elsewhere they are lengths or limits.
        DeValue::Integer(_) if is_secret_section(path) => found.push((value.span(), path.to_string())),
        DeValue::Array(items) => items.iter().for_each(|item| look(item, path, found)),
        DeValue::Table(table) => {
            for (key, value) in table {
                look(value, &format!("{path}.{}", key.get_ref()), found);
            }
        }
        _ => {}
    }
}

/// A commented-out setting may hold a secret too: `# secret = "…"`.
fn comments(text: &str, found: &[(Range<usize>, String)]) -> Vec<(Range<usize>, String)> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let inside = found.iter().any(|(range, _)| range.start < start && at < range.end);
        let Some(body) = line.trim_start().strip_prefix('#').filter(|_| !inside) else { continue };
        let Some((key, value)) = body.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if is_secret(key, value.trim_matches(['"', '\''])) && value.starts_with(['"', '\'']) {
            let from = at + line.rfind(value).unwrap_or(0);
            out.push((from..from + value.len(), format!("# {key}")));
        }
    }
    out
}

/// Sections in which every value is a secret.
fn is_secret_section(path: &str) -> bool {
    path.split('.').any(|part| matches!(part, "secrets" | "vault" | "test_otp"))
}

fn is_secret(path: &str, value: &str) -> bool {
    if value.is_empty() || (value.starts_with("env(") && value.ends_with(')')) {
        return false;
    }
    let key = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    let by_key =
        ["secret", "password", "passwd", "passphrase", "token", "credential", "private", "api_key", "apikey", "_otp"]
            .iter()
            .any(|word| key.contains(word))
            || key == "key"
            || key.ends_with("_key")
            || key == "pass"
            || key == "pin";
    let a_rule = matches!(key.as_str(), "password_requirements" | "signing_keys_path");
    (by_key && !a_rule) || is_secret_section(path) || has_userinfo(value)
}

/// `scheme://user:password@host`.
fn has_userinfo(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literal_secrets_are_masked_and_names_stay() {
        let text = "project_id = \"shop\" # kept\n[auth]\njwt_expiry = 3600\nminimum_password_length = 6\n\
            [auth.external.github]\nclient_id = 'id'\nsecret = \"canary1\"\n\
            [auth.external.apple]\nsecret = \"env(APPLE_SECRET)\"\n\
            [auth.sms.test_otp]\n4152127777 = \"canary2\"\n4152127778 = 123456\n\
            [edge_runtime.secrets]\nA = '''canary3\ncanary3'''\n\
            [db]\nurl = \"postgres://u:canary4@h/d\"\n# api_key = \"canary5\"\n\
            x = { token = \"canary6\", list = [1, 2] }\n";
        let masked = mask(text).unwrap();
        assert!(!masked.text.contains("canary") && !masked.text.contains("123456"), "{}", masked.text);
        assert!(masked.text.contains("project_id = \"shop\" # kept\n"));
        assert!(masked.text.contains("secret = \"env(APPLE_SECRET)\"") && masked.text.contains("client_id = 'id'"));
        assert!(masked.text.contains("minimum_password_length = 6"));
        assert_eq!(masked.replaced.len(), 7);
        assert!(masked.text.parse::<toml::Table>().is_ok());
    }

    #[test]
    fn a_text_that_is_no_toml_is_not_guessed_at() {
        let error = mask("secret = \"canary").unwrap_err();
        assert!(!error.contains("canary"), "{error}");
    }

    proptest! {
        #[test]
        fn a_masked_text_is_still_the_same_toml(key in "[a-z_]{1,12}", value in "[a-zé#= ]{0,12}") {
            let text = format!("# c\n{key} = \"{value}\" # {key} = \"x\"\nlast_key = \"canary\"\n");
            if key != "last_key" {
                let masked = mask(&text).unwrap();
                prop_assert!(!masked.text.contains("canary"));
                prop_assert!(masked.text.parse::<toml::Table>().is_ok());
            }
        }
    }
}
