//! Certificates of clients: who must show one, and which are taken.

use std::{net::IpAddr, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use webpki::EndEntityCert;

use super::{
    super::{
        error::Fault,
        node::Entry,
        value::{list, optional, texts},
    },
    tls::Pem,
};

/// `client_auth_type`, by what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Policy {
    #[default]
    None,
    /// Asked for; whatever comes is taken, and nothing as well.
    Requested,
    /// Any, whoever signed it.
    Any,
    /// Verified if there is one.
    VerifiedIfGiven,
    Verified,
}

impl Policy {
    pub(super) fn parse(entry: &Entry) -> Result<Self, Fault> {
        match optional(entry)? {
            None | Some("NoClientCert") => Ok(Self::None),
            Some("RequestClientCert") => Ok(Self::Requested),
            Some("RequireAnyClientCert" | "RequireClientCert") => Ok(Self::Any),
            Some("VerifyClientCertIfGiven") => Ok(Self::VerifiedIfGiven),
            Some("RequireAndVerifyClientCert") => Ok(Self::Verified),
            Some(other) => Err(Fault::at(
                entry.value.line,
                format!("client_auth_type is {other}"),
                "write RequireAndVerifyClientCert (secure), VerifyClientCertIfGiven, \
                 RequireAnyClientCert, RequestClientCert or NoClientCert",
            )),
        }
    }
}

/// What is asked of clients.
#[derive(Default)]
pub(super) struct Clients {
    pub(super) policy: Policy,
    pub(super) authorities: Option<Pem>,
    /// Names of which a certificate must have one, and the line of the key.
    names: Option<(usize, Vec<String>)>,
}

impl Clients {
    /// Whether anything is.
    pub(super) fn asked_for(&self) -> bool {
        self.policy != Policy::None || self.authorities.is_some() || self.names.is_some()
    }

    /// Reads `client_allowed_sans`.
    pub(super) fn allow(&mut self, entry: &Entry) -> Result<(), Fault> {
        let names = texts(entry, list(entry, "write a list: [A, B]")?)?;
        for (line, name) in &names {
            if name.contains('@') && !name.contains(':') {
                return Err(Fault::at(
                    *line,
                    format!("client_allowed_sans has the mail address {name}"),
                    "name certificates by DNS name, IP address or URI",
                ));
            }
        }
        if !names.is_empty() {
            let names = names.into_iter().map(|(_, name)| name.to_owned());
            self.names = Some((entry.line, names.collect()));
        }
        Ok(())
    }

    /// Who looks at certificates; nobody if none are asked for. `line` is that of the section.
    pub(super) fn verifier(
        &self,
        line: usize,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, Fault> {
        let verified = |optional: bool| -> Result<Arc<dyn ClientCertVerifier>, Fault> {
            let authorities = self.authorities.as_ref().ok_or_else(|| {
                Fault::at(
                    line,
                    "client_auth_type has certificates verified, and no client_ca_file says by whom",
                    "add client_ca_file: FILE",
                )
            })?;
            let mut roots = RootCertStore::empty();
            for certificate in authorities.certificates()? {
                let added = roots.add(certificate);
                added.map_err(|error| authorities.fault(&format!("is no authority: {error}")))?;
            }
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
            let builder = if optional {
                builder.allow_unauthenticated()
            } else {
                builder
            };
            let built = builder.build();
            built.map_err(|error| authorities.fault(&format!("cannot be used: {error}")))
        };
        let any = |mandatory| -> Arc<dyn ClientCertVerifier> {
            Arc::new(AnyCertificate {
                mandatory,
                provider: Arc::clone(provider),
            })
        };
        let verifier = match self.policy {
            Policy::None if self.authorities.is_some() => {
                return Err(Fault::at(
                    line,
                    "client_ca_file is there, and client_auth_type does not ask for certificates",
                    "add client_auth_type: RequireAndVerifyClientCert",
                ));
            }
            Policy::None => None,
            Policy::Requested => Some(any(false)),
            Policy::Any => Some(any(true)),
            Policy::VerifiedIfGiven => Some(verified(true)?),
            Policy::Verified => Some(verified(false)?),
        };
        match (&self.names, verifier) {
            (None, verifier) => Ok(verifier),
            (Some((_, names)), Some(inner)) if inner.client_auth_mandatory() => {
                let names = names.clone();
                Ok(Some(Arc::new(Named { inner, names })))
            }
            (Some((line, _)), _) => Err(Fault::at(
                *line,
                "client_allowed_sans is there, and clients may come without a certificate",
                "add client_auth_type: RequireAndVerifyClientCert",
            )),
        }
    }
}

/// Takes every certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate {
    mandatory: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Takes of the certificates that another takes those that bear one of these names.
#[derive(Debug)]
struct Named {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl Named {
    fn bears(&self, certificate: &EndEntityCert<'_>) -> bool {
        let listed = |name: &str| self.names.iter().any(|listed| listed == name);
        certificate.valid_dns_names().any(listed)
            || certificate.valid_uri_names().any(listed)
            || self.names.iter().any(|name| {
                let Ok(address) = name.parse::<IpAddr>() else {
                    return false;
                };
                let name = ServerName::IpAddress(address.into());
                certificate.verify_is_valid_for_subject_name(&name).is_ok()
            })
    }
}

impl ClientCertVerifier for Named {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now)?;
        let parsed = EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.bears(&parsed) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
