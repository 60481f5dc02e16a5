//! Over TLS, with real clients and certificates made for the purpose.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::{web::Web, *};

/// An authority that signs certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
pub(super) struct Signed {
    cert: String,
    key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn sign(&self, name: &str) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate().unwrap();
        Signed {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

const TLS: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

/// A server for 127.0.0.1 that speaks TLS; `more` is indented below `tls_server_config`.
pub(super) fn serve(
    name: &str,
    authority: &Authority,
    more: &str,
    limits: Limits,
) -> (Web, Running) {
    let web = Web::new(name, &format!("{TLS}{more}"));
    renew(&web, authority);
    web.write("ca.pem", &authority.pem);
    let server = web.serve(limits);
    (web, server)
}

fn renew(web: &Web, authority: &Authority) {
    let signed = authority.sign("127.0.0.1");
    web.write("cert.pem", &signed.cert);
    web.write("key.pem", &signed.key);
}

/// A client that trusts `authority` and shows `own`.
pub(super) fn client(
    authority: &Authority,
    own: Option<&Signed>,
    protocols: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    roots.add(der).unwrap();
    let builder = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let cert = CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
    };
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

pub(super) fn name() -> ServerName<'static> {
    ServerName::try_from("127.0.0.1").unwrap()
}

/// One request over HTTP/1 and what came of it.
pub(super) fn ask(
    server: &Running,
    client: &Arc<ClientConfig>,
    request: &str,
) -> std::io::Result<Answer> {
    let connection = ClientConnection::new(Arc::clone(client), name()).unwrap();
    let mut stream = StreamOwned::new(connection, server.connect());
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        // A server need not say that it closes.
        if bytes.is_empty() {
            return Err(error);
        }
    }
    Ok(Answer::parse(&bytes))
}

fn exposure(server: &Running, client: &Arc<ClientConfig>) -> Value {
    let answer = ask(server, client, &get("/status", "")).unwrap();
    let status: Value = serde_json::from_slice(&answer.body).unwrap();
    status["exposure"].clone()
}

#[test]
fn who_trusts_the_authority_is_served() {
    let authority = Authority::new();
    let (_web, server) = serve("tls", &authority, "", Limits::default());
    let client_config = client(&authority, None, &["http/1.1"]);
    let answer = ask(&server, &client_config, &get("/metrics", "")).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("hostlens_"));
    let exposure = exposure(&server, &client_config);
    assert_eq!(
        (&exposure["tls"], &exposure["auth"]),
        (&true.into(), &"none".into())
    );

    let stranger = client(&Authority::new(), None, &[]);
    assert!(ask(&server, &stranger, &get("/metrics", "")).is_err());
    // Neither is anything said without TLS.
    let mut plain = server.connect();
    plain.write_all(get("/metrics", "").as_bytes()).unwrap();
    let told = Answer::read(plain);
    assert_eq!(
        (told.status, told.text()),
        (400, "HTTPS is spoken here only\n")
    );
}

#[test]
fn only_with_a_certificate_of_the_authority() {
    let authority = Authority::new();
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let (_web, server) = serve("clients", &authority, more, Limits::default());
    let own = authority.sign("scraper.example");
    let known = client(&authority, Some(&own), &[]);
    assert_eq!(
        ask(&server, &known, &get("/metrics", "")).unwrap().status,
        200
    );
    let foreign = Authority::new().sign("scraper.example");
    for own in [None, Some(&foreign)] {
        let stranger = client(&authority, own, &[]);
        assert!(ask(&server, &stranger, &get("/metrics", "")).is_err());
    }
    let exposure = exposure(&server, &known);
    assert_eq!(exposure["auth"], "client_certificate");
    assert_eq!(exposure["failed_handshakes"], 2);
}

#[test]
fn only_with_a_certificate_of_a_listed_name() {
    let authority = Authority::new();
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
                client_allowed_sans: [scraper.example, 10.1.2.3]\n";
    let (_web, server) = serve("names", &authority, more, Limits::default());
    for (name, listed) in [
        ("scraper.example", true),
        ("10.1.2.3", true),
        ("other.example", false),
        ("a.scraper.example", false),
        ("10.1.2.4", false),
    ] {
        let own = authority.sign(name);
        let config = client(&authority, Some(&own), &[]);
        let answer = ask(&server, &config, &get("/metrics", ""));
        assert_eq!(answer.is_ok(), listed, "{name}");
    }
}

#[test]
fn any_certificate_does_where_any_is_asked_for() {
    let authority = Authority::new();
    let more = "  client_auth_type: RequireAnyClientCert\n";
    let (_web, server) = serve("any", &authority, more, Limits::default());
    let own = Authority::new().sign("whoever");
    let config = client(&authority, Some(&own), &[]);
    assert_eq!(
        ask(&server, &config, &get("/metrics", "")).unwrap().status,
        200
    );
    assert_eq!(exposure(&server, &config)["auth"], "none");
    assert!(ask(&server, &client(&authority, None, &[]), &get("/", "")).is_err());
}

#[test]
fn a_new_certificate_is_shown_at_once_and_a_broken_one_never() {
    let (old, new) = (Authority::new(), Authority::new());
    let (web, server) = serve("renewed", &old, "", Limits::default());
    let (trusts_old, trusts_new) = (client(&old, None, &[]), client(&new, None, &[]));
    let status = |config| ask(&server, config, &get("/healthz", "")).map(|answer| answer.status);
    assert_eq!(status(&trusts_old).unwrap(), 200);
    renew(&web, &new);
    assert!(status(&trusts_old).is_err());
    assert_eq!(status(&trusts_new).unwrap(), 200);

    web.write("key.pem", "nonsense");
    let refused = status(&trusts_new).unwrap_err().to_string();
    assert!(refused.contains("InternalError"), "{refused}");
    renew(&web, &old);
    assert_eq!(status(&trusts_old).unwrap(), 200);
}

#[test]
fn a_connection_from_before_tls_is_told() {
    let authority = Authority::new();
    let web = Web::new("later", "");
    renew(&web, &authority);
    let server = web.serve(Limits::default());
    let mut early = server.connect();
    let first = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    early.write_all(first.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\nok\n") {
        let mut one = [0];
        early.read_exact(&mut one).unwrap();
        bytes.push(one[0]);
    }
    web.write("web.yml", TLS);
    early.write_all(get("/healthz", "").as_bytes()).unwrap();
    assert_eq!(Answer::read(early).status, 400);
    let config = client(&authority, None, &[]);
    assert_eq!(
        ask(&server, &config, &get("/healthz", "")).unwrap().status,
        200
    );
}

#[test]
fn half_a_handshake_holds_up_nobody_for_long() {
    let authority = Authority::new();
    let limits = Limits {
        request: Duration::from_millis(300),
        connections: 8,
        ..Limits::default()
    };
    let (_web, server) = serve("half", &authority, "", limits);
    let mut half: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for (n, stream) in half.iter_mut().enumerate() {
        // Nothing, or the beginning of a hello.
        let _ = stream.write_all([22, 3, 1, 2, 0, 1].get(..n.min(6)).unwrap());
    }
    for mut stream in half {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"", "closed without a word");
    }
    let config = client(&authority, None, &[]);
    let exposure = loop {
        // Until the last place is free.
        if let Ok(answer) = ask(&server, &config, &get("/status", "")) {
            break answer;
        }
    };
    let status: Value = serde_json::from_slice(&exposure.body).unwrap();
    assert_eq!(status["server"]["connections_timed_out"], 8);
}
