//! Which connection serves a partition: the cluster's topology as the claims see it.

use std::future::Future;
use std::pin::Pin;

use ff_core::partition::Partition;

use crate::cluster::Cluster;
use crate::valkey::{NodeAddr, Wire};

/// A future on the load's single thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Where partitions live.
pub trait Routes {
    /// The wire to the primary that owns `partition` as far as is known.
    fn wire_for(&self, partition: Partition) -> Wire;
}

/// Routes that can learn.
pub trait Reroutes: Routes {
    /// Reads the topology again. Where that fails the old one stays, and the next claim meets the next
    /// redirect.
    fn refresh(&self) -> LocalFuture<'_, ()>;

    /// The wire to a node that a redirect named; `None` where it cannot be reached.
    fn wire_to<'a>(&'a self, addr: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>>;
}

impl Routes for Cluster {
    fn wire_for(&self, partition: Partition) -> Wire {
        self.wire(self.topology().owner_of(partition))
    }
}

impl Reroutes for Cluster {
    fn refresh(&self) -> LocalFuture<'_, ()> {
        // Without a new map the old one stands, and the next claim shows whether it will do.
        Box::pin(async move { drop(Self::refresh(self).await) })
    }

    fn wire_to<'a>(&'a self, addr: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
        Box::pin(async move {
            if self.topology().find(addr).is_none() {
                Reroutes::refresh(self).await;
            }
            self.topology().find(addr).map(|node| self.wire(node))
        })
    }
}
