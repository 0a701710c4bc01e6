//! The verifier on certificates made for these tests: one authority, valid for a hundred years.

use std::time::Duration;

use super::*;

const AUTHORITY: &[u8] = include_bytes!("fixtures/ca.pem");
const CN_ONLY: &[u8] = include_bytes!("fixtures/cn_only.pem");
const OTHER_SAN: &[u8] = include_bytes!("fixtures/other_san.pem");
const MAIL_SAN: &[u8] = include_bytes!("fixtures/mail_san.pem");
const TWO_CN: &[u8] = include_bytes!("fixtures/two_cn.pem");
const GOOD_SAN: &[u8] = include_bytes!("fixtures/good_san.pem");

fn der(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

fn verifier(trust: Trust) -> Verifier {
    Verifier {
        trust,
        provider: Arc::new(rustls::crypto::ring::default_provider()),
    }
}

fn chain_to(authority: &[u8]) -> Verifier {
    let mut roots = RootCertStore::empty();
    roots.add(der(authority)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    verifier(Trust::Chain(chain))
}

/// What the verifier says to a certificate for `host`, `later` from now.
fn verdict(
    verifier: &Verifier,
    pem: &[u8],
    host: &str,
    later: Duration,
) -> Result<(), rustls::Error> {
    let now = std::time::SystemTime::now() + later;
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    verifier
        .verify_server_cert(
            &der(pem),
            &[],
            &ServerName::try_from(host.to_owned()).unwrap(),
            &[],
            UnixTime::since_unix_epoch(now),
        )
        .map(|_| ())
}

#[test]
fn the_common_name_counts_only_where_there_is_no_other_name() {
    let verifier = chain_to(AUTHORITY);
    let for_dc = |pem: &[u8]| verdict(&verifier, pem, "dc.test", Duration::ZERO);
    assert!(for_dc(GOOD_SAN).is_ok());
    assert!(for_dc(CN_ONLY).is_ok());
    for pem in [OTHER_SAN, MAIL_SAN, TWO_CN] {
        assert!(matches!(
            for_dc(pem),
            Err(rustls::Error::InvalidCertificate(_))
        ));
    }
    for host in ["dc2.test", "test", "x.dc.test", "127.0.0.1"] {
        assert!(
            verdict(&verifier, CN_ONLY, host, Duration::ZERO).is_err(),
            "{host}"
        );
    }
}

#[test]
fn a_common_name_helps_no_certificate_of_a_stranger_and_no_expired_one() {
    // The leaf is not an authority, so nothing chains to it.
    let stranger = chain_to(GOOD_SAN);
    assert!(verdict(&stranger, CN_ONLY, "dc.test", Duration::ZERO).is_err());
    let late = Duration::from_secs(200 * 365 * 86_400);
    let error = verdict(&chain_to(AUTHORITY), CN_ONLY, "dc.test", late).unwrap_err();
    let rustls::Error::InvalidCertificate(problem) = error else {
        panic!("{error}");
    };
    let (message, hint) = explain("dc.test", &problem);
    assert_eq!(message, "the certificate of dc.test has expired");
    assert!(hint.contains("clock"));
}

#[test]
fn a_pin_takes_one_certificate_and_no_other() {
    let pin = verifier(Trust::Pin(Sha256::digest(der(OTHER_SAN)).into()));
    assert!(verdict(&pin, OTHER_SAN, "dc.test", Duration::ZERO).is_ok());
    let error = verdict(&pin, GOOD_SAN, "dc.test", Duration::ZERO).unwrap_err();
    let shown = handshake_failure("dc.test", std::io::Error::other(error)).to_string();
    let seen = hex(&Sha256::digest(der(GOOD_SAN)));
    assert!(shown.contains("not the pinned one"), "{shown}");
    assert!(shown.ends_with(&seen), "{shown}");
}

#[test]
fn reads_pins() {
    let bare = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    assert_eq!(parse_pin(&bare).unwrap(), [0xab; 32]);
    assert_eq!(parse_pin(&colons).unwrap(), [0xab; 32]);
    assert_eq!(parse_pin(&format!("SHA256:{bare}")).unwrap(), [0xab; 32]);
    for text in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
        assert_eq!(parse_pin(text).unwrap_err().kind(), ErrorKind::Usage);
    }
}

#[test]
fn an_authority_file_must_hold_certificates() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = TlsSettings {
        ca: Some(file.path().to_owned()),
        pin: None,
    };
    let error = settings.client_config().unwrap_err();
    assert!(error.message().contains("no certificate"), "{error}");
    std::fs::write(file.path(), AUTHORITY).unwrap();
    assert!(settings.client_config().is_ok());
    let missing = TlsSettings {
        ca: Some("/nonexistent/ca.pem".into()),
        pin: None,
    };
    assert_eq!(
        missing.client_config().unwrap_err().kind(),
        ErrorKind::Usage
    );
}

#[test]
fn a_self_signed_certificate_has_a_hint_and_no_pin_is_spoken_of() {
    let error = verdict(&chain_to(AUTHORITY), AUTHORITY, "dc.test", Duration::ZERO).unwrap_err();
    let error = handshake_failure("dc.test", std::io::Error::other(error));
    assert!(error.message().contains("self-signed"), "{error}");
    assert!(!error.message().contains("pinned"), "{error}");
    assert_eq!(
        error.remedy(),
        Some(&Remedy::GivePinOf("dc.test".to_owned()))
    );
}

/// Who writes the authorities decides who the server is.
#[test]
fn an_authority_file_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, AUTHORITY).unwrap();
    let roots = |path: PathBuf| {
        let settings = TlsSettings {
            ca: Some(path),
            pin: None,
        };
        settings.roots().map(|store| store.len())
    };
    for (mode, refused) in [(0o644, false), (0o664, true), (0o646, true)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let found = roots(file.clone());
        assert_eq!(found.is_err(), refused, "{mode:o}");
        if let Err(error) = found {
            assert!(error.message().contains("can be written"), "{error}");
        }
    }
    // Neither a device nor a file without end is read to its end.
    let large = folder.path().join("large.pem");
    std::fs::File::create(&large)
        .and_then(|file| file.set_len(MAX_AUTHORITIES + 1))
        .unwrap();
    for (path, words) in [
        (PathBuf::from("/dev/null"), "not a regular file"),
        (large, "more than"),
    ] {
        let error = roots(path).unwrap_err();
        assert!(error.message().contains(words), "{error}");
    }
}
