//! How a cluster comes to be open: found or built, checked, announced to other runs, and given the library.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::error::ClusterError;
use super::facts::{ServerFacts, io_threads};
use super::guard;
use super::handle::{Cluster, Link, State};
use super::library::Library;
use super::presence::{Company, Presence};
use super::provider;
use super::request::{ClusterRequest, Unreachable};
use crate::valkey::{Connector, NodeAddr, ValkeyError, Wire, read_from_any};

/// Finds or builds the cluster that `request` asks for, checks it, and makes every primary run the library.
/// `notify` gets a line per step that takes its time. Cancelling leaves no server behind, and nothing on
/// servers that are not ours.
pub async fn open(
    request: &ClusterRequest,
    notify: &dyn Fn(&str),
    cancel: &CancellationToken,
) -> Result<Cluster, ClusterError> {
    let reached = cancel.run_until_cancelled(Cluster::reach(request, notify)).await;
    let cluster = reached.unwrap_or(Err(ClusterError::Cancelled))?;
    match cluster.settle_in(request, cancel).await {
        Ok(()) => Ok(cluster),
        Err(error) => {
            // Some primaries may have the library already. Why it was refused says more than what could not
            // be undone.
            cluster.leave_early().await;
            Err(error)
        }
    }
}

impl Cluster {
    /// Finds or builds the servers and connects to them. Writes nothing.
    async fn reach(request: &ClusterRequest, notify: &dyn Fn(&str)) -> Result<Self, ClusterError> {
        let library = Library::read(&request.library)?.needing(&request.functions);
        let provided = provider::provide(request, notify).await?;
        let access = provided.servers.access(request);
        let connector = Connector::new(&access)?;
        let topology = read_from_any(&connector, &provided.seeds).await?;
        let links = try_join_all(
            topology.primaries().iter().map(|primary| open_if_may_be(&connector, &primary.addr, request)),
        )
        .await?;
        let admins = links.iter().map(|link| &link.admin);
        let reached: Vec<&Wire> = admins.filter(|wire| wire.why_unreachable().is_none()).collect();
        let [first, ..] = reached.as_slice() else {
            // A topology without an unserved slot has a primary.
            let why = links.first().and_then(|link| link.admin.why_unreachable());
            return Err(ClusterError::Usage(why.unwrap_or("the cluster has no primary").to_owned()));
        };
        let server = ServerFacts::read(first, &reached).await?;
        let io_threads = io_threads(first).await;
        Ok(Self {
            access,
            connector,
            connections: request.connections,
            provider: provided.provider,
            shared: request.shared && !provided.servers.owned(),
            aliased: RefCell::default(),
            may_replace: provided.servers.owned() || request.replace_library,
            started: provided.started,
            servers: provided.servers,
            state: RefCell::new(State { topology: Rc::new(topology), links }),
            library: RefCell::new(library),
            library_version: RefCell::default(),
            load_library: request.load_library,
            before: RefCell::default(),
            presence: Presence::default(),
            server,
            io_threads: Cell::new(io_threads),
            same_machine: OnceCell::new(),
        })
    }

    /// Marks this run and loads the library. Cancelled between two commands, never within one: nobody could
    /// tell what it had done.
    async fn settle_in(
        &self,
        request: &ClusterRequest,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        let announcement = request.announcement.as_ref().filter(|_| !self.owned());
        // Where marks cannot be read, whoever accepts company goes on without one.
        let unseen = self.marks_unreachable();
        let announcement = announcement.filter(|asked| !unseen || asked.company != Company::Accepted);
        if let Some(announcement) = announcement {
            // Before the guard, whose many questions would be in the other run's counters.
            self.or_leave_card(self.meet(announcement).await).await?;
        }
        if !self.owned() && !request.shared {
            let wires: Vec<Wire> = self.links().into_iter().map(|link| link.admin).collect();
            let topology = self.topology();
            let looked = cancel.run_until_cancelled(guard::refuse_deployment(&topology, &wires)).await;
            looked.unwrap_or(Err(ClusterError::Cancelled))?;
        }
        if let Some(announcement) = announcement {
            self.or_leave_card(self.announce(announcement, cancel).await).await?;
        }
        self.ensure_library(&self.topology(), &self.links(), cancel).await
    }
}

/// A primary that cannot be reached is one to which nothing can be sent, where the request leaves such
/// ones out.
async fn open_if_may_be(
    connector: &Connector,
    addr: &NodeAddr,
    request: &ClusterRequest,
) -> Result<Link, ClusterError> {
    match Link::open(connector, addr, request.connections).await {
        Err(ClusterError::Valkey(error @ ValkeyError::Unreachable { .. }))
            if request.unreachable == Unreachable::LeftOut =>
        {
            let wire = Wire::unreachable(addr.clone(), error.to_string());
            Ok(Link { claims: wire.clone(), admin: wire })
        }
        opened => opened,
    }
}
