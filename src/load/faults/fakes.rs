//! For tests: primaries that can be lost and come back, without a server.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};

use super::following::Followed;
use crate::claim::{LocalFuture, Reroutes, Routes};
use crate::cluster::Look;
use crate::valkey::{NodeAddr, Wire, pipe};
use reclaim_analysis::record::WireCost;

/// A flow partition; each is on the [`FakePrimaries`]' primary of its number.
pub(super) fn partition(index: u16) -> Partition {
    Partition { family: PartitionFamily::Flow, index }
}

/// A wire to this port whose connection is known to have broken.
pub(super) async fn lost(port: u16) -> Wire {
    let (wire, server) = pipe::wire_to(port).await;
    drop(server);
    pipe::settled().await;
    assert!(wire.call("ping", &redis::cmd("PING"), &mut WireCost::default()).await.is_err());
    wire
}

/// Primaries to each of which there is one wire, and another one after a look that finds it.
pub(super) struct FakePrimaries {
    wires: RefCell<Vec<Wire>>,
    found: RefCell<Vec<(usize, Wire)>>,
    pub looks: Cell<u32>,
}

impl FakePrimaries {
    pub fn new(wires: impl IntoIterator<Item = Wire>) -> Self {
        let wires = RefCell::new(wires.into_iter().collect());
        Self { wires, found: RefCell::default(), looks: Cell::new(0) }
    }

    /// The next look finds a primary, over this wire.
    pub fn comes_back(&self, number: usize, wire: Wire) {
        self.found.borrow_mut().push((number, wire));
    }

    /// From now on this is the wire to a primary.
    pub fn set(&self, number: usize, wire: Wire) {
        self.wires.borrow_mut()[number] = wire;
    }

    pub fn is_lost(&self, number: usize) -> bool {
        self.wires.borrow()[number].is_lost()
    }

    /// Whether it has found anything.
    async fn finds(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.looks.set(self.looks.get() + 1);
        let found = self.found.take();
        let any = !found.is_empty();
        for (number, wire) in found {
            self.set(number, wire);
        }
        any
    }
}

impl Routes for FakePrimaries {
    fn wire_for(&self, partition: Partition) -> Wire {
        self.wires.borrow()[usize::from(partition.index)].clone()
    }
}

impl Reroutes for FakePrimaries {
    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            self.finds().await;
        })
    }

    fn wire_to<'a>(&'a self, _: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
        Box::pin(async { None })
    }
}

impl Followed for FakePrimaries {
    fn look(&self, _: Duration) -> LocalFuture<'_, Look> {
        Box::pin(async move { Look { changed: self.finds().await, whole: true } })
    }

    fn is_called_well(&self, _: Duration) -> LocalFuture<'_, bool> {
        Box::pin(async { true })
    }
}
