//! One trait for everything that is asked of a server: functions and plain reads alike know how they are
//! encoded and what their reply means, so whoever sends them only moves values.

use redis::{Cmd, Value};

use super::library_alias::LibraryAlias;
use super::reply::ReplyError;
use crate::valkey::{Wire, WireError};
use reclaim_analysis::record::WireCost;

/// A command with a typed reply.
pub trait Request {
    /// Lower-case command name, as `INFO commandstats` and the wire's tally count it.
    const COMMAND: &'static str;
    /// What is asked, for messages: the function, or the read and what it reads.
    const WHAT: &'static str;
    /// What a good reply holds.
    type Reply;

    /// The command, ready to send.
    fn command(&self) -> Cmd;

    /// The same, to one library among several on the server. Requests that call no function do not differ.
    fn command_of(&self, _library: LibraryAlias) -> Cmd {
        self.command()
    }

    /// Reads the reply to such a command.
    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError>;
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no reply: redirected, too late, disconnected, or refused by the server itself.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// There is one, and it is a refusal or of unknown form.
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

/// Sends one request and reads its reply: one round trip.
pub async fn call<R: Request>(wire: &Wire, request: &R, cost: &mut WireCost) -> Result<R::Reply, CallError> {
    let reply = wire.call(R::COMMAND, &request.command(), cost).await?;
    Ok(R::parse(&reply)?)
}
