//! Matches a server's certificate against the host name as libpq does.
//!
//! Invariant: the rules are libpq's (`fe-secure-common.c`): subject alternative names first, the common name only if
//! there is no alternative name of the host's kind, `*` for exactly one leftmost label. It never decides about trust.

use std::net::IpAddr;
use std::time::Duration;

use x509_cert::Certificate;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The fields of a certificate that we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub dns_names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub common_name: Option<String>,
    /// Time since 1970.
    pub not_before: Duration,
    pub not_after: Duration,
    /// The public key, as DER.
    pub public_key: Vec<u8>,
}

impl Facts {
    /// Parses a certificate of version 1 or 3.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let certificate = Certificate::from_der(der).map_err(|error| format!("it cannot be read: {error}"))?;
        let tbs = &certificate.tbs_certificate;
        let mut facts = Self {
            dns_names: Vec::new(),
            addresses: Vec::new(),
            common_name: None,
            not_before: tbs.validity.not_before.to_unix_duration(),
            not_after: tbs.validity.not_after.to_unix_duration(),
            public_key: tbs.subject_public_key_info.to_der().map_err(|error| error.to_string())?,
        };
        if let Ok(Some((_, names))) = tbs.get::<SubjectAltName>() {
            for name in names.0 {
                match name {
                    GeneralName::DnsName(name) => facts.dns_names.push(name.to_string()),
                    GeneralName::IpAddress(bytes) => facts.addresses.extend(address(bytes.as_bytes())),
                    _ => {}
                }
            }
        }
        let mut attributes = tbs.subject.0.iter().flat_map(|names| names.0.iter());
        let common_name = x509_cert::der::oid::db::rfc4519::CN;
        facts.common_name = attributes.find(|a| a.oid == common_name).and_then(|a| text(&a.value));
        Ok(facts)
    }

    /// Whether the certificate is valid for `host`, a name or an address.
    pub fn matches(&self, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        let by_name = self.dns_names.iter().any(|name| name_matches(name, host));
        let by_address = address.is_some_and(|address| self.addresses.contains(&address));
        if by_name || by_address {
            return true;
        }
        let has_same_kind = if address.is_some() { !self.addresses.is_empty() } else { !self.dns_names.is_empty() };
        !has_same_kind && self.common_name.as_deref().is_some_and(|name| name_matches(name, host))
    }

    /// The names it is valid for, for a message.
    pub fn names(&self) -> String {
        let mut names: Vec<String> = self.dns_names.clone();
        names.extend(self.addresses.iter().map(ToString::to_string));
        if names.is_empty() {
            names.extend(self.common_name.clone());
        }
        if names.is_empty() { "no name".to_string() } else { names.join(", ") }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn text(value: &x509_cert::der::Any) -> Option<String> {
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|t| t.to_string());
    let ia5 = || value.decode_as::<Ia5StringRef<'_>>().map(|t| t.to_string());
    let teletex = || value.decode_as::<TeletexStringRef<'_>>().map(|t| t.to_string());
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|t| t.to_string());
    utf8.or_else(|_| printable()).or_else(|_| ia5()).or_else(|_| teletex()).ok().filter(|text| !text.contains('\0'))
}

/// Equal ignoring case, or `*.example.com` for one label.
fn name_matches(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(suffix) = pattern.strip_prefix('*').filter(|suffix| suffix.starts_with('.') && suffix.len() > 1) else {
        return false;
    };
    let Some(at) = host.len().checked_sub(suffix.len()).filter(|at| *at > 0 && host.is_char_boundary(*at)) else {
        return false;
    };
    let (label, rest) = host.split_at(at);
    rest.eq_ignore_ascii_case(suffix) && !label.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(dns: &[&str], addresses: &[&str], common_name: Option<&str>) -> Facts {
        Facts {
            dns_names: dns.iter().map(ToString::to_string).collect(),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            common_name: common_name.map(str::to_string),
            not_before: Duration::ZERO,
            not_after: Duration::ZERO,
            public_key: Vec::new(),
        }
    }

    #[test]
    fn wildcards_stand_for_one_label() {
        let wild = facts(&["*.example.com"], &[], None);
        assert!(wild.matches("db.Example.com"));
        for host in ["example.com", ".example.com", "a.b.example.com", "dbexample.com"] {
            assert!(!wild.matches(host), "{host}");
        }
        assert!(!facts(&["*"], &[], None).matches("x"));
        assert!(!facts(&["d*.example.com"], &[], None).matches("db.example.com"));
    }

    #[test]
    fn the_common_name_counts_only_without_a_name_of_the_hosts_kind() {
        assert!(facts(&[], &[], Some("db")).matches("db"));
        assert!(!facts(&["other"], &[], Some("db")).matches("db"));
        assert!(facts(&[], &["10.0.0.1"], Some("db")).matches("db"));
        assert!(facts(&[], &["10.0.0.1"], None).matches("10.0.0.1"));
        assert!(facts(&["other"], &[], Some("10.0.0.1")).matches("10.0.0.1"));
        assert!(facts(&["10.0.0.1"], &[], None).matches("10.0.0.1"));
        assert!(!facts(&[], &["10.0.0.2"], Some("10.0.0.1")).matches("10.0.0.1"));
        assert!(facts(&[], &["::1"], None).matches("::1"));
    }

    #[test]
    fn rubbish_is_an_error() {
        assert!(Facts::read(b"rubbish").is_err());
    }
}
