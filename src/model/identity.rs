//! Taking an inventory's identities apart: `"a on b" on public.t` is the policy `a on b` of `public.t`.
//!
//! Invariant: what is in double quotes is never a separator. Parts are returned as they are, quotes included, ready
//! for SQL.

/// The byte after the identifier at the start of `text`: quoted, or up to the first byte that ends a plain one.
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

/// `name on rest`: both parts.
pub fn on(identity: &str) -> Option<(&str, &str)> {
    let end = identifier_end(identity)?;
    let rest = identity[end..].strip_prefix(" on ")?;
    Some((&identity[..end], rest))
}

/// `"schema"."name"` or `schema.name`: both parts, unquoted.
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
