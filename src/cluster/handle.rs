//! [`Cluster`]: the handle that everything to the right works with.

use reclaim_analysis::scenario::Provider;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::conditions::ClusterConditions;
use super::error::ClusterError;
use super::facts::ServerFacts;
use super::library::{Before, Library};
use super::presence::Presence;
use super::provider::Servers;
use super::started::Started;
use crate::flowfabric::{CallBounds, LIBRARY_NAME, LibraryAlias, raise};
use crate::valkey::{
    Access, Connector, NodeAddr, NodeCounters, NodeIndex, Topology, Wire, WireCounts, ask, read_from_any,
};
use reclaim_analysis::record::LibraryInfo;

/// A cluster that is checked, reachable and runs the function library on every primary.
///
/// Dropping it stops servers of our own.
pub struct Cluster {
    pub(super) access: Access,
    pub(super) connector: Connector,
    pub(super) connections: u16,
    pub(super) provider: Provider,
    pub(super) servers: Servers,
    /// What servers of our own were started from that run as children of this process or of another generator
    /// of the run.
    pub(super) started: Option<Started>,
    pub(super) state: RefCell<State>,
    pub(super) library: RefCell<Library>,
    pub(super) library_version: RefCell<String>,
    pub(super) shared: bool,
    pub(super) may_replace: bool,
    /// Libraries that were loaded under other names.
    pub(super) aliased: RefCell<Vec<Library>>,
    pub(super) load_library: bool,
    /// What servers that are not ours ran before this run loaded its library there.
    pub(super) before: RefCell<BTreeMap<NodeAddr, Before>>,
    /// This run among others.
    pub(super) presence: Presence,
    pub(super) server: ServerFacts,
    pub(super) io_threads: Cell<u32>,
    /// Whether all primaries are here; asked once, for a resolver takes its time.
    pub(super) same_machine: OnceCell<bool>,
}

/// The map, and connections to its primaries in its order.
pub(super) struct State {
    pub(super) topology: Rc<Topology>,
    pub(super) links: Vec<Link>,
}

/// Connections to one primary.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) claims: Wire,
    pub(super) admin: Wire,
}

impl Cluster {
    /// The current map. [`Self::refresh`] replaces it; a copy taken before keeps its own node indexes.
    pub fn topology(&self) -> Rc<Topology> {
        Rc::clone(&self.state.borrow().topology)
    }

    /// The connections for claims to a primary of the current topology.
    ///
    /// # Panics
    /// For an index of another topology that has more primaries.
    pub fn wire(&self, node: NodeIndex) -> Wire {
        self.state.borrow().links[usize::from(node.0)].claims.clone()
    }

    /// A separate connection to the same primary for everything else, so that a scrape never queues behind
    /// claims and is in no claim's tally.
    ///
    /// # Panics
    /// As [`Self::wire`].
    pub fn admin(&self, node: NodeIndex) -> Wire {
        self.state.borrow().links[usize::from(node.0)].admin.clone()
    }

    /// New connections of their own to the same primary, with a tally of their own. A refresh does not know
    /// them.
    ///
    /// # Panics
    /// As [`Self::wire`].
    pub async fn further_wire(&self, node: NodeIndex, connections: u16) -> Result<Wire, ClusterError> {
        let addr = self.wire(node).addr().clone();
        Ok(self.connector.apart(&addr, connections).await?)
    }

    /// A bare blocking connection to the same primary, logged in; `None` where the cluster speaks TLS.
    ///
    /// # Panics
    /// As [`Self::wire`].
    pub fn bare_socket(&self, node: NodeIndex) -> Result<Option<TcpStream>, ClusterError> {
        Ok(self.connector.bare_socket(self.wire(node).addr())?)
    }

    /// Reads the map again, after MOVED or a lost connection: connects to primaries that are new or were
    /// lost, and makes them run the library. Wires taken before stay usable as far as their server does.
    pub async fn refresh(&self) -> Result<(), ClusterError> {
        let topology = read_from_any(&self.connector, &self.seeds()).await?;
        let known = self.links();
        let mut links = Vec::with_capacity(topology.primaries().len());
        let mut new = Vec::new();
        for primary in topology.primaries() {
            let kept = known.iter().find(|link| link.admin.addr() == &primary.addr);
            if let Some(link) = kept
                && link.admin.alive().await
                && link.claims.alive().await
            {
                links.push(link.clone());
            } else {
                match (Link::open(&self.connector, &primary.addr, self.connections).await, kept) {
                    (Ok(link), _) => {
                        new.push(link.clone());
                        links.push(link);
                    }
                    // It is gone: whoever asks it something is told, and the others have their connections. As it is
                    // known by now: another refresh may have found it back.
                    (Err(_), Some(link)) => {
                        links.push(self.link_now(&primary.addr).unwrap_or_else(|| link.clone()));
                    }
                    (Err(error), None) => return Err(error),
                }
            }
        }
        self.ensure_library(&topology, &new, &CancellationToken::new()).await?;
        self.replace_map(topology, links);
        Ok(())
    }

    fn link_now(&self, addr: &NodeAddr) -> Option<Link> {
        self.state.borrow().links.iter().find(|link| link.admin.addr() == addr).cloned()
    }

    /// `links` go to the primaries of `topology`, in its order.
    pub(super) fn replace_map(&self, topology: Topology, links: Vec<Link>) {
        *self.state.borrow_mut() = State { topology: Rc::new(topology), links };
    }

