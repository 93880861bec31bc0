//! Following a cluster while servers fail: a look that waits for nobody, and takes what it gets.
//!
//! [`Cluster::refresh`] is for a cluster that is well: it waits for every node, and a new one that is gone is
//! an error. Here a node that is silent stays as it was known, one that is gone is tried again at the next look,
//! and the map is the one that most nodes have: a primary that has just come back may still hold its old one.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::error::ClusterError;
use super::form::is_well;
use super::handle::{Cluster, Link};
use crate::valkey::{NodeAddr, NodeCounters, Topology, ValkeyError, read_topology, text};

/// What a look has come to; by default, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether claims may find a way now that they had not before: another map, or a connection that is new.
    pub changed: bool,
    /// Whether every primary of the map has answered.
    pub whole: bool,
}

/// How one primary was met.
enum Met {
    /// As before.
    Well(Link),
    /// It answered nothing for so long.
    Silent(Link),
    /// Over connections that are new.
    Anew(Link),
    /// Not at all. What was known of it stays, if anything was.
    Gone(Option<Link>),
}

impl Cluster {
    /// Looks where everything is, waiting for no node longer than `patience`. Fails where no map can be had,
    /// or a primary that is new to it cannot be reached: then all stays as it was.
    pub async fn follow(&self, patience: Duration) -> Result<Look, ClusterError> {
        let topology = self.majority(patience).await?;
        let known = self.links();
        let met = join_all(topology.primaries().iter().map(|primary| {
            let known = known.iter().find(|link| link.admin.addr() == &primary.addr).cloned();
            self.meet_primary(&primary.addr, known, patience)
        }))
        .await;
        let mut changed = *self.topology() != topology;
        let (mut whole, mut links, mut new) = (true, Vec::with_capacity(met.len()), Vec::new());
        for (met, primary) in met.into_iter().zip(topology.primaries()) {
            match met {
                Met::Well(link) => links.push(link),
                Met::Anew(link) => {
                    changed = true;
                    new.push(link.clone());
                    links.push(link);
                }
                Met::Silent(link) | Met::Gone(Some(link)) => {
                    whole = false;
                    links.push(link);
                }
                Met::Gone(None) => {
                    let (addr, detail) = (primary.addr.clone(), "no connection in time".to_owned());
                    let told = String::new();
                    return Err(ValkeyError::Unreachable { addr, told, may_need_map: false, detail }.into());
                }
            }
        }
        self.ensure_library(&topology, &new, &CancellationToken::new()).await?;
        if changed {
            self.replace_map(topology, links);
        }
        Ok(Look { changed, whole })
    }

    /// The map that most nodes have.
    async fn majority(&self, patience: Duration) -> Result<Topology, ClusterError> {
        let mut seeds = self.seeds();
        seeds.sort();
        seeds.dedup();
        let ask = async |seed: &NodeAddr| {
            let read = async { read_topology(&self.connector.admin(seed).await?).await };
            timeout(patience, read).await.ok()?.ok()
        };
        let mut votes: Vec<(Topology, usize)> = Vec::new();
        for topology in join_all(seeds.iter().map(ask)).await.into_iter().flatten() {
            match votes.iter_mut().find(|(known, _)| same_owners(known, &topology)) {
                Some((_, count)) => *count += 1,
                None => votes.push((topology, 1)),
            }
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        Ok(most.map(|(topology, _)| topology).ok_or(ValkeyError::NoNode)?)
    }

    /// Whether every primary answers within `patience` and calls the cluster well. One that may not be asked
    /// is taken for well.
    pub async fn all_call_it_well(&self, patience: Duration) -> bool {
        let links = self.links();
        let each = links.iter().map(async |link| {
            let mut cmd = redis::cmd("CLUSTER");
            cmd.arg("INFO");
            match timeout(patience, text(&link.admin, "CLUSTER INFO", &cmd, "cluster|info")).await {
                Ok(Ok(info)) => is_well(&info),
                Ok(Err(error)) => matches!(error, ValkeyError::Right { .. }),
                Err(_) => false,
            }
        });
        join_all(each).await.into_iter().all(|well| well)
    }

    /// Counters of a server that is no primary any more; `None` where it does not answer in time.
    pub async fn counters_of(&self, addr: &NodeAddr, patience: Duration) -> Option<NodeCounters> {
        // How many threads it has matters for its CPU alone.
        let read = async { NodeCounters::read(&self.connector.admin(addr).await?, 1).await };
        timeout(patience, read).await.ok()?.ok()
    }

    async fn meet_primary(&self, addr: &NodeAddr, known: Option<Link>, patience: Duration) -> Met {
        if let Some(link) = known.clone() {
            let alive = async { link.admin.alive().await && link.claims.alive().await };
            match timeout(patience, alive).await {
                Ok(true) => return Met::Well(link),
                // Whether it comes back nobody knows; a new connection would be as silent.
                Err(_) => return Met::Silent(link),
                Ok(false) => {}
            }
        }
        match timeout(patience, Link::open(&self.connector, addr, self.connections)).await {
            Ok(Ok(link)) => Met::Anew(link),
            Ok(Err(_)) | Err(_) => Met::Gone(known),
        }
    }
}

/// Whether two maps give every slot to the same server.
fn same_owners(one: &Topology, other: &Topology) -> bool {
    one.first_difference(other, |_, _, _| false).is_none()
}
