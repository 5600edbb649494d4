//! CSV of one row that is too long for memory: the row is read twice, in pieces split anywhere.
//!
//! Invariant: the output is byte for byte that of `csv::row` for the whole line. Only the end of a field shows whether
//! it is quoted, so [`Scan`] reads the row first, and [`Write`] writes it in a second reading. It never holds more than
//! a few bytes and one word per field.

use super::copy_text::{ESCAPE_BYTES_MAX, escape};

/// How to write a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Null,
    Plain,
    Quoted,
}

/// The parts of a COPY text line, in order.
enum Token<'a> {
    Bytes(&'a [u8]),
    Escaped {
        byte: u8,
        /// `\N`: NULL if it is the whole field.
        null: bool,
    },
    FieldEnd,
}

/// Splits a line into tokens.
#[derive(Default)]
struct Tokenizer {
    /// An escape sequence that is not complete yet.
    open: Vec<u8>,
}

impl Tokenizer {
    fn push(&mut self, mut piece: &[u8], each: &mut impl FnMut(Token<'_>)) {
        while !piece.is_empty() {
            if self.open.is_empty() {
                let at = memchr::memchr2(b'\t', b'\\', piece).unwrap_or(piece.len());
                if at > 0 {
                    each(Token::Bytes(&piece[..at]));
                }
                piece = &piece[at..];
                let Some(special) = piece.first() else { return };
                if *special == b'\t' {
                    each(Token::FieldEnd);
                } else {
                    self.open.push(b'\\');
                }
                piece = &piece[1..];
            } else if self.open.len() < ESCAPE_BYTES_MAX && piece[0] != b'\t' {
                self.open.push(piece[0]);
                piece = &piece[1..];
            } else {
                self.close(each);
            }
        }
        if self.open.len() == ESCAPE_BYTES_MAX {
            self.close(each);
        }
    }

    /// Decodes the open escape and processes the bytes buffered after it.
    fn close(&mut self, each: &mut impl FnMut(Token<'_>)) {
        let held = std::mem::take(&mut self.open);
        let (byte, length) = escape(&held);
        each(Token::Escaped { byte, null: held[..length] == *b"\\N" });
        self.push(&held[length..], each);
    }

    fn end(&mut self, each: &mut impl FnMut(Token<'_>)) {
        while !self.open.is_empty() {
            self.close(each);
        }
        each(Token::FieldEnd);
    }
}

/// The first reading: decides how each field is written.
pub struct Scan {
    tokenizer: Tokenizer,
    classifier: Classifier,
}

struct Classifier {
    single: bool,
    length: u64,
    first: [u8; 2],
    null: bool,
    special: bool,
    forms: Vec<Form>,
}

impl Scan {
    /// `columns` is the number of fields of the row.
    pub fn new(columns: usize) -> Self {
        let classifier = Classifier {
            single: columns == 1,
            length: 0,
            first: [0; 2],
            null: false,
            special: false,
            forms: Vec::new(),
        };
        Self { tokenizer: Tokenizer::default(), classifier }
    }

    pub fn push(&mut self, piece: &[u8]) {
        let Self { tokenizer, classifier } = self;
        tokenizer.push(piece, &mut |token| classifier.add(token));
    }

    /// Ends the first reading. The result writes the row in the second one.
    pub fn end(mut self) -> Write {
        let Self { tokenizer, classifier } = &mut self;
        tokenizer.end(&mut |token| classifier.add(token));
        Write {
            tokenizer: Tokenizer::default(),
            printer: Printer { forms: self.classifier.forms, field: 0, started: false },
        }
    }
}

impl Classifier {
    fn add(&mut self, token: Token<'_>) {
        match token {
            Token::Bytes(bytes) => {
                self.special |= memchr::memchr3(b',', b'"', b'\r', bytes).is_some();
                self.add_bytes(bytes);
            }
            Token::Escaped { byte, null } => {
                self.special |= matches!(byte, b',' | b'"' | b'\r' | b'\n');
                self.null |= null;
                self.add_bytes(&[byte]);
            }
            Token::FieldEnd => {
                let end_of_data = self.single && self.length == 2 && &self.first == b"\\.";
                self.forms.push(if self.null && self.length == 1 {
                    Form::Null
                } else if self.special || self.length == 0 || end_of_data {
                    Form::Quoted
                } else {
                    Form::Plain
                });
                (self.length, self.null, self.special) = (0, false, false);
            }
        }
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        for (place, byte) in self.first.iter_mut().skip(usize::try_from(self.length).unwrap_or(2)).zip(bytes) {
            *place = *byte;
        }
        self.length += bytes.len() as u64;
    }
}

/// The second reading: writes the CSV.
pub struct Write {
    tokenizer: Tokenizer,
    printer: Printer,
}

struct Printer {
    forms: Vec<Form>,
    field: usize,
    started: bool,
}

impl Write {
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Self { tokenizer, printer } = self;
        tokenizer.push(piece, &mut |token| printer.write(token, out));
    }

    pub fn end(mut self, out: &mut Vec<u8>) {
        let Self { tokenizer, printer } = &mut self;
        tokenizer.end(&mut |token| printer.write(token, out));
        out.push(b'\n');
    }
}

impl Printer {
    fn write(&mut self, token: Token<'_>, out: &mut Vec<u8>) {
        let form = self.forms.get(self.field).copied().unwrap_or(Form::Quoted);
        if !std::mem::replace(&mut self.started, true) {
            if self.field > 0 {
                out.push(b',');
            }
            if form == Form::Quoted {
                out.push(b'"');
            }
        }
        match token {
            Token::Escaped { .. } if form == Form::Null => {}
            Token::Bytes(bytes) if form == Form::Quoted => double_quotes(bytes, out),
            Token::Bytes(bytes) => out.extend_from_slice(bytes),
            Token::Escaped { byte, .. } if form == Form::Quoted => double_quotes(&[byte], out),
            Token::Escaped { byte, .. } => out.push(byte),
            Token::FieldEnd => {
                if form == Form::Quoted {
                    out.push(b'"');
                }
                self.field += 1;
                self.started = false;
            }
        }
    }
}

/// Appends the text inside quotes, with its quotes doubled.
pub fn double_quotes(text: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    for quote in memchr::memchr_iter(b'"', text) {
        out.extend_from_slice(&text[start..=quote]);
        out.push(b'"');
        start = quote + 1;
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::csv;
    use proptest::prelude::*;

    fn in_pieces(line: &[u8], columns: usize, cuts: &[usize]) -> Vec<u8> {
        let pieces = || {
            let ends = cuts.iter().copied().chain([line.len()]);
            ends.scan(0, |start, end| Some(&line[std::mem::replace(start, end)..end]))
        };
        let mut scan = Scan::new(columns);
        pieces().for_each(|piece| scan.push(piece));
        let (mut write, mut out) = (scan.end(), Vec::new());
        pieces().for_each(|piece| write.push(piece, &mut out));
        write.end(&mut out);
        out
    }

    fn whole(line: &[u8], columns: usize) -> Vec<u8> {
        let mut out = Vec::new();
        csv::row(line, columns, &mut out);
        out
    }

    #[test]
    fn cut_at_every_position_it_is_what_the_whole_row_gives() {
        let lines: [&[u8]; 9] = [
            b"plain\t\\N\t\ta,b\tsay \"x\"\tl1\\nl2\tc\\\\d",
            b"\\\\N\t\\N\\N\t\\N\tN\t\\",
            b"\\101\\x41\\x4a!\\xg\\0\t\\054\t\\x22\\\\\\\\\\N",
            b"",
            b"\\N",
            b"\\\\.",
            b"\\134\\056",
            b"\\x5c.",
            b"\\x5c.x",
        ];
        for line in lines {
            let columns = line.iter().filter(|b| **b == b'\t').count() + 1;
            let wanted = whole(line, columns);
            let every: Vec<usize> = (0..line.len()).collect();
            assert_eq!(in_pieces(line, columns, &every), wanted, "{}", String::from_utf8_lossy(line));
            for first in 0..=line.len() {
                for second in first..=line.len() {
                    let text = String::from_utf8_lossy(line);
                    assert_eq!(in_pieces(line, columns, &[first, second]), wanted, "{text} at {first}, {second}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn cuts_between_pieces_do_not_matter(
            line in "([a-c,\"nN\t\r.]|xxxxx|\\\\\\\\|\\\\n|\\\\N|\\\\r|\\\\[0-7x]{0,3}){0,40}",
            cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            let line = line.as_bytes();
            let columns = line.iter().filter(|b| **b == b'\t').count() + 1;
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(line.len())).collect();
            cuts.sort_unstable();
            prop_assert_eq!(in_pieces(line, columns, &cuts), whole(line, columns));
        }
    }
}
