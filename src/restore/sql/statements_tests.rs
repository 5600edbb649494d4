//! Tests what hides a semicolon, and that the size of the input pieces does not matter.

use proptest::prelude::*;

use super::Splitter;

/// Splits a text that is fed in pieces of `step` bytes. An unfinished statement is the last item.
fn split(text: &str, step: usize) -> Vec<String> {
    let (mut splitter, mut done, mut open) = (Splitter::default(), Vec::new(), Vec::new());
    for piece in text.as_bytes().chunks(step.max(1)) {
        let mut rest = piece;
        while let Some(at) = splitter.end(rest) {
            open.extend_from_slice(&rest[..at]);
            done.push(String::from_utf8(std::mem::take(&mut open)).unwrap());
            rest = &rest[at..];
        }
        open.extend_from_slice(rest);
    }
    if !open.is_empty() {
        done.push(String::from_utf8(open).unwrap());
    }
    done
}

/// Statements with semicolons that do not end them.
const WHOLE: [&str; 30] = [
    "SELECT 1;",
    ";",
    "SELECT ';';",
    "SELECT 'it''s;', '\\';",
    r"SELECT E'\';', e'\\', E'\\\';';",
    r"SELECT E'a'';\'b;';",
    "SELECT E'a'\n '\\';b';",
    "SELECT E'a' -- ;'\n ;",
    "SELECT E'a'\n -- it's ;\n '\\';';",
    "SELECT 'a' || '\\' || ';';",
    r"SELECT U&'\0041;\', N'x;\', the';\', eE';\';",
    "SELECT 1 - -1 -- ; it's\n;",
    "SELECT 4/2 /* ; /* ' */ ; */, 1*/**/2;",
    "SELECT \"a;\"\"b;\" FROM \"';\";",
    "DO $$ BEGIN x; y; END $$;",
    "DO $stacksnap$ a; $$ b; $ $stacksnap c; $$stacksnap$;",
    "DO $a$ $b$; $ab$; a$; x $a$;",
    "SELECT $1, a$b$, c$; ",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b);",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;",
    "create or replace function f(a int DEFAULT (1)) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END;",
    "CREATE PROCEDURE p() BEGIN ATOMIC DELETE FROM t; END;",
    "SELECT E'a' -- it's\n '\\';';",
    "CREATE TABLE begin_t (begin_at int);",
    "SELECT begin, x FROM a;",
    "INSERT INTO q (a) VALUES\n(E'{\"a\": \"\\\\n;\"}'),\n('$x$')\nON CONFLICT (a) DO UPDATE SET b = excluded.b;",
    "SELECT \u{e9}';\u{e9}';",
    "SELECT a FROM b WHERE c = '--' AND d = '/*';",
    "SELECT 1 AS e, 'x\\';",
    "COMMENT ON TABLE t IS E'\\'';",
];

#[test]
fn what_hides_a_semicolon_hides_it() {
    for statement in WHOLE {
        let statement = statement.trim_end();
        let twice = format!("{statement}\n SELECT 2;");
        assert_eq!(split(&twice, 7), [statement, "\n SELECT 2;"], "{statement}");
    }
}

#[test]
fn a_text_without_an_end_is_one_rest() {
    for open in ["SELECT 'a;", "SELECT E'\\';", "DO $$ a; ", "/* ; /* */ ;", "-- a;", "SELECT (1;", "\";", "$a$ ; $b$"]
    {
        assert_eq!(split(open, 3), [open]);
    }
}

proptest! {
    #[test]
    fn statements_are_cut_between_each_other_and_nowhere_else(
        which in proptest::collection::vec(0usize..WHOLE.len(), 0..12),
        step in 1usize..40,
    ) {
        let which: Vec<&str> = which.iter().map(|at| WHOLE[*at].trim_end()).collect();
        let text: String = which.concat();
        prop_assert_eq!(split(&text, step), which);
    }

    #[test]
    fn a_literal_of_the_snapshot_hides_whatever_it_holds(value in "[a'\\\\\n\r\t;$()é/*-]{0,24}", step in 1usize..9) {
        let mut literal = Vec::new();
        crate::model::name::literal(&value).bytes().for_each(|b| literal.push(b));
        let text = format!("SELECT {};", String::from_utf8(literal).unwrap());
        let body = format!("DO {};", crate::model::name::dollar_quoted(&value));
        prop_assert_eq!(split(&format!("{text}{body}"), step), vec![text, body]);
    }
}
