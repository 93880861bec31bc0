//! The function library on all primaries: loading it, and giving servers that are not ours back what they
//! had.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::error::ClusterError;
use super::handle::{Cluster, Link};
use super::library::{Before, Held, sha256_hex};
use super::loaded::{self, Undone};
use crate::flowfabric::LibraryAlias;
use crate::valkey::{NodeAddr, Topology, ValkeyError, Wire, WireError, read_from_any};

/// How long a replica may take to lose what its primary has lost.
const REPLICATED_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

impl Cluster {
    /// Makes the primaries behind `links` run the library. All of them are looked at before the first is
    /// changed.
    pub(super) async fn ensure_library(
        &self,
        topology: &Topology,
        links: &[Link],
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        if !self.load_library {
            return Ok(());
        }
        let library = self.library.borrow().clone();
        let looks = links.iter().map(|link| library.look(&link.admin, self.may_replace));
        let found = try_join_all(looks).await?;
        for (link, before) in links.iter().zip(found) {
            if cancel.is_cancelled() {
                return Err(ClusterError::Cancelled);
            }
            let wire = &link.admin;
            if !self.owned() && before != Before::Same {
                // Before the mark is written: where no reply comes, it may be there all the same.
                self.before.borrow_mut().insert(wire.addr().clone(), before.clone());
                let key = topology.find(wire.addr()).and_then(|node| loaded::mark_key(topology, node));
                if let Some(key) = key {
                    loaded::mark(wire, &key, &library, &before).await?;
                }
            }
            self.library_version.replace(library.install(wire, &before).await?);
        }
        Ok(())
    }

    /// On servers that are not ours: gives every primary back what it had before a run loaded its library,
    /// also one that has taken over from another since, and also for runs that have ended and left it to this
    /// one. A library that somebody else has loaded meanwhile stays, and everything stays while another run
    /// is under way. Tries all primaries whatever fails. Returns from how many the library was removed.
    pub async fn remove_library_if_added(&self) -> Result<usize, ClusterError> {
        if self.owned() || !self.load_library || !self.may_remove_shared().await {
            return Ok(0);
        }
        let before = self.before.take();
        let topology = match read_from_any(&self.connector, &self.seeds()).await {
            Ok(topology) => Rc::new(topology),
            Err(_) => self.topology(),
        };
        // A replica has what its primary had; all were made alike.
        let of_the_others = before.values().next().cloned();
        let sha256 = self.library.borrow().sha256.clone();
        let (mut removed, mut left) = (0, Vec::new());
        let marks = RefCell::new(Vec::new());
        for (node, primary) in topology.nodes().zip(topology.primaries()) {
            let known = self.topology().find(&primary.addr).is_some();
            let was = before.get(&primary.addr).or(of_the_others.as_ref().filter(|_| !known));
            let mark = loaded::mark_key(&topology, node);
            let undone = async {
                let wire = self.connector.admin(&primary.addr).await?;
                let undone = match (was, &mark) {
                    (Some(was), _) => loaded::undo(&wire, &sha256, was).await?,
                    (None, Some(mark)) if self.is_announced() => {
                        return loaded::undo_marked(&wire, mark).await;
                    }
                    (None, _) => Undone::NotOurs,
                };
                if let Some(key) = mark.as_ref().filter(|_| was.is_some()) {
                    // The library is what matters; `clean` finds the mark.
                    if let Err(error) = loaded::unmark(&wire, key).await {
                        marks.borrow_mut().push(format!("{}: its mark alone stays: {error}", primary.addr));
                    }
                }
                Ok(undone)
            };
            match undone.await {
                Ok(undone) => removed += usize::from(undone == Undone::Removed),
                Err(error) => left.push(format!("{}: {error}", primary.addr)),
            }
        }
        left.extend(marks.into_inner());
        left.extend(self.undo_on_former_primaries(&topology, &before).await);
        if left.is_empty() { Ok(removed) } else { Err(ClusterError::LibraryLeft(left)) }
    }

    /// Servers on which the library was loaded and that are no primaries any more: removes it there, or says
    /// why it stays.
    async fn undo_on_former_primaries(
        &self,
        topology: &Topology,
        before: &BTreeMap<NodeAddr, Before>,
    ) -> Vec<String> {
        let mut left = Vec::new();
        for (addr, was) in before.iter().filter(|(addr, _)| topology.find(addr).is_none()) {
            let undone = async {
                let wire = self.connector.admin(addr).await?;
                self.undo_on_former_primary(&wire, was).await
            };
            match undone.await {
                Ok(true) => {}
                Ok(false) => left.push(format!("{addr}: it is no primary any more and still holds it")),
                Err(error) => left.push(format!(
                    "{addr}: it is no primary any more and may still hold it: {error} Once it is back, look with \
                     FUNCTION LIST"
                )),
            }
        }
        left
    }

    /// Whether one is rid of the library.
    async fn undo_on_former_primary(&self, wire: &Wire, was: &Before) -> Result<bool, ClusterError> {
        let sha256 = self.library.borrow().sha256.clone();
        let begun = Instant::now();
        loop {
            match loaded::undo(wire, &sha256, was).await {
                Ok(_) => return Ok(true),
                // A replica loses it when its primary does, which has just happened.
                Err(ClusterError::Valkey(ValkeyError::Server {
                    source: WireError::Server { code, .. },
                    ..
                })) if code == "READONLY" => {}
                Err(ClusterError::LibraryRefused { detail, .. }) if detail.starts_with("READONLY") => {}
                Err(error) => return Err(error),
            }
            if begun.elapsed() > REPLICATED_WITHIN {
                let held = Held::read(wire, LibraryAlias::OWN).await?;
                return Ok(held.is_none_or(|held| sha256_hex(held.code.as_bytes()) != sha256));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// After an error on the way in: takes back what this run had done so far.
    pub(super) async fn leave_early(&self) {
        if !self.before.borrow().is_empty() {
            // The error that is reported matters more than this one; `clean` finds what stays by its mark.
            let _ = self.remove_library_if_added().await;
        }
        self.unmark().await;
    }

    /// At the end: gives servers that are not ours back the library that they had, and takes this run's mark
    /// away.
    pub async fn leave(&self) -> Result<(), ClusterError> {
        let removed = self.remove_library_if_added().await;
        self.unmark().await;
        removed.map(drop)
    }

    /// After a crash: gives every primary with a mark back what it had before a run of this tool loaded its
    /// library. Returns how many libraries were removed or put back.
    pub async fn undo_marked_libraries(&self) -> Result<usize, ClusterError> {
        let (mut undone, mut left) = (0, Vec::new());
        for link in self.links() {
            let here = async {
                let mut undone = 0;
                for key in loaded::marks(&link.admin).await? {
                    undone += usize::from(loaded::undo_marked(&link.admin, &key).await? != Undone::NotOurs);
                }
                Ok::<_, ClusterError>(undone)
            };
            match here.await {
                Ok(here) => undone += here,
                Err(error) => left.push(format!("{}: {error}", link.admin.addr())),
            }
        }
        if left.is_empty() { Ok(undone) } else { Err(ClusterError::LibraryLeft(left)) }
    }
}
