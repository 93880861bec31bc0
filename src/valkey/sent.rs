//! What generators have sent to each node in a stretch, next to what the servers count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::addr::NodeAddr;
use super::wire::WireCounts;
use reclaim_analysis::record::RedirectKind;

/// What went to one node, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentTo {
    /// The node.
    pub addr: NodeAddr,
    /// Commands, by lower-case name ([`WireCounts::sent`]).
    pub sent: BTreeMap<String, u64>,
    /// Redirects, by kind.
    pub redirects: BTreeMap<RedirectKind, u64>,
    /// Commands without a reply.
    pub unanswered: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Connections that were found to be lost.
    #[serde(default)]
    pub lost: u64,
}

impl SentTo {
    /// Nothing.
    pub fn nothing(addr: NodeAddr) -> Self {
        let (sent, redirects) = Default::default();
        Self { addr, sent, redirects, unanswered: 0, connections: 0, lost: 0 }
    }

    /// By one process.
    pub fn new(addr: NodeAddr, counts: WireCounts) -> Self {
        Self {
            addr,
            sent: counts.sent.into_iter().map(|(name, n)| (name.to_owned(), n)).collect(),
            redirects: counts.redirects,
            unanswered: counts.unanswered,
            connections: counts.connections,
            lost: counts.lost,
        }
    }

    /// Adds what another one has sent to the same node.
    fn add(&mut self, more: &Self) {
        for (name, n) in &more.sent {
            *self.sent.entry(name.clone()).or_default() += n;
        }
        for (kind, n) in &more.redirects {
            *self.redirects.entry(*kind).or_default() += n;
        }
        self.unanswered += more.unanswered;
        self.connections += more.connections;
        self.lost += more.lost;
    }
}

/// What one process has sent, node by node.
pub fn sent_by(counts: BTreeMap<NodeAddr, WireCounts>) -> Vec<SentTo> {
    counts.into_iter().map(|(addr, counts)| SentTo::new(addr, counts)).collect()
}

/// What all of these have sent together, by node.
pub fn sent_together<'a>(all: impl IntoIterator<Item = &'a SentTo>) -> BTreeMap<NodeAddr, SentTo> {
    let mut sums: BTreeMap<NodeAddr, SentTo> = BTreeMap::new();
    for one in all {
        sums.entry(one.addr.clone()).or_insert_with(|| SentTo::nothing(one.addr.clone())).add(one);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_sent_to_a_node_is_added_name_by_name() {
        let addr = |port| NodeAddr { host: "a".into(), port };
        let one = |port: u64, fcalls: u64| WireCounts {
            sent: [("fcall", fcalls), ("ping", port)].into(),
            redirects: [(RedirectKind::Moved, 1)].into(),
            unanswered: 2,
            connections: 1,
            lost: port,
        };
        let first = sent_by([(addr(1), one(1, 5)), (addr(2), one(2, 7))].into());
        let second = sent_by([(addr(2), one(2, 3))].into());
        let sums = sent_together(first.iter().chain(&second));
        assert_eq!(sums[&addr(1)], first[0]);
        let both = &sums[&addr(2)];
        assert_eq!((both.sent["fcall"], both.sent["ping"], both.unanswered), (10, 4, 4));
        assert_eq!((both.connections, both.lost), (2, 4));
        assert_eq!(both.redirects, [(RedirectKind::Moved, 2)].into());
    }
}
