//! The workload's way to the primaries, and to their clocks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ff_core::partition::Partition;
use redis::Value;

use super::WorkloadError;
use super::reply::text_of;
use crate::cluster::{NodeIndex, Topology, Wire, WireCost};

/// How long a reading of a server's clock is trusted: short enough for two clocks that drift apart.
const CLOCK_FRESH: Duration = Duration::from_secs(10);

/// One wire per primary, and what time each primary has.
#[derive(Clone)]
pub struct Nodes {
    topology: Rc<Topology>,
    wires: Rc<[Wire]>,
    clocks: Rc<[Cell<Option<Reading>>]>,
}

#[derive(Clone, Copy)]
struct Reading {
    server_ms: u64,
    taken: Instant,
}

impl Nodes {
    /// Takes one wire per primary, in the order of [`Topology::primaries`].
    ///
    /// # Panics
    /// When their number differs: a programming error.
    pub fn new(topology: Rc<Topology>, wires: Vec<Wire>) -> Self {
        assert_eq!(topology.primaries().len(), wires.len(), "one wire per primary");
        let clocks = wires.iter().map(|_| Cell::new(None)).collect();
        Self { topology, wires: wires.into(), clocks }
    }

    /// Every primary's index, in order.
    pub(super) fn indices(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        self.topology.nodes()
    }

    /// The primary that serves a partition.
    pub(super) fn node(&self, partition: Partition) -> NodeIndex {
        self.topology.owner_of(partition)
    }

    /// The wire to a primary.
    pub(super) fn wire(&self, node: NodeIndex) -> &Wire {
        &self.wires[usize::from(node.0)]
    }

    /// The wire to the primary that serves a partition.
    pub(super) fn wire_of(&self, partition: Partition) -> &Wire {
        self.wire(self.node(partition))
    }

    /// A primary's time in milliseconds since the epoch: never ahead of it, behind by at most one round trip.
    pub(super) async fn server_ms(&self, node: NodeIndex) -> Result<u64, WorkloadError> {
        let clock = &self.clocks[usize::from(node.0)];
        let reading = match clock.get().filter(|reading| reading.taken.elapsed() < CLOCK_FRESH) {
            Some(reading) => reading,
            None => {
                let reading = self.read_clock(node).await?;
                clock.set(Some(reading));
                reading
            }
        };
        Ok(reading.server_ms + reading.taken.elapsed().as_millis() as u64)
    }

    /// Reads every clock that is not fresh, so that [`Self::known_ms`] answers.
    pub(super) async fn read_clocks(&self) -> Result<(), WorkloadError> {
        for node in self.indices() {
            self.server_ms(node).await?;
        }
        Ok(())
    }

    /// Like [`Self::server_ms`], from the last reading; 0 before [`Self::read_clocks`].
    pub(super) fn known_ms(&self, node: NodeIndex) -> u64 {
        let reading = self.clocks[usize::from(node.0)].get();
        reading.map_or(0, |r| r.server_ms + r.taken.elapsed().as_millis() as u64)
    }

    async fn read_clock(&self, node: NodeIndex) -> Result<Reading, WorkloadError> {
        let wire = self.wire(node);
        let reply = wire.call("time", &redis::cmd("TIME"), &mut WireCost::default()).await;
        let reply = reply.map_err(|error| WorkloadError::wire("read the clock", wire.addr(), error))?;
        let taken = Instant::now();
        let parsed = match &reply {
            Value::Array(parts) => parts.iter().map(|part| text_of(part)?.parse().ok()).collect(),
            _ => None,
        };
        match parsed.as_deref() {
            Some([seconds, micros]) => Ok(Reading { server_ms: seconds * 1_000 + micros / 1_000, taken }),
            _ => Err(WorkloadError::unexpected("read the clock", wire.addr(), &reply)),
        }
    }
}
