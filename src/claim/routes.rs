//! The cluster as the claims' routes.

use ff_core::partition::Partition;

use crate::cluster::Cluster;
use crate::valkey::{NodeAddr, Wire};

use super::{LocalFuture, Reroutes, Routes};

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
