//! For tests: a wire that leads to no server but to the test.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use std::time::Duration;
use tokio::io::DuplexStream;

use super::addr::NodeAddr;
use super::wire::Wire;

/// A wire with one connection, and its other end.
pub(crate) async fn wire() -> (Wire, DuplexStream) {
    wire_to(1).await
}

/// The same as to a server with this port.
pub(crate) async fn wire_to(port: u16) -> (Wire, DuplexStream) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
    let opened = MultiplexedConnection::new_with_config(&login, near, AsyncConnectionConfig::new()).await;
    let (connection, task) = opened.unwrap();
    tokio::spawn(task);
    let addr = NodeAddr { host: "127.0.0.1".into(), port };
    (Wire::new(addr, vec![connection], Duration::from_mins(1)), far)
}

/// Waits until the tasks of connections have seen what is there to be seen.
pub(crate) async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
