//! Which servers: the choice between `external`, `local` and `container`, and stopping what we started.

use std::time::Duration;

#[cfg(all(feature = "container", unix))]
use super::container::ContainerServers;
#[cfg(all(feature = "container", unix))]
use super::container_thread::ContainerThread;
use super::error::ClusterError;
use super::find;
use super::local::{LocalServers, LocalShape};
#[cfg(all(feature = "container", unix))]
use super::request::DEFAULT_IMAGE;
use super::request::{ClusterRequest, Containers};
use super::started::Started;
use crate::valkey::{Access, NodeAddr};
use reclaim_analysis::scenario::Provider;

/// Servers that answer, and who runs them.
pub(super) struct Provided {
    pub(super) provider: Provider,
    pub(super) seeds: Vec<NodeAddr>,
    pub(super) servers: Servers,
    /// What they were started from, where they run as children of ours or of another generator of the run.
    pub(super) started: Option<Started>,
}

/// What has to be stopped at the end.
pub(super) enum Servers {
    Foreign,
    Local(Box<LocalServers>),
    #[cfg(all(feature = "container", unix))]
    Container(Box<ContainerServers>),
}

impl Servers {
    pub(super) fn owned(&self) -> bool {
        !matches!(self, Self::Foreign)
    }

    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        match self {
            Self::Foreign => Vec::new(),
            Self::Local(servers) => servers.addrs(),
            #[cfg(all(feature = "container", unix))]
            Self::Container(servers) => servers.addrs(),
        }
    }

    /// Processes of servers that run as our children, replicas included.
    pub(super) fn pids(&self) -> Vec<u32> {
        match self {
            Self::Local(servers) => servers.pids(),
            Self::Foreign => Vec::new(),
            #[cfg(all(feature = "container", unix))]
            Self::Container(_) => Vec::new(),
        }
    }

    /// CPU of servers that run as our children, replicas included, so far; `None` of others, and where the
    /// system does not tell.
    pub(super) fn cpu(&self) -> Option<Duration> {
        self.children()?.cpu()
    }

    /// The servers that run as our children, if these do.
    pub(super) fn children(&self) -> Option<&LocalServers> {
        match self {
            Self::Local(servers) => Some(servers),
            Self::Foreign => None,
            #[cfg(all(feature = "container", unix))]
            Self::Container(_) => None,
        }
    }

    /// The way to what is in containers, with the place of the one of the server at `addr`.
    #[cfg(all(feature = "container", unix))]
    pub(super) fn containers_of(&self, addr: &NodeAddr) -> Option<(ContainerThread, usize)> {
        match self {
            Self::Container(servers) => servers.containers_of(addr),
            Self::Foreign | Self::Local(_) => None,
        }
    }

    /// Whether each server has networks of its own, off which it can be taken.
    pub(super) fn apart(&self) -> bool {
        match self {
            Self::Foreign | Self::Local(_) => false,
            #[cfg(all(feature = "container", unix))]
            Self::Container(servers) => servers.apart(),
        }
    }

    /// Where servers are that are reached elsewhere than they announce.
    fn map(&self) -> Vec<(NodeAddr, NodeAddr)> {
        match self {
            Self::Foreign | Self::Local(_) => Vec::new(),
            #[cfg(all(feature = "container", unix))]
            Self::Container(servers) => servers.map(),
        }
    }

    /// How to reach the nodes of a request, for which these servers were provided.
    pub(super) fn access(&self, request: &ClusterRequest) -> Access {
        let mut access = request.access();
        access.map.extend(self.map());
        access
    }

    /// Starts the server at `addr` again after its process has ended; `None` for one that is not here.
    pub(super) async fn start_again(&self, addr: &NodeAddr) -> Option<std::io::Result<()>> {
        match self {
            Self::Local(servers) => servers.start_again(addr).await,
            Self::Foreign => None,
            #[cfg(all(feature = "container", unix))]
            Self::Container(servers) => servers.start_again(addr).await,
        }
    }

    /// The end of the log of the server at `addr`; empty for one that is not here.
    pub(super) fn log_of(&self, addr: &NodeAddr) -> String {
        match self {
            Self::Local(servers) => servers.log_of(addr),
            Self::Foreign => String::new(),
            #[cfg(all(feature = "container", unix))]
            Self::Container(servers) => servers.log_of(addr),
        }
    }

    pub(super) fn pid(&self, addr: &NodeAddr) -> Option<u32> {
        match self {
            Self::Local(servers) => servers.pid(addr),
            Self::Foreign => None,
            #[cfg(all(feature = "container", unix))]
            Self::Container(_) => None,
        }
    }
}

