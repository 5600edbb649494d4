//! Where a statement of an SQL text ends, told while the text streams by.
//!
//! Invariant: pure, and it holds no text but a word or the tag of a dollar quote. It reads as psql does: strings of all
//! kinds, quoted names, comments that nest, parentheses, and bodies of SQL-standard functions hide their semicolons.
//! Strings are read under `standard_conforming_strings = on`, which every file of a snapshot sets.

/// No tag of a dollar quote is longer: a name has 63 bytes.
const TAG_MAX: usize = 64;
/// Words that are longer are none of those that matter.
const WORD_MAX: usize = 9;
/// `CREATE OR REPLACE FUNCTION`.
const HEAD_WORDS: usize = 4;

/// What the next byte belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Plain,
    /// After `-` or `/`, which may begin a comment.
    Dash,
    Slash,
    Line,
    /// A comment of several lines: how deep, and the byte before.
    Block(u32, u8),
    /// `'…'`; two quotes in a row end it and begin it again.
    Quoted,
    /// `E'…'`, and whether the byte before was a backslash that counts.
    Escaped(bool),
    Name,
    Word,
    /// `$` and what may be a tag.
    Tag(Vec<u8>),
    /// Inside of a dollar quote: its whole delimiter, and how much of it was just seen.
    Dollar(Vec<u8>, usize),
}

/// Finds the ends of statements.
#[derive(Debug, Clone)]
pub struct Splitter {
    place: Place,
    parentheses: u32,
    /// Open `BEGIN`s and `CASE`s in the body of an SQL-standard function.
    blocks: u32,
    word: Vec<u8>,
    /// The first letters of the statement's first words, of those that matter; the others are `-`.
    head: Vec<u8>,
    /// An `E'…'` goes on in the next quotes, if only white space with a line break (`true`: seen) is between.
    goes_on: Option<bool>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { place: Place::Plain, parentheses: 0, blocks: 0, word: Vec::new(), head: Vec::new(), goes_on: None }
    }
}

impl Splitter {
    /// Reads on until a statement has ended, and says after which byte: the rest is to be given again. `None`: it has not.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            at += self.passed_over(&bytes[at..]);
            let Some(byte) = bytes.get(at) else { break };
            at += 1;
            if self.take(*byte) {
                return Some(at);
            }
        }
        None
    }

    /// How many bytes cannot end what is open: most of a text is inside of strings.
    fn passed_over(&self, bytes: &[u8]) -> usize {
        let found = match self.place {
            Place::Quoted => memchr::memchr(b'\'', bytes),
            Place::Escaped(false) => memchr::memchr2(b'\'', b'\\', bytes),
            Place::Name => memchr::memchr(b'"', bytes),
            Place::Line => memchr::memchr(b'\n', bytes),
            Place::Dollar(_, 0) => memchr::memchr(b'$', bytes),
            _ => return 0,
        };
        found.unwrap_or(bytes.len())
    }

    /// One byte. Was it the end of a statement?
    fn take(&mut self, byte: u8) -> bool {
        match &mut self.place {
            Place::Plain => return self.plain(byte),
            Place::Dash if byte == b'-' => self.place = Place::Line,
            Place::Slash if byte == b'*' => self.place = Place::Block(1, 0),
            Place::Dash | Place::Slash => {
                self.goes_on = None;
                return self.plain(byte);
            }
            Place::Line if byte == b'\n' => {
                self.place = Place::Plain;
                self.goes_on = self.goes_on.map(|_| true);
            }
            Place::Line => {}
            Place::Block(depth, before) => match (*before, byte) {
                (b'*', b'/') if *depth == 1 => self.place = Place::Plain,
                (b'*', b'/') => (*depth, *before) = (*depth - 1, 0),
                (b'/', b'*') => (*depth, *before) = (*depth + 1, 0),
                _ => *before = byte,
            },
            Place::Quoted if byte == b'\'' => self.place = Place::Plain,
            Place::Quoted => {}
            Place::Escaped(after_backslash) => match byte {
                b'\'' if !*after_backslash => {
                    self.place = Place::Plain;
                    self.goes_on = Some(false);
                    return false;
                }
                _ => *after_backslash = byte == b'\\' && !*after_backslash,
            },
            Place::Name if byte == b'"' => self.place = Place::Plain,
            Place::Name => {}
            Place::Word => return self.in_word(byte),
            Place::Tag(_) => return self.in_tag(byte),
            Place::Dollar(delimiter, seen) => {
                *seen = if delimiter.get(*seen) == Some(&byte) { *seen + 1 } else { usize::from(byte == b'$') };
                if *seen == delimiter.len() {
                    self.place = Place::Plain;
                }
            }
        }
        false
    }

    fn plain(&mut self, byte: u8) -> bool {
        self.place = Place::Plain;
        let goes_on = self.goes_on.take();
        match byte {
            // Right after the closing quote it is a quote inside of the string; further on a string that goes on.
            b'\'' => self.place = if goes_on.is_some() { Place::Escaped(false) } else { Place::Quoted },
            b'"' => self.place = Place::Name,
            b'-' => (self.place, self.goes_on) = (Place::Dash, goes_on),
            b'/' => self.place = Place::Slash,
            b'$' => self.place = Place::Tag(Vec::new()),
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            b'\n' | b'\r' => self.goes_on = goes_on.map(|_| true),
            b' ' | b'\t' | 11 | 12 => self.goes_on = goes_on,
            b';' if self.parentheses == 0 && self.blocks == 0 => {
                self.head.clear();
                return true;
            }
            _ if begins_word(byte) => {
                self.place = Place::Word;
                self.word.clear();
                self.word.push(byte.to_ascii_lowercase());
            }
            _ => {}
        }
        false
    }

    fn in_word(&mut self, byte: u8) -> bool {
        if begins_word(byte) || byte.is_ascii_digit() || byte == b'$' {
            if self.word.len() <= WORD_MAX {
                self.word.push(byte.to_ascii_lowercase());
            }
            return false;
        }
        if byte == b'\'' && self.word == b"e" {
            self.place = Place::Escaped(false);
            return false;
        }
        self.word_ended();
        self.plain(byte)
    }

    /// Only the body of `CREATE FUNCTION` or `PROCEDURE` has statements inside, and only between `BEGIN` and `END`.
    fn word_ended(&mut self) {
        let word = self.word.as_slice();
        if self.head.len() < HEAD_WORDS {
            let matters = [&b"create"[..], b"or", b"replace", b"function", b"procedure"].contains(&word);
            self.head.push(if matters { word[0] } else { b'-' });
        }
        let is_routine = matches!(self.head.as_slice(), [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']);
        if !is_routine || self.parentheses > 0 {
            return;
        }
        match word {
            b"begin" => self.blocks += 1,
            b"case" if self.blocks > 0 => self.blocks += 1,
            b"end" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    fn in_tag(&mut self, byte: u8) -> bool {
        let Place::Tag(tag) = &mut self.place else { return false };
        if byte == b'$' {
            let mut delimiter = std::mem::take(tag);
            delimiter.insert(0, b'$');
            delimiter.push(b'$');
            self.place = Place::Dollar(delimiter, 0);
            return false;
        }
        if tag.len() < TAG_MAX && (begins_word(byte) || (byte.is_ascii_digit() && !tag.is_empty())) {
            tag.push(byte);
            return false;
        }
        self.plain(byte)
    }
}

fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
