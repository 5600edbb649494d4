//! Writes parameters as a URI: to suggest a corrected line, and to test that a written URI is read back unchanged.
//!
//! Invariant: the password is shown only with `Password::Shown`, which is for tests and never for a message.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::params::Params;

/// How the password is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// `***`
    Hidden,
    /// In plain text.
    Shown,
}

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const KEPT_IN_ADDRESS: &AsciiSet = &KEPT.remove(b':');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// `postgresql://user:***@host:port/database?parameter=value`.
pub fn to_uri(params: &Params, password: Password) -> String {
    let mut out = String::from("postgresql://");
    let user = params.get("user");
    let secret = params.get("password");
    if user.is_some() || secret.is_some() {
        out.push_str(&user.map(encode).unwrap_or_default());
        if let Some(secret) = secret {
            out.push(':');
            match password {
                Password::Hidden => out.push_str("***"),
                Password::Shown => out.push_str(&encode(secret)),
            }
        }
        out.push('@');
    }
    out.push_str(&places(params));
    if let Some(database) = params.get("dbname") {
        out.push('/');
        out.push_str(&encode(database));
    }
    let mut separator = '?';
    for (name, value) in params.iter() {
        if matches!(name, "user" | "password" | "host" | "port" | "dbname") || value.is_empty() {
            continue;
        }
        out.push(separator);
        out.push_str(&format!("{name}={}", encode(value)));
        separator = '&';
    }
    out
}

/// `host:port,host:port`
fn places(params: &Params) -> String {
    let hosts: Vec<&str> = params.get("host").unwrap_or_default().split(',').collect();
    let ports: Vec<&str> = params.get("port").unwrap_or_default().split(',').collect();
    let mut places = Vec::new();
    for (i, host) in hosts.iter().enumerate() {
        let host = if host.contains(':') { format!("[{}]", encode_address(host)) } else { encode(host) };
        let port = if ports.len() == 1 { ports[0] } else { ports.get(i).copied().unwrap_or_default() };
        places.push(if port.is_empty() { host } else { format!("{host}:{port}") });
    }
    places.join(",")
}

/// Keeps the colons of an IPv6 address; a zone (`%eth0`) is encoded.
fn encode_address(address: &str) -> String {
    utf8_percent_encode(address, KEPT_IN_ADDRESS).to_string()
}
