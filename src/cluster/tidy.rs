//! Giving servers that are not ours back the function library that they had.

use std::rc::Rc;

use super::error::ClusterError;
use super::handle::Cluster;
use super::library::Held;
use super::loaded::{self, Undone};
use crate::flowfabric::LibraryAlias;
use crate::valkey::read_from_any;

impl Cluster {
    /// On servers that are not ours: gives every primary back what it had before this run loaded its library, also one
    /// that has taken over from another since. A library that somebody has loaded meanwhile stays. Tries all of them
    /// whatever fails. Returns from how many the library was removed.
    pub async fn remove_library_if_added(&self) -> Result<usize, ClusterError> {
        let before = self.before.take();
        if self.owned() || before.is_empty() {
            return Ok(0);
        }
        let (mut removed, mut left) = (0, Vec::new());
        let topology = match read_from_any(&self.connector, &self.seeds()).await {
            Ok(topology) => Rc::new(topology),
            Err(_) => self.topology(),
        };
        // A replica has what its primary had; all were made alike.
        let of_the_others = before.values().next().cloned();
        let sha256 = self.library.borrow().sha256.clone();
        for (node, primary) in topology.nodes().zip(topology.primaries()) {
            let known = self.topology().find(&primary.addr).is_some();
            let was = before.get(&primary.addr).or(of_the_others.as_ref().filter(|_| !known));
            let Some(was) = was else { continue };
            let undone = async {
                let wire = self.connector.admin(&primary.addr).await?;
                let undone = loaded::undo(&wire, &sha256, was).await?;
                if let Some(key) = loaded::mark_key(&topology, node) {
                    loaded::unmark(&wire, &key).await?;
                }
                Ok::<_, ClusterError>(undone)
            };
            match undone.await {
                Ok(undone) => removed += usize::from(undone == Undone::Removed),
                Err(error) => left.push(format!("{}: {error}", primary.addr)),
            }
        }
        let gone = before.keys().filter(|addr| topology.find(addr).is_none());
        for addr in gone {
            // One that follows another primary now has lost the library with that one's.
            let Ok(wire) = self.connector.admin(addr).await else {
                left.push(format!("{addr}: it is no primary any more and cannot be reached"));
                continue;
            };
            if Held::read(&wire, LibraryAlias::OWN)
                .await
                .is_ok_and(|held| held.is_some_and(|held| held.code == self.library.borrow().code()))
            {
                left.push(format!("{addr}: it is no primary any more and still holds it"));
            }
        }
        if left.is_empty() { Ok(removed) } else { Err(ClusterError::LibraryLeft(left)) }
    }

    /// After a crash: gives every primary with a mark back what it had before a run of this tool loaded its library.
    /// Returns how many libraries were removed or put back.
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
