//! An SQL file of a snapshot: a header that describes it, statements, and a trailer that proves it is complete.
//!
//! Invariant (traps 1, 13): object names are escaped in comments, and the last line is [`TRAILER`]. The file stops at
//! the first error and runs in one transaction, so it can be run twice and is never applied in part.

use std::fmt::Write;

use crate::model::name::sql_comment;

/// The last line of every SQL file that stacksnap writes itself.
pub const TRAILER: &str = "-- stacksnap: end of file";

/// Builds one SQL file in memory (for files whose size depends on the schema, not on the data).
pub struct SqlFile {
    text: String,
}

impl SqlFile {
    /// Starts a file; `about` are the lines of its header, without object names or with escaped ones.
    pub fn new(about: &[&str]) -> Self {
        let mut file = Self { text: String::new() };
        for line in about {
            file.comment(line);
        }
        file.text.push_str(PREAMBLE);
        file
    }

    /// One comment line; the text is escaped.
    pub fn comment(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}", sql_comment(text));
    }

    /// One statement, without its semicolon.
    pub fn statement(&mut self, sql: &str) {
        let _ = writeln!(self.text, "{};", sql.trim_end().trim_end_matches(';'));
    }

    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Ends the file.
    pub fn finish(mut self) -> String {
        self.text.push_str(ENDING);
        self.text
    }
}

/// For streamed files: the text before the first statement.
pub const PREAMBLE: &str = "\nBEGIN;\n\
    SET LOCAL client_encoding = 'UTF8';\n\
    SET LOCAL standard_conforming_strings = on;\n\
    SET LOCAL array_nulls = on;\n\
    SET LOCAL lc_monetary = 'C';\n\
    SET LOCAL transform_null_equals = off;\n\
    SET LOCAL xmloption = content;\n\
    SET LOCAL check_function_bodies = off;\n\
    SET LOCAL client_min_messages = warning;\n\
    SET LOCAL search_path = '';\n\n";

/// For streamed files: the text after the last statement.
pub const ENDING: &str = "\nCOMMIT;\n\n-- stacksnap: end of file\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailer_is_the_last_line() {
        let mut file = SqlFile::new(&["Policies"]);
        file.statement("SELECT 1;");
        let text = file.finish();
        assert_eq!(text.lines().last(), Some(TRAILER));
        assert!(text.contains("SELECT 1;\n"));
    }
}
