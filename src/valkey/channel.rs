//! Messages of a shard channel: a connection of its own, over which a server says by itself what others have
//! published.

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc::UnboundedReceiver;

use super::addr::NodeAddr;
use super::error::ValkeyError;

/// A subscription to one shard channel. It ends with its connection.
pub struct Subscription {
    addr: NodeAddr,
    pushed: UnboundedReceiver<PushInfo>,
    /// The connection is closed when its last handle goes.
    _connection: MultiplexedConnection,
}

impl Subscription {
    pub(super) fn new(
        addr: NodeAddr,
        pushed: UnboundedReceiver<PushInfo>,
        connection: MultiplexedConnection,
    ) -> Self {
        Self { addr, pushed, _connection: connection }
    }

    /// The next message, whenever it comes. Cancelling loses none.
    pub async fn next(&mut self) -> Result<Vec<u8>, ValkeyError> {
        loop {
            let lost = || ValkeyError::ChannelLost { addr: self.addr.clone() };
            let PushInfo { kind, data } = self.pushed.recv().await.ok_or_else(lost)?;
            match (kind, data.into_iter().nth(1)) {
                (PushKind::SMessage, Some(Value::BulkString(message))) => return Ok(message),
                // The slot has gone to another server, or the connection has broken: nothing will come any
                // more.
                (PushKind::SUnsubscribe | PushKind::Disconnection, _) => return Err(lost()),
                // That the subscription stands.
                _ => {}
            }
        }
    }
}
