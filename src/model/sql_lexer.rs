//! A lexer for SQL text: finds where words, quoted names, string constants and comments start and end.
//!
//! Invariant: it reads like the server with `standard_conforming_strings = on`: `E'…'` has escapes, also in a constant
//! that continues it on the next line, comments nest, dollar quotes end at their own tag. It is the only SQL lexer in
//! this program: the statement splitter, the fence and the drill's assertions use it. Bytes may arrive in pieces split
//! anywhere; it stores no text except the tag of a dollar quote. Pure, and it never panics.

/// The tag of a dollar quote is an identifier, which has at most 63 bytes.
const TAG_BYTES_MAX: usize = 64;

/// The kind of a piece of SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword, an unquoted identifier, a number. The `E` before a constant is a separate word.
    Word,
    /// `"…"`. A doubled quote inside ends one piece and starts the next one directly after it.
    Name,
    /// `'…'`, `E'…'` or `$tag$…$tag$`. A doubled quote splits it, as in names.
    Constant,
    Comment,
    /// One white-space byte.
    Space,
    /// Any other byte, or a `$…` that is not a dollar quote.
    Sign,
}

/// The pieces that end at a byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// The piece that ended before this byte.
    pub before: Option<Kind>,
    /// The piece that ends with this byte.
    pub with: Option<Kind>,
}

impl Ended {
    fn with(kind: Kind) -> Self {
        Self { before: None, with: Some(kind) }
    }
}

/// The state: the piece that the next byte belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Between,
    /// After `-` or `/`, which may start a comment.
    Dash,
    Slash,
    LineComment,
    /// Nesting depth, and the previous byte.
    BlockComment(u32, u8),
    Constant,
    /// `E'…'`, and whether the previous byte was an escaping backslash.
    EscapedConstant(bool),
    Name,
    /// Whether the word so far is `e`.
    Word {
        is_e: bool,
    },
    /// `$` and the bytes of a possible tag.
    Tag(Vec<u8>),
    /// The delimiter with both dollars, and how many of its bytes have just matched.
    Dollar(Vec<u8>, usize),
}

/// The text between an `E'…'` and the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Nothing: a quote here is a doubled one and belongs to the constant.
    None,
    /// White space in one line: a quote starts another constant.
    Blank,
    /// A line break: a quote continues the constant, with its escapes.
    LineBreak,
}

/// Reads SQL byte by byte.
#[derive(Debug, Clone)]
pub struct Lexer {
    place: Place,
    /// Set after an `E'…'`, as long as only white space and line comments follow.
    gap: Option<Gap>,
}

impl Default for Lexer {
    fn default() -> Self {
        Self { place: Place::Between, gap: None }
    }
}

impl Lexer {
    /// How many of the next bytes cannot end the open piece. A fast path: most of a text is inside constants.
    pub fn skippable(&self, bytes: &[u8]) -> usize {
        let found = match self.place {
            Place::Constant => memchr::memchr(b'\'', bytes),
            Place::EscapedConstant(false) => memchr::memchr2(b'\'', b'\\', bytes),
            Place::Name => memchr::memchr(b'"', bytes),
            Place::LineComment => memchr::memchr(b'\n', bytes),
            Place::Dollar(_, 0) => memchr::memchr(b'$', bytes),
            _ => return 0,
        };
        found.unwrap_or(bytes.len())
    }

    pub fn is_in_word(&self) -> bool {
        matches!(self.place, Place::Word { .. })
    }

    /// The piece that is still open, if the text ends here.
    pub fn open(&self) -> Option<Kind> {
        match self.place {
            Place::Between => None,
            Place::Dash | Place::Slash | Place::Tag(_) => Some(Kind::Sign),
            Place::LineComment | Place::BlockComment(..) => Some(Kind::Comment),
            Place::Constant | Place::EscapedConstant(_) | Place::Dollar(..) => Some(Kind::Constant),
            Place::Name => Some(Kind::Name),
            Place::Word { .. } => Some(Kind::Word),
        }
    }

