//! The workload's way to the primaries, and to their clocks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ff_core::partition::{Partition, PartitionConfig};

use super::error::WorkloadError;
use crate::cluster::{Cluster, ClusterError};
use crate::flowfabric::{ReadServerTime, call};
use crate::valkey::{NodeAddr, NodeIndex, Topology, Wire, WireError};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::PartitionCount;

/// How long a reading of a server's clock is trusted: short enough for two clocks that drift apart.
const CLOCK_FRESH: Duration = Duration::from_secs(10);

/// Number of flow partitions that a population is spread over: as given, else what the deployment publishes,
/// else FlowFabric's default.
pub async fn partitions(cluster: &Cluster, count: PartitionCount) -> Result<u16, ClusterError> {
    match count {
        PartitionCount::Count(count) => Ok(count),
        PartitionCount::Published => {
            let published = cluster.published_partitions().await?;
            Ok(published.unwrap_or(PartitionConfig::default().num_flow_partitions))
        }
    }
}

/// The administrative connections, so that nothing here queues in front of a claim, and what time each
/// primary has.
#[derive(Clone)]
pub(super) struct Nodes {
    cluster: Rc<Cluster>,
    clocks: Rc<RefCell<HashMap<NodeAddr, ClockReading>>>,
    /// Primaries that have left a question unanswered while what a run wrote is read back or removed. `None`
    /// while the run goes on.
    silent: Option<Rc<RefCell<BTreeMap<NodeAddr, WireError>>>>,
}

#[derive(Clone, Copy)]
struct ClockReading {
    server_ms: u64,
    taken: Instant,
}

impl ClockReading {
    fn now_ms(self) -> u64 {
        self.server_ms + self.taken.elapsed().as_millis() as u64
    }
}

/// A map of the cluster that stays the same while one operation uses it.
pub(super) struct Routing {
    topology: Rc<Topology>,
    wires: Vec<Wire>,
}

impl Routing {
    /// Every primary with its wire, in order.
    pub fn wires(&self) -> &[Wire] {
        &self.wires
    }

    /// Position of the primary that serves a partition.
    pub fn position(&self, partition: Partition) -> usize {
        usize::from(self.topology.owner_of(partition).0)
    }
}

impl Nodes {
    pub fn new(cluster: Rc<Cluster>) -> Self {
        Self { cluster, clocks: Rc::default(), silent: None }
    }

    /// The same nodes, for reading back and removing: one that is silent is given up once, not once per
    /// question.
    pub fn giving_up(&self) -> Self {
        Self { silent: Some(Rc::default()), ..self.clone() }
    }

    /// Why nothing more is asked of a primary.
    pub fn given_up(&self, addr: &NodeAddr) -> Option<WireError> {
        self.silent.as_ref()?.borrow().get(addr).cloned()
    }

    /// Notes how a question to a primary ended.
    pub fn note(&self, addr: &NodeAddr, error: &WireError) {
        if let (Some(silent), WireError::TimedOut(_)) = (&self.silent, error) {
            silent.borrow_mut().insert(addr.clone(), error.clone());
        }
    }

    /// Whether failed questions are asked again.
    pub fn asks_again(&self) -> bool {
        self.silent.is_some()
    }

    /// Looks where everything is now, and connects anew where a connection was lost. Silent nodes stay given
    /// up.
    pub async fn refresh(&self) -> Result<(), WorkloadError> {
        let refreshed = self.cluster.refresh().await;
        refreshed.map_err(|error| WorkloadError::Nodes(error.to_string()))
    }

    /// Notes that secrets were looked for, and added, on partitions below this one.
    pub fn note_secrets_below(&self, partition: u16) {
        self.cluster.note_secrets_below(partition);
    }

    /// Whether other runs can see that this one is under way.
    pub fn is_announced(&self) -> bool {
        self.cluster.is_announced()
    }

    /// Where everything is right now.
    pub fn routing(&self) -> Routing {
        let topology = self.cluster.topology();
        let wires = topology.nodes().map(|node| self.cluster.admin(node)).collect();
        Routing { topology, wires }
    }

    /// The wire to the primary that serves a partition.
    pub fn wire_of(&self, partition: Partition) -> Wire {
        self.cluster.admin(self.owner(partition))
    }

    /// Reads the clock of a partition's primary unless that was done a moment ago, so that
    /// [`Self::server_ms`] knows.
    pub async fn read_clock(&self, partition: Partition) -> Result<(), WorkloadError> {
        self.read_clock_of(&self.wire_of(partition)).await
    }

    /// Reads the clocks of all primaries.
    pub async fn read_clocks(&self) -> Result<(), WorkloadError> {
        for wire in self.routing().wires() {
            self.read_clock_of(wire).await?;
        }
        Ok(())
    }

    /// Reads the clocks of those primaries that answer.
    pub async fn read_clocks_that_go(&self) {
        for wire in self.routing().wires() {
            // Of one that does not, nothing is due yet.
            let _ = self.read_clock_of(wire).await;
        }
    }

    /// Reads the clocks of these partitions' primaries: another one may be gone.
    pub async fn read_clocks_of(
        &self,
        partitions: impl Iterator<Item = Partition>,
    ) -> Result<(), WorkloadError> {
        let routing = self.routing();
        let owners: BTreeSet<usize> = partitions.map(|partition| routing.position(partition)).collect();
        for owner in owners {
            self.read_clock_of(&routing.wires()[owner]).await?;
        }
        Ok(())
    }

    /// A primary's time in milliseconds since the epoch, from the last reading: never ahead of it, behind by
    /// at most one round trip. 0 before the first reading: then nothing is due yet.
    pub fn server_ms(&self, partition: Partition) -> u64 {
        let topology = self.cluster.topology();
        let addr = &topology.primaries()[usize::from(topology.owner_of(partition).0)].addr;
        self.clocks.borrow().get(addr).map_or(0, |reading| reading.now_ms())
    }

    fn owner(&self, partition: Partition) -> NodeIndex {
        self.cluster.topology().owner_of(partition)
    }

    async fn read_clock_of(&self, wire: &Wire) -> Result<(), WorkloadError> {
        let fresh = |reading: &ClockReading| reading.taken.elapsed() < CLOCK_FRESH;
        if self.clocks.borrow().get(wire.addr()).is_some_and(fresh) {
            return Ok(());
        }
        let micros = call(wire, &ReadServerTime, &mut WireCost::default()).await;
        let micros = micros.map_err(WorkloadError::call::<ReadServerTime>(wire.addr()))?;
        let reading = ClockReading { server_ms: micros.unsigned_abs() / 1_000, taken: Instant::now() };
        self.clocks.borrow_mut().insert(wire.addr().clone(), reading);
        Ok(())
    }
}
