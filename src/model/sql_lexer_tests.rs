//! Constants, names, comments and words, including texts that try to look like something else.

use proptest::prelude::*;

use super::{Kind, pieces};

fn words(text: &str) -> Vec<&str> {
    pieces(text).into_iter().filter(|p| p.kind == Kind::Word).map(|p| p.text).collect()
}

#[test]
fn constants_names_and_comments_hide_words() {
    assert_eq!(words("SELECT 'a b' || $$c$$ || $d$ e $$ f $d$ -- g\n, \"h i\" /* j /* k */ l */ m"), ["SELECT", "m"]);
    assert_eq!(words("a$b$ c$"), ["a$b$", "c$"]);
    assert_eq!(words("$1 $2x"), ["1", "2x"]);
    assert_eq!(words("'it''s' x"), ["x"]);
    assert_eq!(words("E'\\' y' z"), ["E", "z"]);
    assert_eq!(words("a - - b / c"), ["a", "b", "c"]);
}

/// Only the word `e` alone enables escapes: in `date'…'` a backslash is an ordinary character.
#[test]
fn a_word_that_ends_with_e_makes_no_escapes() {
    assert_eq!(words("SELECT date'1\\'; DROP TABLE t; --'"), ["SELECT", "date", "DROP", "TABLE", "t"]);
}

/// A constant on the next line continues the one before it, escapes included.
#[test]
fn a_constant_that_continues_keeps_its_escapes() {
    let text = "SELECT E'a'\n'b\\' || ' ; DROP TABLE t";
    assert_eq!(words(text), ["SELECT", "E", "DROP", "TABLE", "t"]);
    assert_eq!(words("SELECT E'a' 'b\\' || ' ; DROP"), ["SELECT", "E"], "without a line break it is another constant");
    assert_eq!(words("SELECT 'a'\n'b\\' || ' ; DROP"), ["SELECT"], "without E there are no escapes");
}

proptest! {
    #[test]
    fn pieces_are_the_text_without_a_gap(text in "[;'\"$a-eE/*\\-\\\\\\n é()1]{0,80}") {
        let all: String = pieces(&text).iter().map(|p| p.text).collect();
        prop_assert_eq!(all, text);
    }
}