    /// Reads one byte.
    pub fn take(&mut self, byte: u8) -> Ended {
        match &mut self.place {
            Place::Between => return self.begin(byte),
            Place::Dash if byte == b'-' => self.place = Place::LineComment,
            Place::Slash if byte == b'*' => self.place = Place::BlockComment(1, 0),
            Place::Dash | Place::Slash => {
                self.gap = None;
                return self.begin_after(Kind::Sign, byte);
            }
            Place::LineComment if byte == b'\n' => {
                self.gap = self.gap.map(|_| Gap::LineBreak);
                return self.end(Kind::Comment);
            }
            Place::BlockComment(depth, before) => match (*before, byte) {
                (b'*', b'/') if *depth == 1 => return self.end(Kind::Comment),
                (b'*', b'/') => (*depth, *before) = (*depth - 1, 0),
                (b'/', b'*') => (*depth, *before) = (*depth + 1, 0),
                _ => *before = byte,
            },
            Place::Constant if byte == b'\'' => return self.end(Kind::Constant),
            Place::EscapedConstant(escapes) => {
                if byte == b'\'' && !*escapes {
                    self.gap = Some(Gap::None);
                    return self.end(Kind::Constant);
                }
                *escapes = byte == b'\\' && !*escapes;
            }
            Place::Name if byte == b'"' => return self.end(Kind::Name),
            Place::LineComment | Place::Constant | Place::Name => {}
            Place::Word { is_e } => {
                if is_of_word(byte) {
                    *is_e = false;
                } else if byte == b'\'' && *is_e {
                    self.place = Place::EscapedConstant(false);
                    return Ended { before: Some(Kind::Word), with: None };
                } else {
                    return self.begin_after(Kind::Word, byte);
                }
            }
            Place::Tag(_) => return self.in_tag(byte),
            Place::Dollar(delimiter, seen) => {
                *seen = if delimiter.get(*seen) == Some(&byte) { *seen + 1 } else { usize::from(byte == b'$') };
                if *seen == delimiter.len() {
                    return self.end(Kind::Constant);
                }
            }
        }
        Ended::default()
    }

    fn end(&mut self, kind: Kind) -> Ended {
        self.place = Place::Between;
        Ended::with(kind)
    }

    fn begin_after(&mut self, before: Kind, byte: u8) -> Ended {
        Ended { before: Some(before), ..self.begin(byte) }
    }

    /// A byte outside all pieces.
    fn begin(&mut self, byte: u8) -> Ended {
        self.place = Place::Between;
        let gap = self.gap.take();
        match byte {
            b'\'' if matches!(gap, Some(Gap::None | Gap::LineBreak)) => self.place = Place::EscapedConstant(false),
            b'\'' => self.place = Place::Constant,
            b'"' => self.place = Place::Name,
            b'-' => (self.place, self.gap) = (Place::Dash, gap),
            b'/' => self.place = Place::Slash,
            b'$' => self.place = Place::Tag(Vec::new()),
            b'\n' | b'\r' => {
                self.gap = gap.map(|_| Gap::LineBreak);
                return Ended::with(Kind::Space);
            }
            b' ' | b'\t' | 11 | 12 => {
                self.gap = gap.map(|gap| if gap == Gap::LineBreak { gap } else { Gap::Blank });
                return Ended::with(Kind::Space);
            }
            _ if is_of_word(byte) && byte != b'$' => {
                self.place = Place::Word { is_e: byte.eq_ignore_ascii_case(&b'e') };
            }
            _ => return Ended::with(Kind::Sign),
        }
        Ended::default()
    }

    fn in_tag(&mut self, byte: u8) -> Ended {
        let Place::Tag(tag) = &mut self.place else { return Ended::default() };
        if byte == b'$' {
            let delimiter = [b"$", tag.as_slice(), b"$"].concat();
            self.place = Place::Dollar(delimiter, 0);
            return Ended::default();
        }
        if tag.len() < TAG_BYTES_MAX && is_of_word(byte) && (!byte.is_ascii_digit() || !tag.is_empty()) {
            tag.push(byte);
            return Ended::default();
        }
        // In `$1` the number is a word.
        self.begin_after(Kind::Sign, byte)
    }
}

/// Letters, digits, `_`, `$` and every byte of a non-ASCII character.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// One piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'t> {
    pub kind: Kind,
    pub text: &'t str,
    /// Its byte offset in the text.
    pub start: usize,
}

/// All pieces of a text, in order and without gaps. An unterminated piece ends with the text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (bytes, mut lexer, mut found) = (text.as_bytes(), Lexer::default(), Vec::new());
    let (mut start, mut at) = (0, 0);
    let mut cut = |kind: Kind, start: &mut usize, end: usize| {
        found.push(Piece { kind, text: &text[*start..end], start: *start });
        *start = end;
    };
    while at < bytes.len() {
        at += lexer.skippable(&bytes[at..]);
        let Some(byte) = bytes.get(at) else { break };
        let ended = lexer.take(*byte);
        if let Some(kind) = ended.before {
            cut(kind, &mut start, at);
        }
        at += 1;
        if let Some(kind) = ended.with {
            cut(kind, &mut start, at);
        }
    }
    if let Some(kind) = lexer.open() {
        cut(kind, &mut start, bytes.len());
    }
    found
}

#[cfg(test)]
#[path = "sql_lexer_tests.rs"]
mod tests;
