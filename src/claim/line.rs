//! The connection that one claim uses.

use redis::Pipeline;

use crate::flowfabric::{CallError, LibraryAlias, ReplyError, Request};
use crate::valkey::{Wire, WireError};
use reclaim_analysis::record::WireCost;

/// A wire, and whether the node behind it must be told to serve a slot that it is only importing.
#[derive(Clone)]
pub struct Line {
    wire: Wire,
    asking: bool,
    library: LibraryAlias,
}

impl Line {
    /// To the node that owns the slot.
    pub fn owner(wire: Wire) -> Self {
        Self { wire, asking: false, library: LibraryAlias::OWN }
    }

    /// To the node that an ASK named: each command goes behind an `ASKING` in the same write, because the permission
    /// holds for one command and one connection only.
    pub fn asking(wire: Wire) -> Self {
        Self { wire, asking: true, library: LibraryAlias::OWN }
    }

    /// The same line, calling the functions of this library.
    #[must_use]
    pub(super) fn calling(self, library: LibraryAlias) -> Self {
        Self { library, ..self }
    }

    /// Sends one request: one round trip.
    pub(super) async fn call<R: Request>(
        &self,
        request: &R,
        cost: &mut WireCost,
    ) -> Result<R::Reply, CallError> {
        if !self.asking {
            let reply = self.wire.call(R::COMMAND, &request.command_of(self.library), cost).await?;
            return Ok(R::parse(&reply)?);
        }
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("ASKING").add_command(request.command_of(self.library));
        let replies = self.wire.pipeline(["asking", R::COMMAND], &pipeline, cost).await?;
        let [_, reply] = exactly(R::WHAT, replies)?;
        Ok(R::parse(&reply?)?)
    }

    /// Sends two requests in one write: one round trip.
    pub(super) async fn call_both<A: Request, B: Request>(
        &self,
        first: &A,
        second: &B,
        cost: &mut WireCost,
    ) -> Result<(A::Reply, B::Reply), CallError> {
        let mut pipeline = Pipeline::with_capacity(4);
        let [first_reply, second_reply] = if self.asking {
            pipeline.cmd("ASKING").add_command(first.command_of(self.library));
            pipeline.cmd("ASKING").add_command(second.command_of(self.library));
            let names = ["asking", A::COMMAND, "asking", B::COMMAND];
            let replies = self.wire.pipeline(names, &pipeline, cost).await?;
            let [_, first, _, second] = exactly(A::WHAT, replies)?;
            [first, second]
        } else {
            pipeline.add_command(first.command_of(self.library)).add_command(second.command_of(self.library));
            exactly(A::WHAT, self.wire.pipeline([A::COMMAND, B::COMMAND], &pipeline, cost).await?)?
        };
        Ok((A::parse(&first_reply?)?, B::parse(&second_reply?)?))
    }
}

type Replies = Vec<Result<redis::Value, WireError>>;

/// A pipeline's replies, one per command.
fn exactly<const N: usize>(
    what: &'static str,
    replies: Replies,
) -> Result<[Result<redis::Value, WireError>; N], ReplyError> {
    replies.try_into().map_err(|replies: Replies| ReplyError::Malformed {
        what,
        problem: format!("{} replies to {N} commands", replies.len()),
    })
}
