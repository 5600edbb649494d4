//! TLS with libpq's rules: which certificate is trusted with which sslmode.
//!
//! Invariant: `verify-ca` checks the chain, `verify-full` also the name; the weaker modes check the chain if a root
//! file exists, and nothing otherwise (PostgreSQL manual, "SSL Support"). It never accepts a server that does not prove
//! that it has the certificate's key.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate::Facts;
use crate::model::connection::{ConnSpec, SslMode};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;

/// Verifies the server's certificate.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: any certificate is accepted.
    roots: Option<Roots>,
    check_name: bool,
    /// As given: a name or an address.
    host: String,
}

#[derive(Debug)]
struct Roots {
    store: RootCertStore,
    /// The certificates of the file: a server may present one of them itself.
    certificates: Vec<CertificateDer<'static>>,
}

/// Why a certificate was rejected.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the certificate is for {names}, not for the host '{host}'")]
    WrongName { host: String, names: String },
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
}

impl Verifier {
    fn check_chain(
        &self,
        roots: &Roots,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A self-signed certificate in the root file: OpenSSL trusts it, webpki accepts only CA certificates.
        if roots.certificates.iter().any(|root| root.as_ref() == end_entity.as_ref()) {
            let facts = read(end_entity)?;
            let seconds = now.as_secs();
            if seconds < facts.not_before.as_secs() {
                return Err(CertificateError::NotValidYet.into());
            }
            if seconds > facts.not_after.as_secs() {
                return Err(CertificateError::Expired.into());
            }
            return Ok(());
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots.store, intermediates, now, algorithms)
    }
}

fn read(certificate: &CertificateDer<'_>) -> Result<Facts, Error> {
    Facts::read(certificate).map_err(|what| refuse(Refusal::Unreadable(what)))
}

fn refuse(refusal: Refusal) -> Error {
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            self.check_chain(roots, end_entity, intermediates, now)?;
        }
        if self.check_name {
            let facts = read(end_entity)?;
            if !facts.matches(&self.host) {
                return Err(refuse(Refusal::WrongName { host: self.host.clone(), names: facts.names() }));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match verify_tls13_signature(message, cert, dss, algorithms) {
            // webpki cannot parse version 1 certificates (`openssl x509 -req` without extensions creates them): verify
            // the signature with the public key itself.
            Err(Error::InvalidCertificate(_)) => {
                let facts = read(cert)?;
                let key = SubjectPublicKeyInfoDer::from(facts.public_key.as_slice());
                verify_tls13_signature_with_raw_key(message, &key, dss, algorithms)
            }
            other => other,
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The TLS configuration for one host.
pub fn client_config(spec: &ConnSpec, host: &str) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier {
        provider: provider.clone(),
        roots: roots(spec)?,
        check_name: spec.ssl_mode == SslMode::VerifyFull,
        host: host.to_string(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(FailureKind::Failed, error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(cert) = &spec.ssl_cert else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = client_certificate(cert, spec.ssl_key.as_deref())?;
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        Failure::new(FailureKind::Configuration, error)
            .context(format!("the client certificate {} cannot be used with its key", cert.display()))
            .hint("sslcert and sslkey must belong together")
    })
}

/// The trusted certificates: the system's, those of a file, or `None` if there is no file and none is required.
fn roots(spec: &ConnSpec) -> Result<Option<Roots>> {
    let verifies = matches!(spec.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull);
    let file = match &spec.ssl_root_cert {
        Some(word) if word == Path::new("system") => return system_roots().map(Some),
        Some(file) if file.exists() => file,
        other if verifies => {
            let what = match other {
                Some(file) => format!("the root certificate file {} does not exist", file.display()),
                None => "there is no root certificate file (sslrootcert, or ~/.postgresql/root.crt)".to_string(),
            };
            return Err(Failure::msg(FailureKind::Configuration, what)
                .hint(format!(
                    "sslmode={} needs one: download the server's CA and name it in sslrootcert",
                    spec.ssl_mode.word()
                ))
                .hint("sslrootcert=system trusts the system's certificates; sslmode=require verifies nothing"));
        }
        _ => return Ok(None),
    };
    let wrong = |what: String| {
        Failure::msg(FailureKind::Configuration, format!("the root certificate file {}: {what}", file.display()))
            .hint("sslrootcert must name a PEM file with the CA's certificate")
    };
    let pem = ownership::read(file, "the root certificate file")?.unwrap_or_default();
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it contains no certificate".to_string()));
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    Ok(Some(Roots { store, certificates }))
}

fn system_roots() -> Result<Roots> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        let text = "sslrootcert=system: the system has no trusted certificates";
        return Err(Failure::msg(FailureKind::Configuration, text).hint("install the package ca-certificates"));
    }
    Ok(Roots { store, certificates: Vec::new() })
}

fn client_certificate(
    cert: &Path,
    key: Option<&Path>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let wrong = |path: &Path, what: String| {
        Failure::msg(FailureKind::Configuration, format!("{} cannot be used: {what}", path.display()))
    };
    let missing = |path: &Path| wrong(path, "there is no such file".to_string());
    let pem = ownership::read(cert, "the client certificate")?.ok_or_else(|| missing(cert))?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(cert, error.to_string()))?;
    let key = key.ok_or_else(|| wrong(cert, "its key is missing".to_string()).hint("set sslkey to the key file"))?;
    check_key_mode(key)?;
    let pem = ownership::read(key, "the client key")?.ok_or_else(|| missing(key))?;
    let secret = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| wrong(key, error.to_string()).hint("the key must be a PEM file without a passphrase"))?;
    Ok((chain, secret))
}

/// libpq's rule: no other user may read the key; a key owned by root may be readable by its group.
fn check_key_mode(key: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(facts) = std::fs::metadata(key) else { return Ok(()) };
    let forbidden = if facts.uid() == 0 { 0o027 } else { 0o077 };
    if facts.is_file() && facts.mode() & forbidden == 0 {
        return Ok(());
    }
    let text = format!("the private key {} can be read by others", key.display());
    Err(Failure::msg(FailureKind::Configuration, text).hint(format!("chmod 0600 {}", key.display())))
}
