//! The servers' clocks as a claim needs them: was a grant that is gone past its time?

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cluster::Cluster;
use crate::flowfabric::{CallError, ReadServerTime, call};
use crate::valkey::{NodeAddr, Wire};
use reclaim_analysis::record::WireCost;

/// The clock of every primary, read through this machine's. They need not agree: a grant runs out by the
/// clock of the server that holds it. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct ServerClocks {
    /// Server time minus local time, in microseconds.
    offsets_us: Rc<RefCell<HashMap<NodeAddr, i64>>>,
}

impl ServerClocks {
    /// Reads the clocks of all primaries of a cluster.
    pub async fn measure(cluster: &Cluster) -> Result<Self, CallError> {
        let clocks = Self::default();
        for node in cluster.topology().nodes() {
            clocks.read(&cluster.admin(node)).await?;
        }
        Ok(clocks)
    }

    /// Compares clocks over a wire by a few `TIME` commands and keeps the quickest.
    ///
    /// The answer is taken as if the server had read its clock the moment the command was sent. So the
    /// estimate is never behind the server, and ahead by one round trip at most: a grant that had expired is
    /// never taken for one that was refused.
    pub async fn read(&self, wire: &Wire) -> Result<(), CallError> {
        const SAMPLES: u32 = 5;
        let mut offset_us = i64::MAX;
        for _ in 0..SAMPLES {
            let sent = local_us();
            let server = call(wire, &ReadServerTime, &mut WireCost::default()).await?;
            offset_us = offset_us.min(server - sent);
        }
        self.offsets_us.borrow_mut().insert(wire.addr().clone(), offset_us);
        Ok(())
    }

    /// Whether a primary's clock has been read.
    pub fn knows(&self, addr: &NodeAddr) -> bool {
        self.offsets_us.borrow().contains_key(addr)
    }

    /// A primary's time now, in milliseconds since the epoch. For an unread primary, the latest known server
    /// time, so that an expired grant is not mistaken for a refusal.
    pub fn now_ms(&self, addr: &NodeAddr) -> u64 {
        let offsets = self.offsets_us.borrow();
        let offset_us = offsets.get(addr).or_else(|| offsets.values().max()).copied().unwrap_or(0);
        u64::try_from((local_us() + offset_us) / 1_000).unwrap_or(0)
    }
}

/// This machine's time in microseconds since the epoch; zero for a clock before it.
fn local_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_primary_has_its_own_time() {
        let addr = |port| NodeAddr { host: "127.0.0.1".into(), port };
        let hour_us = 3_600_000_000;
        let clocks = ServerClocks::default();
        clocks.offsets_us.borrow_mut().extend([(addr(1), -hour_us), (addr(2), hour_us)]);
        let [before, ahead, after] = [1, 2, 1].map(|port| clocks.now_ms(&addr(port)));
        assert!((before + 7_200_000..=after + 7_200_000).contains(&ahead), "{before} {ahead} {after}");
        assert!(clocks.knows(&addr(1)) && !clocks.knows(&addr(3)));
        assert!(clocks.now_ms(&addr(3)) >= clocks.now_ms(&addr(1)) + 7_000_000);
    }
}
