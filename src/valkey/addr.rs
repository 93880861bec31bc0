//! Where a node listens.

use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};

use serde::{Deserialize, Serialize};

/// Address of a node as clients reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeAddr {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl NodeAddr {
    /// Whether this names the machine that asks.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// Whether this is an address of one of this machine's interfaces, or a name for one, whatever it is
    /// called. Asks the system's resolver where it is a name.
    pub fn is_this_machine(&self) -> bool {
        // Only an address of its own can be bound.
        let own = |addr: SocketAddr| UdpSocket::bind(addr).is_ok();
        self.is_loopback() || (self.host.as_str(), 0).to_socket_addrs().is_ok_and(|mut addrs| addrs.any(own))
    }
}

impl std::fmt::Display for NodeAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_interfaces() {
        let here = |host: &str| NodeAddr { host: host.to_owned(), port: 6379 }.is_this_machine();
        assert!(here("localhost") && here("127.0.0.7") && here("::1"));
        // Reserved for documentation: nobody has it.
        assert!(!here("192.0.2.1") && !here("2001:db8::1"));
        // The address by which this machine reaches others; nothing is sent.
        let outward = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:9")?;
            socket.local_addr()
        });
        if let Ok(addr) = outward {
            assert!(here(&addr.ip().to_string()), "{addr}");
        }
    }
}
