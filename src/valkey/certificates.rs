//! Certificates and keys for TLS, checked before anybody is asked to use them: whatever is wrong with a file
//! is said of that file.

use std::path::{Path, PathBuf};

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::access::TlsOptions;
use super::error::ValkeyError;

/// The files of `options`, as the connections want them. The crypto provider must be installed.
pub(super) fn read(options: &TlsOptions) -> Result<TlsCertificates, ValkeyError> {
    let client_tls = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => Some(client(cert, key)?),
        (None, None) => None,
        _ => return Err(ValkeyError::Tls("--cert and --key belong together: give both or none".to_owned())),
    };
    let root_cert = options.cacert.as_deref().map(authority).transpose()?;
    Ok(TlsCertificates { client_tls, root_cert })
}

fn authority(path: &Path) -> Result<Vec<u8>, ValkeyError> {
    let file = Pem::read("the CA certificate (--cacert)", path)?;
    let mut roots = RootCertStore::empty();
    for certificate in file.certificates()? {
        if let Err(error) = roots.add(certificate) {
            return Err(file.wrong(&format!("a certificate in it cannot be used: {error}")));
        }
    }
    Ok(file.bytes)
}

fn client(cert: &Path, key: &Path) -> Result<ClientTlsConfig, ValkeyError> {
    let cert = Pem::read("the client certificate (--cert)", cert)?;
    let key = Pem::read("the client key (--key)", key)?;
    let (chain, private) = (cert.certificates()?, key.private_key()?);
    let builder = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
    match builder.with_client_auth_cert(chain, private) {
        Ok(_) => Ok(ClientTlsConfig { client_cert: cert.bytes, client_key: key.bytes }),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let problem = format!("it does not belong to the certificate in {}", cert.path.display());
            Err(key.wrong(&problem))
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(cert.wrong(&format!("its certificate cannot be used: {error}")))
        }
        Err(error) => Err(key.wrong(&format!("it cannot be used: {error}"))),
    }
}

/// A file that ought to be PEM.
struct Pem {
    what: &'static str,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Pem {
    fn read(what: &'static str, path: &Path) -> Result<Self, ValkeyError> {
        let bytes = std::fs::read(path).map_err(|source| ValkeyError::File {
            what,
            path: path.to_owned(),
            source,
        })?;
        let file = Self { what, path: path.to_owned(), bytes };
        // DER begins with a sequence whose length takes two bytes: nothing shorter is a certificate or a key.
        match file.bytes.as_slice() {
            [] => Err(file.wrong("it is empty")),
            [0x30, 0x81..=0x83, ..] => Err(file.wrong(
                "it is DER, and PEM is wanted: convert it with `openssl x509 -inform DER -in FILE -out FILE.pem` (a \
                 key with `openssl pkey`)",
            )),
            _ if !file.has("-----BEGIN ") => {
                Err(file.wrong("it is no PEM: there is no line `-----BEGIN ...-----` in it"))
            }
            _ => Ok(file),
        }
    }

    fn has(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn wrong(&self, problem: &str) -> ValkeyError {
        ValkeyError::Certificate { what: self.what, path: self.path.clone(), problem: problem.to_owned() }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, ValkeyError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        let found = read.map_err(|error| self.wrong(&format!("it is damaged: {error}")))?;
        if found.is_empty() {
            let key = self.has("PRIVATE KEY-----");
            return Err(self.wrong(if key {
                "there is a private key in it and no certificate: are the files swapped?"
            } else {
                "there is no certificate in it"
            }));
        }
        Ok(found)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, ValkeyError> {
        if self.has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || self.has("Proc-Type: 4,ENCRYPTED") {
            return Err(self.wrong(
                "it is encrypted, and nobody is there to give its password: write it decrypted with `openssl pkey -in \
                 FILE -out FILE.pem`",
            ));
        }
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| {
            self.wrong(&match error {
                _ if self.has("-----BEGIN CERTIFICATE-----") && !self.has("PRIVATE KEY-----") => {
                    "there is a certificate in it and no private key: are the files swapped?".to_owned()
                }
                rustls::pki_types::pem::Error::NoItemsFound => "there is no private key in it".to_owned(),
                error => format!("it is damaged: {error}"),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(read: impl Fn(&Path) -> Option<ValkeyError>, content: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("given.pem");
        std::fs::write(&path, content).unwrap();
        let said = read(&path).expect("a file that cannot be used").to_string();
        assert!(said.contains("given.pem"), "{said}");
        said
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_of_it() {
        let ca = |path: &Path| authority(path).err();
        let key =
            |path: &Path| Pem::read("the client key (--key)", path).and_then(|file| file.private_key()).err();
        let begin = |what: &str| format!("-----BEGIN {what}-----\nMAA=\n-----END {what}-----\n").into_bytes();
        for (content, said) in [
            (b"".to_vec(), "empty"),
            (vec![0x30, 0x82, 1, 0, 0], "DER"),
            (b"not a certificate".to_vec(), "no PEM"),
            (begin("PRIVATE KEY"), "swapped"),
            (begin("PUBLIC KEY"), "no certificate in it"),
            (begin("CERTIFICATE"), "cannot be used"),
            (b"-----BEGIN CERTIFICATE-----\nMAA=\n".to_vec(), "damaged"),
        ] {
            let problem = problem(ca, &content);
            assert!(problem.contains(said) && problem.contains("--cacert"), "{said}: {problem}");
        }
        for (content, said) in [
            (begin("ENCRYPTED PRIVATE KEY"), "encrypted"),
            (begin("CERTIFICATE"), "swapped"),
            (begin("PUBLIC KEY"), "no private key"),
            (vec![0x30, 0x81, 1, 0, 0], "DER"),
        ] {
            let problem = problem(key, &content);
            assert!(problem.contains(said) && problem.contains("--key"), "{said}: {problem}");
        }
    }
}
