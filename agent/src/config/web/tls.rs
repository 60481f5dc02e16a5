//! `tls_server_config`: certificate, key, versions, cipher suites and curves.

use std::{path::Path, sync::Arc};

use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::{
        CryptoProvider,
        ring::{self, kx_group},
    },
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};

use super::{
    super::{
        error::Fault,
        files::Watched,
        node::Entry,
        value::{list, map, optional, texts, truth, unknown},
    },
    clients::{Clients, Policy},
};

const KEYS: &str = "cert_file, key_file, cert, key, client_auth_type, client_ca_file, client_ca, \
                    client_allowed_sans, min_version, max_version, cipher_suites, \
                    prefer_server_cipher_suites, curve_preferences";

/// Bytes in PEM, the line they are named in, and by what name.
pub(super) struct Pem {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Pem {
    /// All certificates in it, one at least.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match all {
            Ok(all) if !all.is_empty() => Ok(all),
            Ok(_) => Err(self.fault("holds no certificate")),
            Err(error) => Err(self.fault(&format!("is not PEM: {error}"))),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, Fault> {
        PrivateKeyDer::from_pem_slice(&self.bytes)
            .map_err(|_| self.fault("holds no private key without a password"))
    }

    pub(super) fn fault(&self, what: &str) -> Fault {
        Fault::at(
            self.line,
            format!("{} {what}", self.name),
            "give PEM: -----BEGIN …",
        )
    }
}

/// The server's side of TLS, and whether every client must show a certificate that is verified;
/// `None` if nothing asks for TLS.
pub(super) fn server(
    entry: &Entry,
    directory: &Path,
    files: &mut Watched,
) -> Result<Option<(Arc<ServerConfig>, bool)>, Fault> {
    let (mut cert, mut key) = (None, None);
    let mut clients = Clients::default();
    let (mut lowest, mut highest) = (Version::Tls12, Version::Tls13);
    let mut provider = ring::default_provider();
    let mut ours_first = true;
    let mut pem = |entry: &Entry, inline: bool, slot: &mut Option<Pem>| -> Result<(), Fault> {
        let Some(text) = optional(entry)? else {
            return Ok(());
        };
        if slot.is_some() {
            return Err(Fault::at(
                entry.line,
                format!("{} is given beside its other form", entry.key),
                "give either the file or the text",
            ));
        }
        *slot = Some(if inline {
            Pem {
                line: entry.line,
                name: entry.key.clone(),
                bytes: text.into(),
            }
        } else {
            file(entry, text, directory, files)?
        });
        Ok(())
    };
    for entry in map(entry)? {
        match entry.key.as_str() {
            "cert_file" => pem(entry, false, &mut cert)?,
            "cert" => pem(entry, true, &mut cert)?,
            "key_file" => pem(entry, false, &mut key)?,
            "key" => pem(entry, true, &mut key)?,
            "client_ca_file" => pem(entry, false, &mut clients.authorities)?,
            "client_ca" => pem(entry, true, &mut clients.authorities)?,
            "client_auth_type" => clients.policy = Policy::parse(entry)?,
            "client_allowed_sans" => clients.allow(entry)?,
            "min_version" => lowest = Version::parse(entry)?.unwrap_or(lowest),
            "max_version" => highest = Version::parse(entry)?.unwrap_or(highest),
            "cipher_suites" => suites(entry, &mut provider)?,
            "curve_preferences" => curves(entry, &mut provider)?,
            "prefer_server_cipher_suites" => ours_first = truth(entry)?,
            _ => return Err(unknown(entry, "in tls_server_config", KEYS)),
        }
    }
    let asked_for = cert.is_some() || key.is_some() || clients.asked_for();
    if !asked_for {
        return Ok(None);
    }
    let missing = |what: &str| {
        Fault::at(
            entry.line,
            format!("tls_server_config has no {what}"),
            format!("add {what}: FILE"),
        )
    };
    let cert = cert.ok_or_else(|| missing("cert_file"))?;
    let key = key.ok_or_else(|| missing("key_file"))?;
    let provider = Arc::new(provider);
    let versions = Version::range(lowest, highest);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|_| {
            Fault::at(
                entry.line,
                "min_version, max_version and cipher_suites leave nothing",
                "leave them out, or let them meet: TLS 1.3 has suites of its own",
            )
        })?;
    let verified = clients.policy == Policy::Verified;
    let builder = match clients.verifier(entry.line, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(cert.certificates()?, key.key()?)
        .map_err(|error| {
            Fault::at(
                key.line,
                format!("{} and {}: {error}", cert.name, key.name),
                "give a certificate and the key it was made for",
            )
        })?;
    config.ignore_client_order = ours_first;
    Ok(Some((Arc::new(config), verified)))
}

/// Which protocols may be spoken inside TLS.
pub(super) fn offer(config: &mut ServerConfig, http2: bool) {
    let protocols: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
}

fn file(entry: &Entry, name: &str, directory: &Path, files: &mut Watched) -> Result<Pem, Fault> {
    let path = directory.join(name);
    let bytes = files.read(&path).map_err(|error| {
        Fault::at(
            entry.value.line,
            format!("{} {} cannot be read: {error}", entry.key, path.display()),
            "name a file that the agent may read; a relative name begins where this file is",
        )
    })?;
    Ok(Pem {
        line: entry.value.line,
        name: format!("{} {}", entry.key, path.display()),
        bytes,
    })
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tls12,
    Tls13,
}

impl Version {
    fn parse(entry: &Entry) -> Result<Option<Self>, Fault> {
        match optional(entry)? {
            None => Ok(None),
            Some("TLS12") => Ok(Some(Self::Tls12)),
            Some("TLS13") => Ok(Some(Self::Tls13)),
            Some(other) => Err(Fault::at(
                entry.value.line,
                format!("{} is {other}, which is not spoken", entry.key),
                "write TLS12 or TLS13",
            )),
        }
    }

