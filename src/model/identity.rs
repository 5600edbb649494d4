//! Splits the identities of an inventory: `"a on b" on public.t` is the policy `a on b` of `public.t`.
//!
//! Invariant: text in double quotes is never a separator. Parts are returned unchanged with their quotes, ready for
//! SQL.

/// The byte after the identifier at the start of `text`: a quoted one, or up to the first byte that ends a plain one.
pub fn identifier_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        let end = bytes.iter().position(|b| b" .(\"".contains(b)).unwrap_or(bytes.len());
        return (end > 0).then_some(end);
    }
    let mut at = 1;
    loop {
        let quote = at + memchr::memchr(b'"', &bytes[at..])?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote + 1);
        }
        at = quote + 2;
    }
}

/// Splits `name on rest`.
pub fn on(identity: &str) -> Option<(&str, &str)> {
    let end = identifier_end(identity)?;
    let rest = identity[end..].strip_prefix(" on ")?;
    Some((&identity[..end], rest))
}

/// Splits `"schema"."name"` or `schema.name` and removes the quotes.
pub fn qualified(identity: &str) -> Option<(String, String)> {
    let end = identifier_end(identity)?;
    let rest = identity[end..].strip_prefix('.')?;
    let name_end = identifier_end(rest)?;
    (name_end == rest.len()).then(|| (unquoted(&identity[..end]), unquoted(rest)))
}

/// An identifier without its quotes.
pub fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_string(),
    }
}

/// An identity as current servers write it. Before 16, identities have `pg_catalog.json` for `json`, and a transform is
/// `on` a language. Without this an object of an older server would not match the same object of a newer one.
pub fn of_any_major(identity: String) -> String {
    const OLD: &str = "pg_catalog.json";
    let of_transform = identity.starts_with("for ") || identity.starts_with("transform for ");
    if !of_transform && !identity.contains(OLD) {
        return identity;
    }
    let mut out = String::with_capacity(identity.len());
    let (mut rest, mut before) = (identity.as_str(), None);
    while let Some(first) = rest.chars().next() {
        let part = |c: char| c.is_alphanumeric() || "_$\".".contains(c);
        let (old, new) = match rest.strip_prefix(OLD) {
            Some(after) if !before.is_some_and(part) && !after.starts_with(part) => (OLD, "json"),
            _ if of_transform && rest.starts_with(" on language ") => (" on language ", " language "),
            _ => {
                let end = if first == '"' { identifier_end(rest) } else { None }.unwrap_or(first.len_utf8());
                (&rest[..end], &rest[..end])
            }
        };
        out.push_str(new);
        before = old.chars().next_back();
        rest = &rest[old.len()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::name::ident;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_hide_separators() {
        assert_eq!(on("a on public.t"), Some(("a", "public.t")));
        assert_eq!(on("\"a on \"\"b\" on public.\"x on y\""), Some(("\"a on \"\"b\"", "public.\"x on y\"")));
        assert_eq!(on("a on domain public.d"), Some(("a", "domain public.d")));
        assert_eq!(on("a"), None);
        assert_eq!(qualified("public.\"dotted.t\""), Some(("public".into(), "dotted.t".into())));
    }

    #[test]
    fn what_older_servers_write_otherwise_is_written_as_the_newest_do() {
        for (old, new) in [
            ("(pg_catalog.json AS public.t)", "(json AS public.t)"),
            (
                "function public.f(pg_catalog.json,pg_catalog.json[],pg_catalog.jsonb)",
                "function public.f(json,json[],pg_catalog.jsonb)",
            ),
            ("for pg_catalog.json on language sql", "for json language sql"),
            ("transform for integer on language \"on language x\"", "transform for integer language \"on language x\""),
            (
                "function \"a pg_catalog.json\".f(my_pg_catalog.json)",
                "function \"a pg_catalog.json\".f(my_pg_catalog.json)",
            ),
            ("p on pg_catalog.json.x", "p on pg_catalog.json.x"),
            ("for role x on tables", "for role x on tables"),
        ] {
            assert_eq!(of_any_major(old.to_string()), new);
            assert_eq!(of_any_major(new.to_string()), new);
        }
    }

    proptest! {
        #[test]
        fn any_name_comes_back(a in "\\PC{1,12}", b in "\\PC{1,12}", c in "\\PC{1,12}") {
            let table = format!("{}.{}", ident(&b), ident(&c));
            let text = format!("{} on {table}", ident(&a));
            let (name, rest) = on(&text).unwrap();
            prop_assert_eq!(unquoted(name), a);
            prop_assert_eq!(rest, &table);
            prop_assert_eq!(qualified(rest).unwrap(), (b, c));
        }
    }
}
