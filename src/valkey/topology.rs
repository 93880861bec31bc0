//! Which primary owns which slot, and so which primary serves a partition.

use ff_core::partition::{Partition, PartitionFamily};
use reclaim_analysis::record::{SLOTS, slot_of_tag};

use super::addr::NodeAddr;

/// Position of a primary in [`Topology::primaries`]. Stable for one topology, not across a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(pub u16);

/// One primary and the slots it owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// Node id as in `CLUSTER MYID`.
    pub id: String,
    /// Where clients reach it.
    pub addr: NodeAddr,
    /// How many of the [`SLOTS`] it owns.
    pub slots: u32,
    /// How many replicas follow it.
    pub replicas: u32,
}

/// A complete map slot → primary, as read from the cluster at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    primaries: Vec<Primary>,
    owner: Box<[NodeIndex]>,
}

impl Topology {
    /// Builds a topology from primaries and the slot ranges (inclusive) that each one owns.
    ///
    /// Returns the first slot that nobody, or more than one primary, owns as the error.
    pub fn new(shards: Vec<(Primary, Vec<(u16, u16)>)>) -> Result<Self, UnservedSlot> {
        let mut owner = vec![None; SLOTS];
        let mut primaries = Vec::with_capacity(shards.len());
        for (position, (mut primary, ranges)) in shards.into_iter().enumerate() {
            primary.slots = 0;
            for slot in ranges.into_iter().flat_map(|(low, high)| low..=high) {
                match owner.get_mut(usize::from(slot)) {
                    Some(free @ None) => *free = Some(NodeIndex(position as u16)),
                    _ => return Err(UnservedSlot(slot)),
                }
                primary.slots += 1;
            }
            primaries.push(primary);
        }
        let owner = owner
            .into_iter()
            .enumerate()
            .map(|(slot, node)| node.ok_or(UnservedSlot(slot as u16)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { primaries, owner: owner.into_boxed_slice() })
    }

    /// The primaries, in the order that [`NodeIndex`] counts.
    pub fn primaries(&self) -> &[Primary] {
        &self.primaries
    }

    /// Every valid index, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.primaries.len() as u16).map(NodeIndex)
    }

    /// The primary that owns `slot`.
    pub fn owner_of_slot(&self, slot: u16) -> NodeIndex {
        self.owner[usize::from(slot) % SLOTS]
    }

    /// The primary that serves every key tagged with `partition`.
    pub fn owner_of(&self, partition: Partition) -> NodeIndex {
        self.owner_of_slot(slot_of_tag(&partition.hash_tag()))
    }

    /// Flow partitions that each primary serves, in the order that [`NodeIndex`] counts.
    pub fn partition_counts(&self, partitions: u16) -> Vec<u32> {
        let mut counts = vec![0; self.primaries.len()];
        for index in 0..partitions {
            let owner = self.owner_of(Partition { family: PartitionFamily::Flow, index });
            counts[usize::from(owner.0)] += 1;
        }
        counts
    }

    /// Partitions on the busiest primary over the mean: 1.0 is even.
    pub fn hottest_share(&self, partitions: u16) -> f64 {
        let busiest = self.partition_counts(partitions).into_iter().max().unwrap_or(0);
        let mean = f64::from(partitions) / self.primaries.len() as f64;
        if mean > 0.0 { f64::from(busiest) / mean } else { 1.0 }
    }

    /// The first slot that another map gives to another primary, with both of their addresses; changes of
    /// owner that are `wanted` aside.
    pub fn first_difference<'a>(
        &'a self,
        other: &'a Self,
        wanted: impl Fn(u16, &NodeAddr, &NodeAddr) -> bool,
    ) -> Option<(u16, [&'a NodeAddr; 2])> {
        let owner = |map: &'a Self, slot| &map.primaries[usize::from(map.owner_of_slot(slot).0)].addr;
        (0..SLOTS as u16)
            .map(|slot| (slot, [owner(self, slot), owner(other, slot)]))
            .find(|(slot, [one, other])| one != other && !wanted(*slot, one, other))
    }

    /// Finds the primary at an address, as a MOVED or ASK reply names it.
    pub fn find(&self, addr: &NodeAddr) -> Option<NodeIndex> {
        self.primaries.iter().position(|p| &p.addr == addr).map(|i| NodeIndex(i as u16))
    }
}

/// A slot that has no owner, or two: the cluster cannot serve every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {0} is not served by exactly one primary")]
pub struct UnservedSlot(pub u16);

#[cfg(test)]
mod tests {
    use reclaim_analysis::judge::capacity::hottest_share;

    use super::*;

    #[test]
    fn a_gap_or_an_overlap_is_named() {
        let node = |name: &str| Primary {
            id: name.into(),
            addr: NodeAddr { host: "127.0.0.1".into(), port: 1 },
            slots: 0,
            replicas: 0,
        };
        let gap = Topology::new(vec![(node("a"), vec![(0, 99)]), (node("b"), vec![(101, 16383)])]);
        assert_eq!(gap, Err(UnservedSlot(100)));
        let twice = Topology::new(vec![(node("a"), vec![(0, 100)]), (node("b"), vec![(100, 16383)])]);
        assert_eq!(twice, Err(UnservedSlot(100)));
        let good =
            Topology::new(vec![(node("a"), vec![(0, 8191)]), (node("b"), vec![(8192, 16383)])]).unwrap();
        assert_eq!(good.owner_of_slot(8192), NodeIndex(1));
        assert_eq!(good.primaries()[0].slots, 8192);
    }

    /// Planning for clusters that are not there reckons with the ranges that a cluster of this tool has, slot
    /// for slot.
    #[test]
    fn the_busiest_share_of_even_ranges_is_the_one_that_sizing_reckons_with() {
        for primaries in [1u16, 2, 3, 5, 7, 12, 31, 64] {
            let shards = (0..usize::from(primaries))
                .map(|n| {
                    let count = usize::from(primaries);
                    let addr = NodeAddr { host: "127.0.0.1".into(), port: 7_000 + n as u16 };
                    let primary = Primary { id: n.to_string(), addr, slots: 0, replicas: 0 };
                    let range = (n * SLOTS / count, (n + 1) * SLOTS / count - 1);
                    (primary, vec![(range.0 as u16, range.1 as u16)])
                })
                .collect();
            let live = Topology::new(shards).unwrap().hottest_share(256);
            assert!((hottest_share(256, u32::from(primaries)) - live).abs() < 1e-12, "{primaries}");
        }
    }
}
