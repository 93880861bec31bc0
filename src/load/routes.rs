//! Where partitions live, looked up once and followed when the cluster says otherwise.

use std::cell::RefCell;
use std::rc::Rc;

use ff_core::partition::{Partition, PartitionFamily};

use crate::claim::{
    ClaimOrder, ClaimPath, ClaimReceipt, Line, LocalFuture, Reroutes, Routes, claim_with_recovery,
    settle_unanswered,
};
use crate::cluster::{Cluster, NodeAddr, NodeIndex, Wire};
use crate::scenario::VariantPath;

/// The cluster's topology as a table from partition to wire.
pub(super) struct LiveRoutes {
    cluster: Rc<Cluster>,
    table: RefCell<Table>,
}

struct Table {
    owners: Vec<NodeIndex>,
    wires: Vec<Wire>,
}

impl LiveRoutes {
    pub fn new(cluster: Rc<Cluster>, partitions: u16) -> Rc<Self> {
        let table = RefCell::new(Table::read(&cluster, partitions));
        Rc::new(Self { cluster, table })
    }

    /// Wires to all primaries.
    pub fn wires(&self) -> Vec<Wire> {
        self.table.borrow().wires.clone()
    }

    /// The primary that owns a partition, by position.
    pub fn owner(&self, partition: Partition) -> NodeIndex {
        let table = self.table.borrow();
        match table.owners.get(usize::from(partition.index)) {
            Some(&node) => node,
            None => self.cluster.topology().owner_of(partition),
        }
    }
}

impl Table {
    fn read(cluster: &Cluster, partitions: u16) -> Self {
        let topology = cluster.topology();
        let of = |index| topology.owner_of(Partition { family: PartitionFamily::Execution, index });
        Self {
            owners: (0..partitions).map(of).collect(),
            wires: topology.nodes().map(|node| cluster.wire(node)).collect(),
        }
    }
}

impl Routes for LiveRoutes {
    fn wire_for(&self, partition: Partition) -> Wire {
        let owner = self.owner(partition);
        self.table.borrow().wires[usize::from(owner.0)].clone()
    }
}

impl Reroutes for LiveRoutes {
    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            if self.cluster.refresh().await.is_ok() {
                let partitions = self.table.borrow().owners.len() as u16;
                *self.table.borrow_mut() = Table::read(&self.cluster, partitions);
            }
        })
    }

    fn wire_to<'a>(&'a self, addr: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
        Box::pin(async move {
            let known = |table: &Table| table.wires.iter().find(|wire| wire.addr() == addr).cloned();
            if let Some(wire) = known(&self.table.borrow()) {
                return Some(wire);
            }
            self.refresh().await;
            known(&self.table.borrow())
        })
    }
}

/// A claim path that follows redirects and finds out what became of claims without a reply.
pub(super) struct Recovering {
    pub path: Box<dyn ClaimPath>,
    pub routes: Rc<LiveRoutes>,
}

impl ClaimPath for Recovering {
    fn path(&self) -> VariantPath {
        self.path.path()
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            let receipt = claim_with_recovery(self.path.as_ref(), self.routes.as_ref(), order).await;
            settle_unanswered(self.routes.as_ref(), order, receipt).await
        })
    }

    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.path.claim_over(line, order)
    }
}