/// Picks a provider and gets its servers running.
pub(super) async fn provide(
    request: &ClusterRequest,
    notify: &dyn Fn(&str),
) -> Result<Provided, ClusterError> {
    check(request)?;
    match request.provider {
        Provider::External => Ok(external(request)),
        Provider::Local => local(request, notify).await,
        Provider::Container => container(request, notify).await,
        Provider::Auto if !request.nodes.is_empty() => Ok(external(request)),
        Provider::Auto => auto(request, notify).await,
    }
}

/// Servers of our own, however they can be had. A binary that was named is used or refused, never passed
/// over.
async fn auto(request: &ClusterRequest, notify: &dyn Fn(&str)) -> Result<Provided, ClusterError> {
    let no_local = match local(request, notify).await {
        Err(error @ (ClusterError::NoServerBinary { .. } | ClusterError::ServerStart { .. }))
            if request.valkey_server.is_none() =>
        {
            error
        }
        result => return result,
    };
    notify("no local server, trying a container");
    match container(request, notify).await {
        Err(no_container @ ClusterError::Container(_)) => {
            let local = match no_local {
                ClusterError::NoServerBinary { attempts } => attempts,
                error => vec![format!("local: {error}")],
            };
            let container = [format!("container: {no_container}")];
            Err(ClusterError::NoProvider { attempts: local.into_iter().chain(container).collect() })
        }
        result => result,
    }
}

fn check(request: &ClusterRequest) -> Result<(), ClusterError> {
    let usage = |text: &str| Err(ClusterError::Usage(text.to_owned()));
    let nodes = !request.nodes.is_empty();
    match request.provider {
        Provider::External if !nodes => usage("--provider external needs --nodes host:port[,...]"),
        Provider::Local | Provider::Container if nodes => {
            usage("--nodes names a running cluster: leave out --provider, or give --provider external")
        }
        _ if !nodes && (request.tls.is_some() || request.user.is_some() || request.password.is_some()) => {
            usage("TLS and login options are for a running cluster: they need --nodes host:port[,...]")
        }
        provider if request.containers == Containers::Each && provider != Provider::Container => {
            usage("servers with networks of their own are containers: give --provider container")
        }
        _ if !nodes && request.primaries == 0 => usage("a cluster needs at least one primary: --primaries 1"),
        _ => Ok(()),
    }
}

fn external(request: &ClusterRequest) -> Provided {
    Provided {
        provider: Provider::External,
        seeds: request.nodes.clone(),
        servers: Servers::Foreign,
        started: request.started.clone(),
    }
}

async fn local(request: &ClusterRequest, notify: &dyn Fn(&str)) -> Result<Provided, ClusterError> {
    let binary = find::server_binary(request.valkey_server.as_deref(), notify).await?;
    notify(&format!("starting {} of {}", shape(request), binary.display()));
    let shape = LocalShape {
        primaries: request.primaries,
        replicas: request.replicas,
        node_timeout: request.node_timeout,
        config: &request.config,
        clusters: request.clusters,
        stay_in: None,
    };
    let servers = LocalServers::start(&binary, shape).await?;
    Ok(Provided {
        provider: Provider::Local,
        seeds: servers.addrs(),
        servers: Servers::Local(Box::new(servers)),
        started: Some(Started { binary, config: request.config.clone(), replicas: request.replicas }),
    })
}

#[cfg(all(feature = "container", unix))]
async fn container(request: &ClusterRequest, notify: &dyn Fn(&str)) -> Result<Provided, ClusterError> {
    let image = request.image.as_deref().unwrap_or(DEFAULT_IMAGE);
    let how = match request.containers {
        Containers::One => "in a container of",
        Containers::Each => "in containers of their own, of",
    };
    notify(&format!("starting {} {how} {image}", shape(request)));
    let servers = ContainerServers::start(image, request).await?;
    Ok(Provided {
        provider: Provider::Container,
        seeds: servers.addrs(),
        servers: Servers::Container(Box::new(servers)),
        started: None,
    })
}

#[cfg(not(all(feature = "container", unix)))]
async fn container(_: &ClusterRequest, _: &dyn Fn(&str)) -> Result<Provided, ClusterError> {
    let reason = "this build cannot run containers: build with --features container";
    std::future::ready(Err(ClusterError::Container(reason.to_owned()))).await
}

/// Its servers, in words.
pub(super) fn shape(request: &ClusterRequest) -> String {
    let several = |n: u32, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let primaries = u32::from(request.primaries);
    let replicas = several(primaries * u32::from(request.replicas), "replica", "replicas");
    format!("{} and {replicas}", several(primaries, "primary", "primaries"))
}
