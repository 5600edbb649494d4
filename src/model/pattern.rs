//! Name patterns of the configuration and of `--exclude-data`: `*` and `?` as in a shell, nothing else.
//!
//! Invariant: a pattern never reaches SQL or another program; it is matched here, against catalog names.

/// True if `text` matches `pattern`: `*` is any run of characters, `?` exactly one character.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            p = star_p + 1;
            t = star_t + 1;
            star = Some((star_p, star_t + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        assert!(matches("encrypt_*", "encrypt_api_key"));
        assert!(matches("*", ""));
        assert!(matches("public.*_logs", "public.http_logs"));
        assert!(matches("a?c", "aéc"));
        assert!(!matches("encrypt_*", "decrypt_api_key"));
        assert!(!matches("a", "ab"));
        assert!(matches("*a*b", "xxaayyb"));
    }
}
