//! Rust text as code alone: comments, strings and characters blanked, lines kept. Enough to find names and count braces.
//!
//! Invariant: the result has as many lines as the file, so that a finding has its true place.

/// The text with everything that is not code replaced by spaces.
pub fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => comment_end(&chars, at),
            'r' if !continues_a_name(&chars, at) => raw_string_end(&chars, at).unwrap_or(at),
            '"' => quoted_end(&chars, at, '"'),
            '\'' => character_end(&chars, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| from + n)
}

/// Block comments nest.
fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// `r` ends a name (`for"…"` does not exist, `br"…"` does).
fn continues_a_name(chars: &[char], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).map(|i| chars[i]);
    let in_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match before(1) {
        Some('b' | 'c') => in_name(before(2)),
        c => in_name(c),
    }
}

fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from + 1..].iter().take_while(|c| **c == '#').count();
    let open = from + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| chars[*at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |at| at + 1 + hashes))
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `'a'`, `'\n'`, `'\u{1b}'`; `None` for a lifetime.
fn character_end(chars: &[char], from: usize) -> Option<usize> {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => Some(quoted_end(chars, from, '\'')),
        (Some(_), Some('\'')) => Some(from + 3),
        _ => None,
    }
}

/// Each function with the line of its `fn` and how many lines it has, its closing brace included.
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(name) = function_name(line)
            && let Some(length) = length_of(&lines[at..])
        {
            found.push((name, at + 1, length));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let from = if line.starts_with("fn ") { 3 } else { line.find(" fn ")? + 4 };
    let name: String = line[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// Lines until the braces close; `None` for a declaration that ends with `;` outside all brackets.
fn length_of(lines: &[&str]) -> Option<usize> {
    let (mut braces, mut brackets) = (0_i32, 0_i32);
    let start = lines[0].find("fn ")?;
    for (n, line) in lines.iter().enumerate() {
        let text = if n == 0 { &line[start..] } else { line };
        for c in text.chars() {
            match c {
                '{' => braces += 1,
                '}' => braces -= 1,
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                ';' if braces == 0 && brackets == 0 => return None,
                _ => {}
            }
            if c == '}' && braces == 0 {
                return Some(n + 1);
            }
        }
    }
    None
}

/// What comes before the tests at the end of a file.
pub fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod ").map_or(code, |at| &code[..at])
}

#[test]
fn only_code_is_left() {
    let text =
        "let a = \"fn x() {\"; // fn y() {\nlet b = 'x'; let c: &'a str = r#\"\"{\"#; /* { /* */ { */ b'{' '\\'' d";
    let code = code_of(text);
    assert!(!code.contains('{') && !code.contains("fn"), "{code}");
    assert!(code.contains("&'a str") && code.ends_with(" d"), "{code}");
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn functions_are_measured() {
    let code = "fn a() {\n    if x {\n    }\n}\n    pub async fn b(x: [u8; 3]) -> T {\n    }\ntrait T { fn c(); }\n";
    let found = functions(code);
    assert_eq!(found, [("a".to_string(), 1, 4), ("b".to_string(), 5, 2)]);
}
