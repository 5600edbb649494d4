//! Finds where a statement of an SQL text ends, while the text streams by.
//!
//! Invariant: pure, and it holds no text but a word. `model::sql_lexer` reads constants, names and comments; parentheses and
//! the bodies of SQL-standard functions hide their semicolons here.

use crate::model::sql_lexer::{Kind, Lexer};

/// No word that decides anything is longer.
const WORD_BYTES_MAX: usize = 9;
/// `CREATE OR REPLACE FUNCTION`.
const HEAD_WORDS: usize = 4;

/// Finds the ends of statements.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    lexer: Lexer,
    parentheses: u32,
    /// Open `BEGIN`s and `CASE`s in the body of an SQL-standard function.
    blocks: u32,
    word: Vec<u8>,
    /// The first letters of the statement's first words, of those that decide; the others are `-`.
    head: Vec<u8>,
}

impl Splitter {
    /// Reads until a statement ends and returns the number of bytes up to its end; the rest is to be given again.
    /// `None`: no statement ended in these bytes.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            at += self.lexer.skippable(&bytes[at..]);
            let Some(byte) = bytes.get(at) else { break };
            at += 1;
            if self.take(*byte) {
                return Some(at);
            }
        }
        None
    }

    /// One byte. Was it the end of a statement?
    fn take(&mut self, byte: u8) -> bool {
        let was_in_word = self.lexer.is_in_word();
        let ended = self.lexer.take(byte);
        if ended.before == Some(Kind::Word) {
            self.word_ended();
        }
        if self.lexer.is_in_word() {
            if !was_in_word {
                self.word.clear();
            }
            if self.word.len() <= WORD_BYTES_MAX {
                self.word.push(byte.to_ascii_lowercase());
            }
        }
        ended.with == Some(Kind::Sign) && self.sign(byte)
    }

    fn sign(&mut self, sign: u8) -> bool {
        match sign {
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            b';' if self.parentheses == 0 && self.blocks == 0 => {
                self.head.clear();
                return true;
            }
            _ => {}
        }
        false
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
}

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
