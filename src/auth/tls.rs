//! TLS for LDAPS and StartTLS: the system's authorities or one private one, certificates that carry their name in the CN
//! only, and pins. There is no way to switch verification off.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::der::oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use x509_cert::ext::pkix::name::DirectoryString;

use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::local::trusted_file;
use crate::model::digest::hex;

/// The most bytes of an authority file: those of a whole system have less than 1 MiB.
const MAX_AUTHORITIES: u64 = 16 << 20;

/// Which certificates are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSettings {
    /// A PEM file with the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The SHA-256 of the server's certificate (DER) in hexadecimal, with or without colons. It replaces chain and name.
    pub pin: Option<String>,
}

impl TlsSettings {
    /// The authorities of the system.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(TlsSettings {
    ca: PathBuf,
    pin: String
});

impl TlsSettings {
    /// The configuration of a client that trusts these certificates.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the authority file or the pin cannot be read, or there is no authority at all.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = match &self.pin {
            Some(pin) => Trust::Pin(parse_pin(pin)?),
            None => Trust::Chain(
                WebPkiServerVerifier::builder_with_provider(
                    Arc::new(self.roots()?),
                    Arc::clone(&provider),
                )
                .build()
                .map_err(|error| {
                    Error::new(ErrorKind::Usage, "no usable certificate authority")
                        .with_hint("trust the authority of the domain")
                        .with_remedy(Remedy::GiveAuthority)
                        .with_source(error)
                })?,
            ),
        };
        let verifier = Verifier {
            trust,
            provider: Arc::clone(&provider),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot set up TLS").with_source(error)
            })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// The authorities: those of the file, else the system's.
    fn roots(&self) -> Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                let bad = |why: &str| {
                    Error::new(
                        ErrorKind::Usage,
                        format!("the authority file {} {why}", path.display()),
                    )
                    .with_hint("certificates are read in PEM form")
                    .with_remedy(Remedy::GiveAuthorityAsPem)
                };
                // Who writes it decides who the server is.
                let pem = trusted_file::read_setting(path, "authority file", MAX_AUTHORITIES)?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    let certificate =
                        certificate.map_err(|error| bad("is not PEM").with_source(error))?;
                    store
                        .add(certificate)
                        .map_err(|error| bad("contains no valid authority").with_source(error))?;
                }
                if store.is_empty() {
                    return Err(bad("contains no certificate"));
                }
            }
            None => {
                let native = rustls_native_certs::load_native_certs();
                for error in &native.errors {
                    tracing::debug!(%error, "an authority of the system could not be read");
                }
                store.add_parsable_certificates(native.certs);
            }
        }
        Ok(store)
    }
}

/// 64 hexadecimal digits, colons between them allowed, `sha256:` before them allowed.
fn parse_pin(text: &str) -> Result<[u8; 32]> {
    let bad = || {
        Error::new(
            ErrorKind::Usage,
            format!(
                "the certificate pin \"{}\" is not a SHA-256 in hexadecimal",
                text.escape_debug()
            ),
        )
        .with_hint("openssl x509 -in dc.pem -noout -fingerprint -sha256 prints it")
    };
    let bare = match text.split_at_checked(7) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("sha256:") => rest,
        _ => text,
    };
    let digits: String = bare.chars().filter(|&c| c != ':').collect();
    let mut pin = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad());
    }
    for (index, slot) in pin.iter_mut().enumerate() {
        *slot = digits
            .get(2 * index..2 * index + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .ok_or_else(bad)?;
    }
    Ok(pin)
}

/// What makes a certificate good.
#[derive(Debug)]
enum Trust {
    /// A chain to an authority, and the name.
    Chain(Arc<WebPkiServerVerifier>),
    /// Its SHA-256.
    Pin([u8; 32]),
}

/// The verifier: that of rustls, with two additions.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = match &self.trust {
            Trust::Chain(chain) => chain,
            Trust::Pin(pin) => {
                let seen: [u8; 32] = Sha256::digest(end_entity).into();
                return if seen == *pin {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(
                        CertificateError::Other(rustls::OtherError(Arc::new(PinMismatch(seen))))
                            .into(),
                    )
                };
            }
        };
        let verdict =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // The chain is verified before the name, so this error says that only the name is left to judge. The CN counts
            // only where there is nothing else, as on a Samba DC with the certificate it made itself [RFC 6125 6.4.4].
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                ref presented,
                ..
            })) if presented.is_empty() && common_name_matches(end_entity, server_name) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Another certificate than the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("the server's certificate has the SHA-256 {}", hex(.0))]