    /// What went to each node since the last call, to those that are no primaries any more as well. Starts
    /// the next count.
    pub fn take_counts(&self) -> BTreeMap<NodeAddr, WireCounts> {
        self.connector.take_counts()
    }

    /// Counters of every primary, in the order of the topology. A server that is busy in a script answers
    /// nothing; then this fails after the request's time limit.
    pub async fn counters(&self) -> Result<Vec<NodeCounters>, ClusterError> {
        let (links, io_threads) = (self.links(), self.io_threads.get());
        Ok(try_join_all(links.iter().map(|link| NodeCounters::read(&link.admin, io_threads))).await?)
    }

    /// Main-thread CPU of every primary so far, in seconds, in the order of the topology.
    pub async fn main_thread_cpu_s(&self) -> Result<Vec<(NodeAddr, f64)>, ClusterError> {
        let (links, io_threads) = (self.links(), self.io_threads.get());
        let read = links.iter().map(async |link| {
            Ok((link.admin.addr().clone(), NodeCounters::read_cpu_s(&link.admin, io_threads).await?))
        });
        try_join_all(read).await
    }

    /// Configuration, libraries and slots as they are now. The map is read anew; [`Self::topology`] stays as
    /// it is.
    pub async fn conditions(&self) -> Result<ClusterConditions, ClusterError> {
        let topology = read_from_any(&self.connector, &self.seeds()).await?;
        let wires: Vec<Wire> = self.links().into_iter().map(|link| link.admin).collect();
        ClusterConditions::read(topology, &wires, &self.connector).await
    }

    /// Login and encryption, for another client of this run's.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Takes connections with this name for this run's own.
    pub(crate) fn befriend(&self, client_name: &str) {
        self.connector.befriend(client_name);
    }

    /// The most that one call of any of these functions can run of each command, by the sources of all
    /// libraries that were loaded.
    pub fn call_bounds(&self, functions: &[&str]) -> CallBounds {
        let mut bounds = self.library.borrow().calls().bounds(functions);
        for library in self.aliased.borrow().iter() {
            raise(&mut bounds, &library.calls().bounds(functions));
        }
        bounds
    }

    /// Whether libraries were loaded beside the first one.
    pub fn runs_several_libraries(&self) -> bool {
        !self.aliased.borrow().is_empty()
    }

    /// Whether others may use the cluster at the same time.
    pub fn shared(&self) -> bool {
        self.shared
    }

    /// Whether we started the servers.
    pub fn owned(&self) -> bool {
        self.servers.owned()
    }

    /// Process id of a server that runs as our child; `None` for any other.
    pub fn server_pid(&self, addr: &NodeAddr) -> Option<u32> {
        self.servers.pid(addr)
    }

    /// Processes of all servers that run as our children, replicas included; none where others run them.
    pub fn server_pids(&self) -> Vec<u32> {
        self.servers.pids()
    }

    /// CPU of all servers that run as our children so far, replicas included, and those that have ended;
    /// `None` where others run them or the system does not tell.
    pub fn servers_cpu(&self) -> Option<Duration> {
        self.servers.cpu()
    }

    /// Loads another library on every primary beside the one that runs there, under the alias's names, and
    /// verifies it; `instrumented`, it counts and times what its functions call. Only on servers of our own:
    /// on others it would stay after a crash.
    pub async fn load_under_alias(
        &self,
        library: &Library,
        alias: LibraryAlias,
        instrumented: bool,
    ) -> Result<LibraryInfo, ClusterError> {
        if !self.owned() {
            return Err(ClusterError::NotOurs("comparing two function libraries"));
        }
        let links = self.links();
        let versions =
            try_join_all(links.iter().map(|link| library.load_as(&link.admin, alias, instrumented))).await?;
        self.aliased.borrow_mut().push(library.clone());
        Ok(LibraryInfo {
            name: LIBRARY_NAME.to_owned(),
            // A cluster has a primary.
            version: versions.into_iter().next().unwrap_or_default(),
            sha256: library.sha256().to_owned(),
        })
    }

    /// Removes every key from every primary, so that the next run finds the cluster as the first one did.
    /// Functions stay. Only on servers of our own.
    pub async fn wipe(&self) -> Result<(), ClusterError> {
        if !self.owned() {
            return Err(ClusterError::NotOurs("removing every key"));
        }
        for link in self.links() {
            // SYNC: a server that still frees memory in the background is busier than it looks.
            ask(&link.admin, "FLUSHALL", redis::cmd("FLUSHALL").arg("SYNC"), "flushall").await?;
        }
        Ok(())
    }

    /// Closes the connections, stops servers of our own, waits until they are gone and removes their files.
    /// Dropping does the same; this says so.
    pub fn shutdown(self) {}

    pub(super) fn seeds(&self) -> Vec<NodeAddr> {
        let mut seeds: Vec<NodeAddr> = self.topology().primaries().iter().map(|p| p.addr.clone()).collect();
        seeds.extend(self.servers.addrs());
        seeds
    }

    pub(super) fn links(&self) -> Vec<Link> {
        self.state.borrow().links.clone()
    }
}

impl Link {
    pub(super) async fn open(
        connector: &Connector,
        addr: &NodeAddr,
        connections: u16,
    ) -> Result<Self, ClusterError> {
        Ok(Self { claims: connector.claims(addr, connections).await?, admin: connector.admin(addr).await? })
    }
}
