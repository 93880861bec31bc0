//! Stands in for `tls` in a build without that feature.

use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, RedisError};

use super::access::TlsOptions;
use super::addr::NodeAddr;
use super::error::ValkeyError;

/// Never made.
pub(super) enum Tls {}

impl Tls {
    pub(super) fn new(_: &TlsOptions) -> Result<Self, ValkeyError> {
        Err(ValkeyError::Tls("this build has no TLS: build with --features tls".to_owned()))
    }

    pub(super) fn client(
        &self,
        _: &str,
        _: &NodeAddr,
        _: &RedisConnectionInfo,
    ) -> Result<Client, RedisError> {
        match *self {}
    }
}

/// Names matter to certificates alone.
pub(super) fn at(config: AsyncConnectionConfig, _: &NodeAddr) -> AsyncConnectionConfig {
    config
}
