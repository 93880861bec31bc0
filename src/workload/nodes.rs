//! The workload's way to the primaries, and to their clocks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ff_core::keys::global_config_partitions;
use ff_core::partition::{Partition, PartitionConfig};
use redis::Value;

use super::WorkloadError;
use crate::cluster::{NodeIndex, Topology, Wire, WireCost, slot_of_tag};
use crate::flowfabric::{ReadServerTime, call};
use crate::scenario::PartitionCount;

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

    /// Number of flow partitions that executions are spread over: as given, else what the deployment publishes in
    /// `ff:config:partitions`, else FlowFabric's default.
    pub async fn partitions(&self, count: PartitionCount) -> Result<u16, WorkloadError> {
        if let PartitionCount::Count(count) = count {
            return Ok(count);
        }
        let key = global_config_partitions();
        let wire = self.wire(self.topology.owner_of_slot(slot_of_tag(&key)));
        let mut read = redis::cmd("HGET");
        read.arg(&key).arg("num_flow_partitions");
        let reply = wire.call("hget", &read, &mut WireCost::default()).await;
        match reply.map_err(|error| WorkloadError::command("HGET", &key)(error.into()))? {
            Value::Nil => Ok(PartitionConfig::default().num_flow_partitions),
            Value::BulkString(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                text.parse().ok().filter(|count| *count > 0).ok_or(WorkloadError::PartitionCount(text))
            }
            other => Err(WorkloadError::PartitionCount(format!("{other:?}"))),
        }
    }

    /// A primary's time in milliseconds since the epoch: never ahead of it, behind by at most one round trip.
    pub(super) async fn server_ms(&self, node: NodeIndex) -> Result<u64, WorkloadError> {
        let clock = &self.clocks[usize::from(node.0)];
        let fresh = clock.get().filter(|reading| reading.taken.elapsed() < CLOCK_FRESH);
        let reading = if let Some(reading) = fresh {
            reading
        } else {
            let reading = self.read_clock(node).await?;
            clock.set(Some(reading));
            reading
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
        let micros = call(wire, &ReadServerTime, &mut WireCost::default()).await;
        let micros = micros.map_err(WorkloadError::call::<ReadServerTime>(wire.addr()))?;
        Ok(Reading { server_ms: micros / 1_000, taken: Instant::now() })
    }
}
