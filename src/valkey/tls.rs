//! Certificates for connections that speak TLS.

use redis::AsyncConnectionConfig;
use redis::io::AsyncDNSResolver;
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, RedisError, RedisFuture,
    TlsCertificates,
};

use super::access::TlsOptions;
use super::addr::NodeAddr;
use super::certificates;
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
        Ok(Self { certificates: certificates::read(options)?, insecure: options.insecure })
    }

    /// A client for the node that is reached at `addr` and whose certificate bears `name`. Where it connects,
    /// [`at`] says.
    pub(super) fn client(
        &self,
        name: &str,
        addr: &NodeAddr,
        login: &RedisConnectionInfo,
    ) -> Result<Client, RedisError> {
        let target = ConnectionAddr::TcpTls {
            host: name.to_owned(),
            port: addr.port,
            insecure: self.insecure,
            tls_params: None,
        };
        let info = target.into_connection_info()?.set_redis_settings(login.clone());
        Client::build_with_tls(info, self.certificates.clone())
    }
}

/// Connects to `addr` under whatever name.
pub(super) fn at(config: AsyncConnectionConfig, addr: &NodeAddr) -> AsyncConnectionConfig {
    config.set_dns_resolver(At(addr.clone()))
}

/// Leads every name to one node: what a certificate is made out to need not be known to the resolver here.
struct At(NodeAddr);

impl AsyncDNSResolver for At {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        _: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = std::net::SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((self.0.host.as_str(), self.0.port)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Box<_>)
        })
    }
}
