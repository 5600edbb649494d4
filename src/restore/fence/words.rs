//! The words of SQL text outside of constants and comments, statement by statement.
//!
//! Invariant: `model::sql_lexer` decides what is a word; nothing of a text that does not end what it began is skipped. Pure.

use crate::model::sql_lexer::{Kind, Piece, pieces};

/// One word, or a quoted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// In lower case, unless it was quoted.
    pub text: String,
    pub quoted: bool,
    /// How many parentheses and brackets are open around it.
    pub depth: u32,
}

/// The statements of a text, each as its words; a statement without a word is left out.
pub fn statements(sql: &str) -> Vec<Vec<Word>> {
    let mut reader = Reader { depth: 0, blocks: 0, found: vec![Vec::new()] };
    let pieces = pieces(sql);
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        match piece.kind {
            Kind::Word => reader.word(piece.text.to_ascii_lowercase(), false),
            Kind::Name => {
                let more = pieces[at..].iter().take_while(|next| next.kind == Kind::Name).count();
                reader.word(name(&pieces[at - 1..at + more]), true);
                at += more;
            }
            Kind::Sign => reader.sign(piece.text),
            Kind::Constant | Kind::Comment | Kind::Space => {}
        }
    }
    reader.found.retain(|words| !words.is_empty());
    reader.found
}

/// The name that the pieces of one quoted name spell: they are cut at doubled quotes.
fn name(pieces: &[Piece<'_>]) -> String {
    let inner = |piece: &Piece<'_>| {
        let text = piece.text.strip_prefix('"').unwrap_or(piece.text);
        text.strip_suffix('"').unwrap_or(text).to_string()
    };
    pieces.iter().map(inner).collect::<Vec<_>>().join("\"")
}

struct Reader {
    depth: u32,
    /// Open blocks of a body in SQL (`BEGIN ATOMIC … END`), in which a semicolon ends no statement.
    blocks: u32,
    found: Vec<Vec<Word>>,
}

impl Reader {
    fn sign(&mut self, sign: &str) {
        match sign {
            "(" | "[" => self.depth += 1,
            ")" | "]" => self.depth = self.depth.saturating_sub(1),
            ";" if self.blocks == 0 && self.depth == 0 => self.found.push(Vec::new()),
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

    /// What the server runs as a second statement is seen as one, whatever stands before it.
    #[test]
    fn a_constant_cannot_hide_a_statement() {
        for sql in ["SELECT date'1\\'; DROP TABLE x; --'", "SELECT E'a'\n'b\\' || '; DROP TABLE x; --'"] {
            assert!(texts(sql).contains(&"drop table x".to_string()), "{sql}: {:?}", texts(sql));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[;'\"$a-eE/*\\-\\\\\\n é()]{0,60}") {
            let _ = statements(&text);
        }
    }
}
