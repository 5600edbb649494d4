//! The names of the variables in an environment file, without their values.
//!
//! Invariant: pure. A value of several lines (a quoted private key) gives no names. Text that does not look like a name
//! is left out, because it may be part of a secret.

/// The names that a dotenv text sets, in order, each once.
pub fn env_names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { continue };
        let value = value.trim_start();
        if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
            // Search the whole text from the opening quote on: the value may span lines.
            if !closes(&value[1..], quote) {
                rest = after_closing(after, quote);
            }
        }
        let name = name.trim();
        if looks_like_a_name(name, value) && !names.iter().any(|n| n == name) {
            names.push(name.to_string());
        }
    }
    names
}

/// The position of the first unescaped `quote` in `text`.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(i),
            _ => {}
        }
    }
    None
}

fn closes(text: &str, quote: char) -> bool {
    closing(text, quote).is_some()
}

/// The text after the line on which `quote` closes; empty if it never closes.
fn after_closing(text: &str, quote: char) -> &str {
    let Some(at) = closing(text, quote) else { return "" };
    text[at..].split_once('\n').map_or("", |(_, after)| after)
}

/// Words in upper or lower case. Mixed case followed by nothing but `=` looks like base64 without its quotes.
fn looks_like_a_name(name: &str, value: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let one_case = !name.contains(|c: char| c.is_ascii_uppercase()) || !name.contains(|c: char| c.is_ascii_lowercase());
    let padding = value.is_empty() || value == "=";
    starts && name.len() <= 128 && name.chars().all(word) && (one_case || (!padding && name.len() <= 48))
}

#[cfg(test)]
mod tests {
    use super::env_names;

    #[test]
    fn names_without_values() {
        let text =
            "# note=1\nexport A_KEY=canary\r\nB = 'x=y'\n\nEMPTY=\ncamelCase=1\nA_KEY=again\nno equals\n1BAD=2\n";
        assert_eq!(env_names(text), ["A_KEY", "B", "EMPTY", "camelCase"]);
    }

    #[test]
    fn a_key_over_several_lines_gives_no_names() {
        let text = "KEY=\"-----BEGIN\ncanary=abc\nMIIEcanary==\n\\\"still=in\n-----END\"\nNEXT=1\n";
        assert_eq!(env_names(text), ["KEY", "NEXT"]);
        assert_eq!(env_names("KEY='never closed\ncanary=x\n"), ["KEY"]);
        assert_eq!(env_names("KEY=-----BEGIN\nMIIEcaNary=\nZm9vYmFy==\n"), ["KEY"]);
    }
}
