//! Where nodes are reached: as they are announced, or elsewhere behind NAT, containers and port forwards.

use std::cell::RefCell;
use std::collections::HashMap;

use super::addr::NodeAddr;

/// What one node says of another in `CLUSTER SLOTS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Who says so.
    pub(super) by: NodeAddr,
    /// The host name that goes with the address: what its certificate is made out to.
    pub(super) name: Option<String>,
}

/// Addresses that were announced, and those that lead there.
#[derive(Default)]
pub(super) struct Reach {
    map: HashMap<NodeAddr, NodeAddr>,
    announced: RefCell<HashMap<NodeAddr, Announced>>,
}

impl Reach {
    /// With pairs of an announced address and the one that leads there.
    pub(super) fn new(map: &[(NodeAddr, NodeAddr)]) -> Self {
        Self { map: map.iter().cloned().collect(), announced: RefCell::default() }
    }

    /// Notes what was announced. What the user named as a seed needs no announcement.
    pub(super) fn learn(&self, announced: impl IntoIterator<Item = (NodeAddr, Announced)>) {
        self.announced.borrow_mut().extend(announced);
    }

    /// Where to connect for a node.
    pub(super) fn address_for<'a>(&'a self, addr: &'a NodeAddr) -> &'a NodeAddr {
        self.map.get(addr).unwrap_or(addr)
    }

    /// The name that a node's certificate must bear: the one that was announced or that the user calls it by;
    /// for one that has none, that of where it is reached.
    pub(super) fn name_of(&self, addr: &NodeAddr) -> String {
        let announced = self.announced.borrow().get(addr).and_then(|announced| announced.name.clone());
        let has_name = addr.host.parse::<std::net::IpAddr>().is_err();
        announced.unwrap_or_else(|| if has_name { addr } else { self.address_for(addr) }.host.clone())
    }

    /// For an error: how it was tried to get there, and who said so.
    pub(super) fn told(&self, addr: &NodeAddr) -> String {
        let through = match self.address_for(addr) {
            reached if reached == addr => String::new(),
            reached => format!(" (by --map at {reached})"),
        };
        let announced = self.announced.borrow();
        let by = announced.get(addr).filter(|announced| announced.by != *addr);
        let by = by.map(|announced| format!(", as {} announces it", announced.by)).unwrap_or_default();
        format!("{through}{by}")
    }

    /// Whether an address is somebody's announcement that the user has not mapped.
    pub(super) fn may_need_map(&self, addr: &NodeAddr) -> bool {
        !self.map.contains_key(addr)
            && self.announced.borrow().get(addr).is_some_and(|announced| announced.by != *addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(host: &str, port: u16) -> NodeAddr {
        NodeAddr { host: host.to_owned(), port }
    }

    #[test]
    fn a_node_is_reached_where_the_map_says_under_the_name_that_was_announced() {
        let (one, two) = (addr("10.0.0.1", 6379), addr("10.0.0.2", 6379));
        let reach = Reach::new(&[(one.clone(), addr("localhost", 7001))]);
        assert_eq!((reach.address_for(&one), reach.address_for(&two)), (&addr("localhost", 7001), &two));
        assert_eq!(
            (reach.name_of(&one), reach.name_of(&two)),
            ("localhost".to_owned(), "10.0.0.2".to_owned())
        );
        let named = addr("c.test", 6379);
        let by_name = Reach::new(&[(named.clone(), addr("127.0.0.1", 7001))]);
        assert_eq!(by_name.name_of(&named), "c.test", "a forward changes no certificate");
        assert_eq!(reach.told(&two), "");
        let announced = |name: &str| Announced { by: addr("seed", 7000), name: Some(name.to_owned()) };
        reach.learn([(one.clone(), announced("a.test")), (two.clone(), announced("b.test"))]);
        assert_eq!((reach.name_of(&one), reach.name_of(&two)), ("a.test".to_owned(), "b.test".to_owned()));
        assert_eq!(reach.told(&two), ", as seed:7000 announces it");
        assert_eq!(reach.told(&one), " (by --map at localhost:7001), as seed:7000 announces it");
        assert!(reach.may_need_map(&two) && !reach.may_need_map(&one));
    }
}
