//! All nodes of a cluster as one of them sees it (`CLUSTER NODES`): who follows whom, and who is down as
//! failed.

use super::addr::NodeAddr;
use super::ask::text;
use super::error::ValkeyError;
use super::wire::Wire;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberState {
    /// Its id.
    pub(crate) id: String,
    /// Where clients reach it.
    pub(crate) addr: NodeAddr,
    /// The primary that it follows; `None` for a primary.
    pub(crate) follows: Option<String>,
    /// Whether it is down as failed: most primaries agree.
    pub(crate) failed: bool,
    /// Whether it serves slots.
    pub(crate) serves: bool,
}

/// All nodes as the one at the other end of `wire` sees them.
pub(crate) async fn read_members(wire: &Wire) -> Result<Vec<MemberState>, ValkeyError> {
    let reply = text(wire, "CLUSTER NODES", redis::cmd("CLUSTER").arg("NODES"), "cluster|nodes").await?;
    Ok(reply.lines().filter_map(|line| member(line, wire.addr())).collect())
}

/// `ID HOST:PORT@BUS[,NAME] FLAGS PRIMARY PING PONG EPOCH LINK SLOT ...`; `None` for what is no such line.
fn member(line: &str, asked: &NodeAddr) -> Option<MemberState> {
    let mut words = line.split_whitespace();
    let (id, at, flags, primary) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (host, port) = at.split('@').next()?.rsplit_once(':')?;
    // A node that does not know its own address yet was asked at one that is good.
    let host = if host.is_empty() { asked.host.as_str() } else { host.trim_matches(['[', ']']) };
    let flags: Vec<&str> = flags.split(',').collect();
    Some(MemberState {
        id: id.to_owned(),
        addr: NodeAddr { host: host.to_owned(), port: port.parse().ok()? },
        follows: (primary != "-").then(|| primary.to_owned()),
        failed: flags.contains(&"fail"),
        // Behind ping, pong, epoch and link; slots on their way stand in brackets.
        serves: words.skip(4).any(|slots| !slots.starts_with('[')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
07c37df 127.0.0.1:30004@31004,host-4 slave e7d1eec 0 1426238317239 4 connected
e7d1eec 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460 [93-<-292f8b3]
292f8b3 [::1]:30003@31003 master,fail - 1426238318243 1426238317000 3 disconnected
824fe11 :30005@31005 slave,fail? 292f8b3 0 1426238316232 5 connected
";

    #[test]
    fn roles_failures_and_slots_are_told_apart() {
        let asked = NodeAddr { host: "10.0.0.9".into(), port: 1 };
        let all: Vec<_> = NODES.lines().filter_map(|line| member(line, &asked)).collect();
        let seen: Vec<_> =
            all.iter().map(|m| (m.addr.to_string(), m.follows.as_deref(), m.failed, m.serves)).collect();
        assert_eq!(
            seen,
            [
                ("127.0.0.1:30004".to_owned(), Some("e7d1eec"), false, false),
                ("127.0.0.1:30001".to_owned(), None, false, true),
                ("[::1]:30003".to_owned(), None, true, false),
                ("10.0.0.9:30005".to_owned(), Some("292f8b3"), false, false),
            ]
        );
        assert_eq!(all[0].id, "07c37df");
    }

    proptest::proptest! {
        #[test]
        fn no_reply_makes_the_reader_panic(line in "\\PC{0,80}") {
            let _ = member(&line, &NodeAddr { host: String::new(), port: 1 });
        }
    }
}
