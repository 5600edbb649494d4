//! The URI form: `postgresql://user:password@host:port,host2/database?parameter=value`.
//!
//! Invariant: it parses like libpq's `conninfo_uri_parse` (PostgreSQL manual, "Connection URIs"), and no error repeats
//! text that may be part of a password.

use percent_encoding::percent_decode_str;

use super::params::Params;
use crate::model::failure::{Failure, FailureKind, Result};

/// Parses a URI that begins with `postgres://` or `postgresql://`.
pub fn parse(text: &str) -> Result<Params> {
    let rest = text
        .strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
        .ok_or_else(|| broken("it does not begin with postgresql://"))?;
    let mut params = Params::default();
    let (userinfo, rest) = split_userinfo(rest);
    if let Some(userinfo) = userinfo {
        let (user, password) = match userinfo.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (userinfo, None),
        };
        set(&mut params, "user", user)?;
        if let Some(password) = password {
            set(&mut params, "password", password)?;
        }
    }
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    // A remaining `@` means that the password was not encoded.
    if place.contains('@') {
        return Err(unescaped());
    }
    let (hosts, database) = match place.split_once('/') {
        Some((hosts, database)) => (hosts, Some(database)),
        None => (place, None),
    };
    let has_credentials = userinfo.is_some();
    read_hosts(hosts, &mut params, has_credentials)?;
    if let Some(database) = database {
        set(&mut params, "dbname", database)?;
    }
    if let Some(query) = query {
        read_query(query, &mut params)?;
    }
    Ok(params)
}

/// Like libpq, takes the first `@` before the first `/`.
fn split_userinfo(rest: &str) -> (Option<&str>, &str) {
    match rest.find(['@', '/']) {
        Some(at) if rest.as_bytes().get(at) == Some(&b'@') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    }
}

fn set(params: &mut Params, name: &'static str, raw: &str) -> Result<()> {
    if !raw.is_empty() {
        params.set(name, decode(raw, name)?);
    }
    Ok(())
}

/// Percent-decoding as in libpq: `%` must be followed by two hexadecimal digits, and `%00` is not allowed.
fn decode(raw: &str, what: &str) -> Result<String> {
    let bytes = raw.as_bytes();
    for at in raw.match_indices('%').map(|(at, _)| at) {
        let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) || digits == b"00" {
            return Err(broken(&format!("the {what} contains a '%' that is not a percent-encoding"))
                .hint("write a percent sign itself as %25"));
        }
    }
    let text = percent_decode_str(raw).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| {
        broken(&format!("the {what} is not UTF-8 when decoded")).hint("write a percent sign itself as %25")
    })
}

fn read_hosts(text: &str, params: &mut Params, has_credentials: bool) -> Result<()> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let host;
        if let Some(inner) = rest.strip_prefix('[') {
            let (address, after) =
                inner.split_once(']').ok_or_else(|| broken("an IPv6 address is not closed with ']'"))?;
            if address.is_empty() {
                return Err(broken("the IPv6 address between '[' and ']' is empty"));
            }
            if !after.is_empty() && !after.starts_with([':', ',']) {
                return Err(broken("after ']' only ':PORT', ',' or '/' can follow"));
            }
            host = address;
            rest = after;
        } else {
            let end = rest.find([':', ',']).unwrap_or(rest.len());
            host = &rest[..end];
            rest = &rest[end..];
        }
        let mut port = "";
        if let Some(after) = rest.strip_prefix(':') {
            let end = after.find(',').unwrap_or(after.len());
            port = &after[..end];
            rest = &after[end..];
        }
        let port = decode(port, "port")?;
        if !port.is_empty() && port.parse::<u16>().map_or(true, |p| p == 0) {
            let failure = broken("the port is not a number from 1 to 65535");
            return Err(if has_credentials { failure } else { failure.hint(ENCODE) });
        }
        hosts.push(decode(host, "host")?);
        ports.push(port);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    let (hosts, ports) = (hosts.join(","), ports.join(","));
    if !hosts.is_empty() {
        params.set("host", hosts);
    }
    if ports.bytes().any(|b| b != b',') {
        params.set("port", ports);
    }
    Ok(())
}

fn read_query(query: &str, params: &mut Params) -> Result<()> {
    // With an `@`, this may be the rest of a password that was not encoded: names are not repeated.
    let echo = !query.contains('@');
    for pair in query.split('&') {
        if pair.is_empty() {
            continue;
        }
        let (name, value) =
            pair.split_once('=').ok_or_else(|| broken("a parameter after '?' has no '=' and no value"))?;
        if value.contains('=') {
            return Err(broken("a parameter after '?' has more than one '='")
                .hint("write an equals sign inside a value as %3D: options=-c%20a%3Db"));
        }
        let (name, value) = (decode(name, "name of a parameter")?, decode(value, "value of a parameter")?);
        // Like libpq, reads JDBC's ssl=true as sslmode=require.
        match (name.as_str(), value.as_str()) {
            ("ssl", "true") => params.set("sslmode", "require"),
            ("ssl", "false") => params.notes.push("'ssl=false' is not a libpq parameter: ignored".to_string()),
            _ => params.take(&name, &value, echo).map_err(|f| if echo { f } else { f.hint(ENCODE) })?,
        }
    }
    Ok(())
}

const ENCODE: &str = "in a URL these characters of a password must be encoded: \
    @ as %40, / as %2F, : as %3A, ? as %3F, # as %23, % as %25, [ as %5B, ] as %5D, space as %20";

fn unescaped() -> Failure {
    broken("unexpected '@': the user or the password contains a special character that is not encoded")
        .hint(ENCODE)
        .hint("or leave the password out of the URL, and put it unencoded into PGPASSWORD or ~/.pgpass")
}

fn broken(what: &str) -> Failure {
    Failure::msg(FailureKind::Configuration, format!("the connection URL cannot be read: {what}"))
}

#[cfg(test)]
#[path = "uri_tests.rs"]
mod tests;
