//! Servers behind TLS, with a certificate authority of their own.

use std::{
    net::TcpStream,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::reqwest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::server::{Connection, Handler, Server};

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate as PEM, to be trusted.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name = named(name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            pem: certificate.pem() + &key.serialize_pem(),
            certificate: certificate.der().clone(),
            key,
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a certificate");
        roots
    }
}

/// A name of its own: OpenSSL takes a certificate that has the name of its issuer for self-signed.
fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

impl Identity {
    /// Certificate and key as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The same as reqwest takes it for rustls.
    #[cfg(any(feature = "rustls", feature = "rustls-aws-lc-rs"))]
    pub fn of_reqwest(&self) -> reqwest::Identity {
        reqwest::Identity::from_pem(self.pem.as_bytes()).expect("an identity")
    }

    /// The same as reqwest takes it for the TLS library of the platform.
    #[cfg(not(any(feature = "rustls", feature = "rustls-aws-lc-rs")))]
    pub fn of_reqwest(&self) -> reqwest::Identity {
        let key = self.key.serialize_pem();
        let identity = reqwest::Identity::from_pkcs8_pem(self.pem.as_bytes(), key.as_bytes());
        identity.expect("an identity")
    }

    pub fn thumbprint(&self) -> String {
        thumbprint_of(&self.certificate)
    }
}

/// The certificates that clients showed, one entry for each connection whose handshake was good.
pub type Shown = Arc<Mutex<Vec<Option<CertificateDer<'static>>>>>;

/// A server that is `identity`, and wants clients that are known to `clients`, if given.
pub fn start(
    handler: impl Handler,
    identity: &Identity,
    clients: Option<&Authority>,
) -> (Server, Shown) {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let config = match clients {
        Some(clients) => {
            let roots = Arc::new(clients.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            config.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
        None => config.with_no_client_auth(),
    };
    let key = PrivateKeyDer::Pkcs8(identity.key.serialize_der().into());
    let config = config
        .with_single_cert(vec![identity.certificate.clone()], key)
        .expect("a certificate");
    let config = Arc::new(config);
    let shown = Shown::default();
    let log = shown.clone();
    let server = Server::start_with(handler, move |mut stream: TcpStream| {
        let mut tls = ServerConnection::new(config.clone()).ok()?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).ok()?;
        }
        let certificate = tls.peer_certificates().and_then(|chain| chain.first());
        let certificate = certificate.map(|certificate| certificate.clone().into_owned());
        log.lock().expect("a lock").push(certificate);
        let thumbprint = tls.peer_certificates().and_then(|chain| chain.first());
        let thumbprint = thumbprint.map(|certificate| thumbprint_of(certificate));
        Some(Box::new(Tls(StreamOwned::new(tls, stream), thumbprint)))
    });
    (server, shown)
}

/// The SHA-256 hash of a certificate in base64url.
pub fn thumbprint_of(certificate: &[u8]) -> String {
    let hash = ::ring::digest::digest(&::ring::digest::SHA256, certificate);
    URL_SAFE_NO_PAD.encode(hash)
}

struct Tls(StreamOwned<ServerConnection, TcpStream>, Option<String>);

impl std::io::Read for Tls {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}

impl std::io::Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Connection for Tls {
    fn socket(&mut self) -> Option<&mut TcpStream> {
        None
    }

    fn client_certificate(&self) -> Option<&str> {
        self.1.as_deref()
    }
}
