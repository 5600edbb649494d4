//! Finds placeholders that a template left to fill in: `[YOUR-PASSWORD]`, `<project-ref>`, `${DB_PASSWORD}`.
//!
//! Invariant: only text that consists of well-known words is returned, so a real password is never repeated.

/// Words that placeholders consist of.
const WORDS: [&str; 27] = [
    "your",
    "my",
    "the",
    "a",
    "password",
    "pass",
    "pwd",
    "secret",
    "project",
    "ref",
    "reference",
    "id",
    "db",
    "database",
    "host",
    "hostname",
    "user",
    "username",
    "name",
    "region",
    "port",
    "here",
    "url",
    "supabase",
    "postgres",
    "pg",
    "env",
];

/// The first placeholder in a connection string.
pub fn find(text: &str) -> Option<&str> {
    ["${}", "{{}", "[]", "<>", "{}"]
        .iter()
        .find_map(|marks| bracketed(text, marks))
        .or_else(|| bare(text))
        .or_else(|| variable(text))
}

/// Finds one in brackets: `marks` is the opening bracket followed by the closing one, its last character.
fn bracketed<'a>(text: &'a str, marks: &str) -> Option<&'a str> {
    let (open, close) = marks.split_at(marks.len() - 1);
    let mut from = 0;
    while let Some(at) = text[from..].find(open) {
        let start = from + at;
        let inner = start + open.len();
        if let Some(length) = text[inner..].find(close)
            && is_made_of_words(&text[inner..inner + length])
        {
            let end = inner + length + 1;
            return Some(&text[start..end]);
        }
        from = inner;
    }
    None
}

/// Without brackets, only those that begin with `your`: YOUR_PASSWORD, your-project-ref.
fn bare(text: &str) -> Option<&str> {
    let part = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    text.split(part).find(|word| {
        let lower = word.to_ascii_lowercase();
        lower.starts_with("your") && lower.contains(['_', '-']) && is_made_of_words(word)
    })
}

/// `${NAME}`, which a shell would replace. The name is not repeated: it may be part of a password.
fn variable(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("${")?;
    let (name, _) = rest.split_once('}')?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
    (name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(fine)).then_some("${…}")
}

fn is_made_of_words(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    !lower.is_empty() && lower.split(['-', '_', ' ', '.']).all(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn what_templates_leave() {
        for (text, want) in [
            ("postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres", "[YOUR-PASSWORD]"),
            ("postgresql://postgres:p@db.[YOUR-PROJECT-REF].supabase.co/postgres", "[YOUR-PROJECT-REF]"),
            ("postgresql://postgres.[project-ref]:x@h/d", "[project-ref]"),
            ("postgresql://postgres:<password>@h/d", "<password>"),
            ("postgresql://postgres:${DB_PASSWORD}@h/d", "${DB_PASSWORD}"),
            ("postgresql://postgres:${x9k}@h/d", "${…}"),
            ("postgresql://postgres:YOUR_PASSWORD@h/d", "YOUR_PASSWORD"),
            ("postgresql://postgres:your-password@h/d", "your-password"),
        ] {
            assert_eq!(find(text), Some(want), "{text}");
        }
    }

    #[test]
    fn real_values_are_none_and_are_never_repeated() {
        for text in [
            "postgresql://u:p@[::1]:5432/d",
            "postgresql://u:[x9$]k@h/d",
            "postgresql://u:password@h/d",
            "postgresql://user:pass@host:5432/database",
            "postgresql://u:<é>@h/[",
            "postgresql://u:p@younger.example/d",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
