//! Certificates for connections that speak TLS.

use std::path::Path;

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, RedisError,
    TlsCertificates,
};

use super::access::TlsOptions;
use super::addr::NodeAddr;
use super::error::ValkeyError;

/// Certificates, read once.
pub(super) struct Tls {
    certificates: TlsCertificates,
    insecure: bool,
}

impl Tls {
    pub(super) fn new(options: &TlsOptions) -> Result<Self, ValkeyError> {
        // Fails only where a provider is installed already, and then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client_tls = match (&options.cert, &options.key) {
            (Some(cert), Some(key)) => Some(ClientTlsConfig {
                client_cert: read("the client certificate", cert)?,
                client_key: read("the client key", key)?,
            }),
            (None, None) => None,
            _ => {
                return Err(ValkeyError::Tls(
                    "--cert and --key belong together: give both or none".to_owned(),
                ));
            }
        };
        let root_cert = options.cacert.as_deref().map(|path| read("the CA certificate", path)).transpose()?;
        Ok(Self { certificates: TlsCertificates { client_tls, root_cert }, insecure: options.insecure })
    }

    pub(super) fn client(&self, addr: &NodeAddr, login: &RedisConnectionInfo) -> Result<Client, RedisError> {
        let target = ConnectionAddr::TcpTls {
            host: addr.host.clone(),
            port: addr.port,
            insecure: self.insecure,
            tls_params: None,
        };
        let info = target.into_connection_info()?.set_redis_settings(login.clone());
        Client::build_with_tls(info, self.certificates.clone())
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ValkeyError> {
    std::fs::read(path).map_err(|source| ValkeyError::File { what, path: path.to_owned(), source })
}