struct PinMismatch([u8; 32]);

/// Whether the certificate has no subjectAltName at all, one CN, and that CN is the host name.
fn common_name_matches(end_entity: &CertificateDer<'_>, server_name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(host) = server_name else {
        return false;
    };
    let Ok(certificate) = Certificate::from_der(end_entity) else {
        return false;
    };
    let certificate = certificate.tbs_certificate();
    let has_alternative_names = certificate
        .extensions()
        .into_iter()
        .flatten()
        .any(|extension| extension.extn_id == ID_CE_SUBJECT_ALT_NAME);
    if has_alternative_names {
        return false;
    }
    let mut names = certificate
        .subject()
        .iter()
        .filter(|attribute| attribute.oid == CN);
    match (names.next(), names.next()) {
        (Some(name), None) => name
            .value
            .decode_as::<DirectoryString>()
            .is_ok_and(|name| name.value().eq_ignore_ascii_case(host.as_ref())),
        _ => false,
    }
}

/// The error of a handshake with `server`.
pub(crate) fn handshake_failure(server: &str, error: std::io::Error) -> Error {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let problem = match tls {
        Some(rustls::Error::InvalidCertificate(problem)) => problem,
        _ => {
            return Error::new(
                ErrorKind::Connect,
                format!("the TLS handshake with {server} failed"),
            )
            .with_hint(
                "check that the port speaks TLS 1.2 or newer and that the DC has a certificate",
            )
            .with_source(error);
        }
    };
    let (message, hint) = explain(server, problem);
    let refused = Error::new(ErrorKind::Connect, message).with_hint(hint);
    let refused = match remedy(server, problem) {
        Some(remedy) => refused.with_remedy(remedy),
        None => refused,
    };
    match problem {
        // rustls shows this one as a structure; its inner error is a sentence.
        CertificateError::Other(inner) => refused.with_source(inner.0.to_string()),
        _ => refused.with_source(error),
    }
}

/// What helps when a certificate was refused, if the settings of the connection do.
fn remedy(server: &str, problem: &CertificateError) -> Option<Remedy> {
    use CertificateError as P;
    match problem {
        P::UnknownIssuer => Some(Remedy::GiveAuthorityOrPin),
        P::NotValidForName | P::NotValidForNameContext { .. } => {
            Some(Remedy::GiveNameOfCertificate)
        }
        P::Other(inner) if is_own_authority(&inner.0.to_string()) => {
            Some(Remedy::GivePinOf(server.to_owned()))
        }
        _ => None,
    }
}

/// Whether rustls says of a certificate that it is its own authority.
fn is_own_authority(problem: &str) -> bool {
    problem.contains("CaUsedAsEndEntity")
}

/// Sentence and hint for a certificate that was refused.
fn explain(server: &str, problem: &CertificateError) -> (String, String) {
    use CertificateError as P;
    match problem {
        P::UnknownIssuer => (
            format!("the certificate of {server} is not signed by a trusted authority"),
            "trust its authority, or the SHA-256 of a self-signed certificate".to_owned(),
        ),
        P::Expired | P::ExpiredContext { .. } => (
            format!("the certificate of {server} has expired"),
            "renew it on the DC, or use Kerberos, which needs none; check the clock as well".to_owned(),
        ),
        P::NotValidYet | P::NotValidYetContext { .. } => (
            format!("the certificate of {server} is not valid yet"),
            "check the clock of this machine".to_owned(),
        ),
        P::NotValidForName | P::NotValidForNameContext { .. } => (
            format!("the certificate is not for {server}"),
            "connect to the name that the certificate carries".to_owned(),
        ),
        P::Other(inner) if inner.0.is::<PinMismatch>() => (
            format!("the certificate of {server} is not the pinned one"),
            "compare the pin with the certificate on the domain controller; if it was not renewed, another machine may be \
             answering"
                .to_owned(),
        ),
        P::Other(inner) if is_own_authority(&inner.0.to_string()) => (
            format!("the certificate of {server} is that of an authority, such as a self-signed one"),
            "check its SHA-256 on the domain controller and trust it".to_owned(),
        ),
        _ => (
            format!("the certificate of {server} is refused"),
            "check the certificate of the DC".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests;
