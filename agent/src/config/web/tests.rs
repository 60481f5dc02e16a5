//! What a web configuration file may say, and what is answered to what it may not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use rcgen::{CertificateParams, KeyPair};

use super::*;

/// A certificate and its key, in PEM.
fn certificate() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A `tls_server_config` with certificate and key in it, and `more`.
fn tls(more: &str) -> String {
    let (cert, key) = certificate();
    let indent = |pem: &str| pem.trim().replace('\n', "\n    ");
    let (cert, key) = (indent(&cert), indent(&key));
    format!("tls_server_config:\n  cert: |\n    {cert}\n  key: |\n    {key}\n{more}")
}

fn read(text: &str) -> Result<WebConfig, Fault> {
    parse(text, Path::new("/nowhere"), &mut Watched::default())
}

/// The one line that is wrong with it.
fn fault(text: &str) -> String {
    ConfigError::new(Path::new("web.yml"), read(text).unwrap_err()).to_string()
}

#[test]
fn nothing_demands_nothing() {
    for text in [
        "",
        "# only this\n",
        "tls_server_config:\nbasic_auth_users:\n",
        "http_server_config: {}\n",
    ] {
        let config = read(text).unwrap();
        assert!(config.tls.is_none() && config.users.is_empty(), "{text}");
    }
    // As in the toolkit, these ask for no TLS by themselves.
    assert!(
        read("tls_server_config: {min_version: TLS13}\n")
            .unwrap()
            .tls
            .is_none()
    );
}

#[test]
fn protocols_suites_and_curves_are_those_of_the_file() {
    let config = read(&tls("")).unwrap().tls.unwrap();
    assert_eq!(
        config.alpn_protocols,
        [b"h2".to_vec(), b"http/1.1".to_vec()]
    );
    assert!(config.ignore_client_order);

    let more = "  min_version: TLS12\n  prefer_server_cipher_suites: no\n  curve_preferences: \
                [CurveP384, X25519]\n  cipher_suites:\n    - \
                TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\n    - TLS_AES_128_GCM_SHA256\n\
                http_server_config: {http2: false}\n";
    let config = read(&tls(more)).unwrap().tls.unwrap();
    assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
    assert!(!config.ignore_client_order);
    let provider = config.crypto_provider();
    let curves: Vec<_> = provider
        .kx_groups
        .iter()
        .map(|group| group.name())
        .collect();
    assert_eq!(format!("{curves:?}"), "[secp384r1, X25519]");
    let old = |suite: &&rustls::SupportedCipherSuite| suite.tls13().is_none();
    assert_eq!(provider.cipher_suites.iter().filter(old).count(), 1);
    assert_eq!(
        provider.cipher_suites.len(),
        4,
        "those of TLS 1.3 are always there"
    );
}

#[test]
fn mistakes_are_named_with_their_line_and_cure() {
    let (cert, _) = certificate();
    let indented = cert.trim().replace('\n', "\n    ");
    for (text, line, what) in [
        (
            "tls_config: {}\n",
            1,
            "tls_config is not known at the top; there is tls_server_config,",
        ),
        ("- a\n", 1, "the file is a list; begin with"),
        (
            "\nrate_limit: {burst: 3}\n",
            2,
            "rate_limit is not offered; leave it out",
        ),
        (
            "tls_server_config:\n  certfile: x\n",
            2,
            "certfile is not known in tls_server_config",
        ),
        (
            "tls_server_config:\n  key_file: k\n",
            2,
            "key_file /nowhere/k cannot be read",
        ),
        (
            "\ntls_server_config: {key: x}\n",
            2,
            "no cert_file; add cert_file: FILE",
        ),
        (
            "tls_server_config:\n  min_version: TLS10\n",
            2,
            "min_version is TLS10, which is not spoken; write TLS12",
        ),
        (
            "tls_server_config:\n  client_auth_type: Always\n",
            2,
            "client_auth_type is Always; write RequireAnd",
        ),
        (
            "tls_server_config:\n  cipher_suites: [\n    TLS_RSA_WITH_AES_128_CBC_SHA]\n",
            3,
            "the cipher suite TLS_RSA_WITH_AES_128_CBC_SHA is not offered; there is",
        ),
        (
            "tls_server_config:\n  curve_preferences: [CurveP521]\n",
            2,
            "the curve CurveP521 is not offered; there is X25519",
        ),
        (
            "tls_server_config:\n  client_allowed_sans: [a@b.example]\n",
            2,
            "mail address a@b.example",
        ),
        (
            "http_server_config:\n  http3: true\n",
            2,
            "http3 is not known in http_server_config",
        ),
        (
            "http_server_config: {http2: maybe}\n",
            1,
            "http2 is maybe; write true or false",
        ),
        (
            "http_server_config:\n  headers: {Server: x}\n",
            2,
            "Server is not known in headers; there is Content-",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: allow\n",
            3,
            "X-Frame-Options is allow; write deny or sameorigin",
        ),
        (
            "basic_auth_users:\n  ann: hunter2\n",
            2,
            "what ann has is no bcrypt hash; make one: htpasswd",
        ),
        (
            "basic_auth_users:\n  ann: $2y$31$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n",
            2,
            "the hash of ann has cost 31; make one of cost 4 to 18",
        ),
        (
            &*format!("tls_server_config:\n  cert: |\n    {indented}\n  cert_file: x\n"),
            3 + cert.trim().lines().count(),
            "cert_file is given beside its other form",
        ),
    ] {
        let fault = fault(text);
        let expected = format!("web.yml:{line}: ");
        assert!(
            fault.starts_with(&expected) && fault.contains(what),
            "{fault}\n{what}"
        );
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}

#[test]
fn certificates_and_keys_that_do_not_fit_are_refused() {
    let (_, stranger) = certificate();
    let stranger = stranger.trim().replace('\n', "\n    ");
    let own = tls("");
    let (cert, _) = own.split_once("  key: |").unwrap();
    let fault_of = fault(&format!("{cert}  key: |\n    {stranger}\n"));
    assert!(fault_of.contains("cert and key: "), "{fault_of}");
    let fault_of = fault("tls_server_config: {cert: none, key: none}\n");
    assert!(
        fault_of.contains("cert holds no certificate; give PEM"),
        "{fault_of}"
    );
    for (more, what) in [
        (
            "  client_auth_type: RequireAndVerifyClientCert\n",
            "no client_ca_file says by whom",
        ),
        (
            "  client_ca: x\n",
            "does not ask for certificates; add client_auth_type",
        ),
        (
            "  client_allowed_sans: [x]\n  client_auth_type: RequestClientCert\n",
            "clients may come without",
        ),
        (
            "  min_version: TLS13\n  max_version: TLS12\n",
            "leave nothing",
        ),
    ] {
        let fault = fault(&tls(more));
        assert!(fault.contains(what), "{fault}");
    }
}

#[test]
fn names_are_shown_and_hashes_are_not() {
    let hash = bcrypt::hash("x", 4).unwrap();
    let config = read(&format!("basic_auth_users: {{ann: {hash}}}\n")).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("ann") && !shown.contains(&hash), "{shown}");
}
