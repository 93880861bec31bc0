//! Cutting a server off from the network, and taking it back.

use std::time::Duration;

#[cfg(all(feature = "container", unix))]
use super::container_thread::ContainerThread;
use super::fault::FaultError;
use super::form::is_well;
use super::handle::Cluster;
use crate::valkey::{MemberState, NodeAddr, Wire, read_members, text};
use reclaim_analysis::scenario::CutFrom;

/// How long a server may take until all call it well: it waits for some seconds itself before it trusts what
/// it hears, and one that has become a replica is sent all that it has missed.
const WELL_LIMIT: Duration = Duration::from_secs(30);

/// A try to reach it. Until the system has heard of the address again, connections wait for nothing.
const TRY_LIMIT: Duration = Duration::from_millis(500);

const PAUSE: Duration = Duration::from_millis(50);

/// A server that is cut off. It comes back when this is dropped, however that comes.
#[derive(Debug)]
pub struct CutOff {
    #[cfg(all(feature = "container", unix))]
    addr: NodeAddr,
    #[cfg(all(feature = "container", unix))]
    way: Option<(ContainerThread, usize)>,
}

impl CutOff {
    /// Takes it onto its networks again, and returns when it is.
    #[cfg(all(feature = "container", unix))]
    pub async fn rejoin(mut self) -> Result<(), FaultError> {
        if let Some((thread, place)) = &self.way {
            // Where that fails, dropping it tries again.
            let joined = thread.join(*place).await;
            joined.map_err(|detail| FaultError::Network { addr: self.addr.clone(), detail })?;
            self.way = None;
        }
        Ok(())
    }

    /// Nothing is cut off in this build.
    #[cfg(not(all(feature = "container", unix)))]
    pub async fn rejoin(self) -> Result<(), FaultError> {
        std::future::ready(Ok(())).await
    }
}

#[cfg(all(feature = "container", unix))]
impl Drop for CutOff {
    fn drop(&mut self) {
        if let Some((thread, place)) = self.way.take() {
            thread.post_join(place);
        }
    }
}

impl Cluster {
    /// Whether a server can be cut off here.
    pub fn can_cut_off(&self) -> bool {
        self.servers.apart()
    }

    /// Takes a server off its networks until what this returns is dropped.
    #[cfg(all(feature = "container", unix))]
    pub async fn cut_off(&self, addr: &NodeAddr, from: CutFrom) -> Result<CutOff, FaultError> {
        let way = self.servers.containers_of(addr).filter(|_| self.can_cut_off());
        let (thread, place) = way.ok_or_else(|| FaultError::NotApart { addr: addr.clone() })?;
        // From here on: half of it may be done where the other half fails.
        let off = CutOff { addr: addr.clone(), way: Some((thread.clone(), place)) };
        let failed = |detail| FaultError::Network { addr: addr.clone(), detail };
        thread.cut(place, from).await.map_err(failed)?;
        Ok(off)
    }

    /// Takes a server off its networks: not in this build.
    #[cfg(not(all(feature = "container", unix)))]
    pub async fn cut_off(&self, addr: &NodeAddr, _: CutFrom) -> Result<CutOff, FaultError> {
        std::future::ready(Err(FaultError::NotApart { addr: addr.clone() })).await
    }

    /// Waits until a server that was cut off calls the cluster well, and it and the primaries that answer
    /// agree on what it is: none calls it failed, and all say that it serves slots or whom it follows.
    pub async fn until_rejoined(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        let back = async || (self.has_rejoined(addr).await == Some(true)).then_some(());
        self.until((addr, "is not back in the cluster"), (WELL_LIMIT, PAUSE), back).await
    }

    /// `None` if the server does not answer, or is missing in its own node list or that of a primary that
    /// answers.
    async fn has_rejoined(&self, addr: &NodeAddr) -> Option<bool> {
        let role = |members: &[MemberState]| members.iter().find(|member| &member.addr == addr).map(role_of);
        let own = async |wire: &Wire| {
            let info = redis::cmd("CLUSTER").arg("INFO").to_owned();
            let state = text(wire, "CLUSTER INFO", &info, "cluster|info").await.ok()?;
            Some((state, read_members(wire).await.ok()?))
        };
        let (state, own) = self.answer_of(addr, own).await?;
        let agreed = role(&own)?;
        if !is_well(&state) || agreed.is_none() {
            return Some(false);
        }
        // Uses the rejoined server's map: other maps may not list its successor yet.
        let (mut others, mut answers) = (0, 0);
        for primary in own.iter().filter(|member| member.serves && &member.addr != addr) {
            others += 1;
            let members = async |wire: &Wire| read_members(wire).await.ok();
            if let Some(members) = self.answer_of(&primary.addr, members).await {
                answers += 1;
                if role(&members)? != agreed {
                    return Some(false);
                }
            }
        }
        Some(answers > 0 || others == 0)
    }

    /// What a server answers over a connection that is new; `None` where it does not in time.
    async fn answer_of<T>(&self, addr: &NodeAddr, ask: impl AsyncFnOnce(&Wire) -> Option<T>) -> Option<T> {
        let asked = async { ask(&self.connector.admin(addr).await.ok()?).await };
        tokio::time::timeout(TRY_LIMIT, asked).await.ok().flatten()
    }
}

/// Whether a server serves slots or whom it follows; `None` where it is failed, or does neither: a primary
/// whose slots were given to another becomes a replica when it hears of that.
fn role_of(member: &MemberState) -> Option<(bool, Option<String>)> {
    let role = (member.serves, member.follows.clone());
    (!member.failed && role != (false, None)).then_some(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_that_has_lost_its_slots_is_not_back_before_it_follows() {
        let member = |serves, follows: Option<&str>, failed| MemberState {
            id: "own".to_owned(),
            addr: NodeAddr { host: "127.0.0.1".to_owned(), port: 1 },
            follows: follows.map(str::to_owned),
            failed,
            serves,
        };
        assert_eq!(role_of(&member(true, None, false)), Some((true, None)));
        assert_eq!(role_of(&member(false, Some("heir"), false)), Some((false, Some("heir".to_owned()))));
        for missing in [member(false, None, false), member(true, None, true)] {
            assert_eq!(role_of(&missing), None);
        }
    }
}