    fn range(lowest: Self, highest: Self) -> Vec<&'static SupportedProtocolVersion> {
        [(Self::Tls13, &TLS13), (Self::Tls12, &TLS12)]
            .into_iter()
            .filter(|(version, _)| (lowest..=highest).contains(version))
            .map(|(_, version)| version)
            .collect()
    }
}

/// Suites of TLS 1.2 in the order given; those of TLS 1.3 are not up to the file.
fn suites(entry: &Entry, provider: &mut CryptoProvider) -> Result<(), Fault> {
    let items = list(entry, "write a list: [A, B]")?;
    if items.is_empty() {
        return Ok(());
    }
    let all = &ring::default_provider().cipher_suites;
    let name = |suite: &rustls::SupportedCipherSuite| -> String {
        let name = suite.suite().as_str().unwrap_or_default();
        name.replace("TLS13_", "TLS_")
    };
    let mut chosen: Vec<_> = all.iter().filter(|suite| suite.tls13().is_some()).collect();
    for (line, wanted) in texts(entry, items)? {
        let suite = all.iter().find(|suite| name(suite) == wanted);
        let suite = suite.ok_or_else(|| {
            let names: Vec<_> = all
                .iter()
                .filter(|s| s.tls13().is_none())
                .map(name)
                .collect();
            let names = names.join(", ").replace("TLS_ECDHE_", "");
            Fault::at(
                line,
                format!("the cipher suite {wanted} is not offered"),
                format!("there is TLS_ECDHE_ with {names}"),
            )
        })?;
        if suite.tls13().is_none() {
            chosen.push(suite);
        }
    }
    provider.cipher_suites = chosen.into_iter().copied().collect();
    Ok(())
}

fn curves(entry: &Entry, provider: &mut CryptoProvider) -> Result<(), Fault> {
    let items = list(entry, "write a list: [A, B]")?;
    if items.is_empty() {
        return Ok(());
    }
    let curve = |(line, name)| match name {
        "X25519" => Ok(kx_group::X25519),
        "CurveP256" => Ok(kx_group::SECP256R1),
        "CurveP384" => Ok(kx_group::SECP384R1),
        _ => Err(Fault::at(
            line,
            format!("the curve {name} is not offered"),
            "there is X25519, CurveP256, CurveP384",
        )),
    };
    provider.kx_groups = texts(entry, items)?
        .into_iter()
        .map(curve)
        .collect::<Result<_, _>>()?;
    Ok(())
}
