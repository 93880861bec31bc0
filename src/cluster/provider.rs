//! Which servers: the choice between `external`, `local` and `container`, and stopping what we started.

use std::path::Path;

use super::error::ClusterError;
use super::find;
use super::local::LocalServers;
use super::request::{ClusterRequest, ProviderKind};
use super::topology::NodeAddr;

/// Servers that answer, and who runs them.
pub(super) struct Provided {
    pub(super) provider: ProviderKind,
    pub(super) seeds: Vec<NodeAddr>,
    pub(super) servers: Servers,
}

/// What has to be stopped at the end.
pub(super) enum Servers {
    Foreign,
    Local(Box<LocalServers>),
}

impl Servers {
    pub(super) fn owned(&self) -> bool {
        !matches!(self, Self::Foreign)
    }

    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        match self {
            Self::Foreign => Vec::new(),
            Self::Local(servers) => servers.addrs(),
        }
    }

    pub(super) fn pid(&self, addr: &NodeAddr) -> Option<u32> {
        match self {
            Self::Foreign => None,
            Self::Local(servers) => servers.pid(addr),
        }
    }

    pub(super) async fn shutdown(self) -> Result<(), ClusterError> {
        drop(self);
        Ok(())
    }
}

/// Picks a provider and gets its servers running.
pub(super) async fn provide(
    request: &ClusterRequest,
    notify: &dyn Fn(&str),
) -> Result<Provided, ClusterError> {
    check(request)?;
    match request.provider {
        ProviderKind::External => Ok(external(request)),
        ProviderKind::Auto if !request.nodes.is_empty() => Ok(external(request)),
        ProviderKind::Local => {
            let binary = find::server_binary(request.valkey_server.as_deref(), notify).await?;
            local(request, &binary, notify).await
        }
        ProviderKind::Container => Err(ClusterError::Container("not yet".to_owned())),
        ProviderKind::Auto => {
            let binary = find::server_binary(request.valkey_server.as_deref(), notify).await?;
            local(request, &binary, notify).await
        }
    }
}

fn check(request: &ClusterRequest) -> Result<(), ClusterError> {
    let usage = |text: &str| Err(ClusterError::Usage(text.to_owned()));
    let nodes = !request.nodes.is_empty();
    match request.provider {
        ProviderKind::External if !nodes => usage("--provider external needs --nodes host:port[,...]"),
        ProviderKind::Local | ProviderKind::Container if nodes => {
            usage("--nodes names a running cluster: leave out --provider, or give --provider external")
        }
        _ if !nodes && (request.tls.is_some() || request.user.is_some() || request.password.is_some()) => {
            usage("TLS and login options are for a running cluster: they need --nodes host:port[,...]")
        }
        _ if !nodes && request.primaries == 0 => usage("a cluster needs at least one primary: --primaries 1"),
        _ => Ok(()),
    }
}

fn external(request: &ClusterRequest) -> Provided {
    Provided { provider: ProviderKind::External, seeds: request.nodes.clone(), servers: Servers::Foreign }
}

async fn local(
    request: &ClusterRequest,
    binary: &Path,
    notify: &dyn Fn(&str),
) -> Result<Provided, ClusterError> {
    notify(&format!(
        "starting {} primaries and {} replicas of {}",
        request.primaries,
        u32::from(request.primaries) * u32::from(request.replicas),
        binary.display()
    ));
    let servers = LocalServers::start(binary, request.primaries, request.replicas).await?;
    Ok(Provided {
        provider: ProviderKind::Local,
        seeds: servers.addrs(),
        servers: Servers::Local(Box::new(servers)),
    })
}
