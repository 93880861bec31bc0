//! The connection that one claim uses.

use std::time::Instant;

use redis::{Cmd, Pipeline, Value};

use super::spent::Spent;

use crate::flowfabric::{CallError, LibraryAlias, ReplyError, Request};
use crate::valkey::Wire;
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

    /// To the node that an ASK named: each command goes behind an `ASKING` in the same write, because the
    /// permission holds for one command and one connection only.
    pub fn asking(wire: Wire) -> Self {
        Self { wire, asking: true, library: LibraryAlias::OWN }
    }

    /// The same line, calling the functions of this library.
    #[must_use]
    pub(super) fn calling(self, library: LibraryAlias) -> Self {
        Self { library, ..self }
    }

    /// The same line over one connection: a WAIT waits for what was sent over its own.
    #[must_use]
    pub(super) fn pinned(self) -> Self {
        Self { wire: self.wire.pinned(), ..self }
    }

    /// Sends one request: one round trip.
    pub(super) async fn call<R: Request>(
        &self,
        request: &R,
        spent: &mut Spent,
    ) -> Result<R::Reply, CallError> {
        let begun = Instant::now();
        let command = request.command_of(self.library);
        let reply = if self.asking {
            let mut pipeline = Pipeline::with_capacity(2);
            pipeline.cmd("ASKING").add_command(command);
            let mut cost = WireCost::default();
            let replies = self.wire.pipeline(["asking", R::COMMAND], &pipeline, &mut cost).await;
            spent.add_without_asking(cost, 1);
            let [_, reply] = exactly(R::WHAT, replies?)?;
            reply?
        } else {
            self.wire.call(R::COMMAND, &command, &mut spent.cost).await?
        };
        let reply = R::parse(&reply)?;
        spent.steps.push(begun.elapsed());
        Ok(reply)
    }

    /// Sends several commands in one write: one round trip. Each reply is read by whoever made its command;
    /// `what` names them all in messages.
    pub(super) async fn pipeline<const N: usize>(
        &self,
        what: &'static str,
        commands: [(&'static str, Cmd); N],
        spent: &mut Spent,
    ) -> Result<[Value; N], CallError> {
        let begun = Instant::now();
        let mut pipeline = Pipeline::with_capacity(2 * N);
        let mut names = Vec::with_capacity(2 * N);
        for (name, command) in commands {
            if self.asking {
                pipeline.cmd("ASKING");
                names.push("asking");
            }
            pipeline.add_command(command);
            names.push(name);
        }
        let (stride, asked) = if self.asking { (2, N as u32) } else { (1, 0) };
        let mut cost = WireCost::default();
        let replies = self.wire.pipeline(names, &pipeline, &mut cost).await;
        spent.add_without_asking(cost, asked);
        let replies = replies?.into_iter().skip(stride - 1).step_by(stride).collect::<Result<Vec<_>, _>>()?;
        spent.steps.push(begun.elapsed());
        Ok(exactly(what, replies)?)
    }

    /// A request as one of a pipeline's commands.
    pub(super) fn part<R: Request>(&self, request: &R) -> (&'static str, Cmd) {
        (R::COMMAND, request.command_of(self.library))
    }
}

/// A pipeline's replies, one per command.
fn exactly<T, const N: usize>(what: &'static str, replies: Vec<T>) -> Result<[T; N], ReplyError> {
    replies.try_into().map_err(|replies: Vec<T>| ReplyError::Malformed {
        what,
        problem: format!("{} replies to {N} commands", replies.len()),
    })
}
