//! The words of SQL that stand outside of strings, quoted names, bodies and comments, statement by statement.
//!
//! Invariant: it reads as the server does with `standard_conforming_strings` on. Pure; it never panics, and of a text that
//! does not end what it began nothing is left unread: the rest belongs to the last word.

/// One word, or a quoted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// In lower case, unless it was quoted.
    pub text: String,
    pub quoted: bool,
    /// How many brackets are open around it.
    pub depth: u32,
}

/// The statements of a text, each as its words; one without a word is none.
pub fn statements(sql: &str) -> Vec<Vec<Word>> {
    let mut reader = Reader { text: sql, at: 0, depth: 0, blocks: 0, found: vec![Vec::new()] };
    while reader.step() {}
    reader.found.retain(|words| !words.is_empty());
    reader.found
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
    /// Open blocks of a body in SQL (`BEGIN ATOMIC … END`), in which a semicolon ends no statement.
    blocks: u32,
    found: Vec<Vec<Word>>,
}

impl Reader<'_> {
    fn step(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        self.at += if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if first == '\'' {
            quoted(rest, '\'', self.text[..self.at].ends_with(['e', 'E']))
        } else if first == '"' {
            let length = quoted(rest, '"', false);
            let inner = &rest[1..length];
            let name = inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\"");
            self.word(name, true);
            length
        } else if let Some(length) = (first == '$').then(|| dollar_quoted(rest)).flatten() {
            length
        } else if is_of_word(first) {
            let length = rest.find(|c: char| !is_of_word(c) && c != '$').unwrap_or(rest.len());
            self.word(rest[..length].to_ascii_lowercase(), false);
            length
        } else {
            self.sign(first);
            first.len_utf8()
        };
        true
    }

    fn sign(&mut self, sign: char) {
        match sign {
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            ';' if self.blocks == 0 && self.depth == 0 => self.found.push(Vec::new()),
            _ => {}
        }
    }

    fn word(&mut self, text: String, quoted: bool) {
        let depth = self.depth;
        let Some(words) = self.found.last_mut() else { return };
        let begun = text == "atomic" && words.last().is_some_and(|w| w.text == "begin" && w.depth == 0);
        match text.as_str() {
            _ if quoted => {}
            _ if begun && depth == 0 && is_routine(words) => self.blocks += 1,
            "case" if self.blocks > 0 => self.blocks += 1,
            "end" if self.blocks > 0 => self.blocks -= 1,
            _ => {}
        }
        words.push(Word { text, quoted, depth });
    }
}

fn is_routine(words: &[Word]) -> bool {
    starts(words, "create function") || starts(words, "create procedure")
}

/// Do the words begin with these? Only unquoted ones can.
pub fn starts(words: &[Word], beginning: &str) -> bool {
    let mut words = words.iter();
    beginning.split(' ').all(|expected| words.next().is_some_and(|w| !w.quoted && w.text == expected))
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || !c.is_ascii()
}

fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

fn comment(text: &str) -> usize {
    let (bytes, mut depth, mut at) = (text.as_bytes(), 0u32, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

fn dollar_quoted(text: &str) -> Option<usize> {
    let end = text[1..].find('$')? + 1;
    let name = &text[1..end];
    if !name.chars().all(is_of_word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let tag = &text[..=end];
    Some(text[tag.len()..].find(tag).map_or(text.len(), |at| at + 2 * tag.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(sql: &str) -> Vec<String> {
        let line = |words: &Vec<Word>| words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
        statements(sql).iter().map(line).collect()
    }

    #[test]
    fn what_is_quoted_is_no_word_and_separates_nothing() {
        let sql = "CREATE TABLE a ('; x''y;', E'\\';', $$ ; z $$, $b$ ; $$ ; $b$) /* ; /* ; */ ; */ -- ;\n; COPY t$1$ TO \"p;\"\"\"";
        assert_eq!(texts(sql), ["create table a e", "copy t$1$ to p;\""]);
        assert_eq!(texts(";;"), Vec::<String>::new());
        assert_eq!(texts("SELECT 'a\\'; COMMIT; --'"), ["select", "commit"]);
    }

    #[test]
    fn a_body_in_sql_is_one_statement() {
        let sql = "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END; DROP x";
        assert_eq!(texts(sql).len(), 2);
        assert_eq!(texts("CREATE TABLE begin atomic; DROP x").len(), 2);
        assert_eq!(texts("CREATE FUNCTION f(begin atomic); DROP x").len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[;'\"$a-eE/*\\-\\\\\\n é()]{0,60}") {
            let _ = statements(&text);
        }
    }
}
