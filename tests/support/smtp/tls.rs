//! TLS of the mail server: a certificate of its own for `localhost`, which only those trust who are told to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tokio_native_tls::{
    TlsAcceptor,
    native_tls::{self, Identity},
};

/// A certificate, and when it is shown.
#[derive(Clone)]
pub struct Tls {
    /// Encrypts what was accepted.
    pub(in crate::support) acceptor: TlsAcceptor,
    /// From the first byte, or after STARTTLS.
    pub(super) at_once: bool,
    /// The certificate's file.
    pub certificate: PathBuf,
}

impl Tls {
    /// Shown after STARTTLS; its files lie in this folder.
    pub fn on_request(folder: &Path) -> Self {
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost"]).arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        let made = openssl.output().expect("openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let identity = Identity::from_pkcs8(&fs::read(&certificate).expect("a certificate"), &fs::read(&key).expect("a key"));
        let acceptor = native_tls::TlsAcceptor::new(identity.expect("an identity")).expect("TLS");
        Self { acceptor: acceptor.into(), at_once: false, certificate }
    }

    /// Shown from the first byte.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self { at_once: true, ..self }
    }
}
