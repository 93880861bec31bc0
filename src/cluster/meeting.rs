//! What several generators of one run need of a cluster: a server to meet on, each other's connections, the
//! leader's library.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::error::ClusterError;
use super::handle::Cluster;
use crate::valkey::{NodeAddr, Subscription, Wire};
use reclaim_analysis::record::slot_of_tag;

/// How every key and channel begins by which generators meet; the name and `}` follow.
pub const RENDEZVOUS: &str = "ff:reclaim-bench:{rendezvous:";

impl Cluster {
    /// The administrative connection to the primary that serves the keys with a hash tag.
    pub fn admin_of_tag(&self, tag: &str) -> Wire {
        self.admin(self.topology().owner_of_slot(slot_of_tag(tag)))
    }

    /// Subscribes to a shard channel on the primary that serves its slot.
    pub async fn subscribe(&self, addr: &NodeAddr, channel: &str) -> Result<Subscription, ClusterError> {
        Ok(self.connector.subscribe(addr, channel).await?)
    }

    /// The connections that this process has opened, by the numbers that servers have for them; `None` where
    /// it may not ask.
    pub fn own_connections(&self) -> Option<Vec<(NodeAddr, BTreeSet<u64>)>> {
        Some(self.connector.all_opened()?.into_iter().collect())
    }

    /// Takes the connections of another generator of the run for its own: who is none of them is a stranger.
    pub fn adopt_connections(&self, of_another: Option<Vec<(NodeAddr, BTreeSet<u64>)>>) {
        self.connector.adopt(of_another);
    }

    /// Checks that every primary runs the library that another process has loaded, and knows its version from
    /// here on.
    pub async fn join_library(&self) -> Result<(), ClusterError> {
        let library = self.library.borrow().clone();
        let links = self.links();
        let versions = try_join_all(links.iter().map(|link| library.verify(&link.admin))).await?;
        // A cluster has a primary.
        self.library_version.replace(versions.into_iter().next().unwrap_or_default());
        Ok(())
    }
}
