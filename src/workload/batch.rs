//! Many small requests as few large writes: pipelines per primary, two in flight each, every reply checked.

use std::cell::{Cell, RefCell};

use ff_core::partition::Partition;
use futures_util::StreamExt as _;
use redis::{Cmd, Pipeline, Value};
use tokio_util::sync::CancellationToken;

use super::error::WorkloadError;
use super::nodes::Nodes;
use crate::flowfabric::{CallError, ReplyError, Request};
use crate::valkey::{Wire, WireError};
use reclaim_analysis::record::WireCost;

/// Requests in one pipeline. Larger ones gain nothing and keep a primary from serving anybody else for longer.
const BATCH: usize = 128;
/// Pipelines in flight per primary: one is served while the next one is made.
const IN_FLIGHT: usize = 2;

/// How a long operation is watched and stopped.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Stops before the next batch.
    pub cancel: &'a CancellationToken,
    /// Called with (done, total) after each batch.
    pub progress: &'a dyn Fn(u64, u64),
}

/// Commands of one or more requests, in sending order.
#[derive(Default)]
pub(super) struct Batch {
    pipeline: Pipeline,
    names: Vec<&'static str>,
}

impl Batch {
    /// Adds a request.
    pub fn ask<R: Request>(&mut self, request: &R) {
        self.add(R::COMMAND, request.command());
    }

    /// Adds a plain command under its lower-case name.
    pub fn add(&mut self, name: &'static str, command: Cmd) {
        self.pipeline.add_command(command);
        self.names.push(name);
    }

    fn len(&self) -> usize {
        self.names.len()
    }
}

/// Replies to one request, in the order of its commands.
pub(super) struct Replies(std::vec::IntoIter<Result<Value, WireError>>);

impl Replies {
    /// The next reply, as a request of this type reads it.
    pub fn read<R: Request>(&mut self) -> Result<R::Reply, CallError> {
        Ok(R::parse(&self.value()?)?)
    }

    /// The next reply as it is.
    pub fn value(&mut self) -> Result<Value, CallError> {
        let missing =
            || ReplyError::Malformed { what: "pipeline", problem: "fewer replies than commands".into() };
        Ok(self.0.next().ok_or_else(missing)??)
    }
}

/// A kind of request: how it is put on the wire, and what its replies mean.
pub(super) trait Exchange {
    /// What a request is made for.
    type Item;
    /// What its replies come to.
    type Output;

    /// Adds the commands of one request. All of them go to the item's partition.
    fn encode(&self, item: &Self::Item, batch: &mut Batch);

    /// Reads the replies. A pipeline without an answer gives each of its requests the error for each command. The
    /// first error ends the operation once the pipelines in flight are through.
    fn decode(&self, item: Self::Item, replies: Replies) -> Result<Self::Output, WorkloadError>;
}

/// Sends one request per item, in order per primary, and returns the outputs in no particular order.
///
/// Nothing is left in flight when this returns: what was sent has been decoded, also after an error or a
/// cancellation.
pub(super) async fn exchange<X: Exchange>(
    nodes: &Nodes,
    items: Vec<(Partition, X::Item)>,
    kind: &X,
    control: &Control<'_>,
) -> Result<Vec<X::Output>, WorkloadError> {
    let total = items.len() as u64;
    let routing = nodes.routing();
    let mut queues: Vec<Vec<X::Item>> = routing.wires().iter().map(|_| Vec::new()).collect();
    for (partition, item) in items {
        queues[routing.position(partition)].push(item);
    }
    let (outputs, done) = (RefCell::new(Vec::with_capacity(total as usize)), Cell::new(0));
    let failure = RefCell::new(None);
    let send = &async |wire: &Wire, items: Vec<X::Item>| {
        if control.cancel.is_cancelled() || failure.borrow().is_some() {
            return;
        }
        let count = items.len() as u64;
        for decoded in send_batch(wire, items, kind).await {
            match decoded {
                Ok(output) => outputs.borrow_mut().push(output),
                Err(error) => _ = failure.borrow_mut().get_or_insert(error),
            }
        }
        done.set(done.get() + count);
        (control.progress)(done.get(), total);
    };
    let per_node = routing.wires().iter().zip(queues).map(|(wire, queue)| {
        let batches = chunks(queue).map(move |items| send(wire, items));
        futures_util::stream::iter(batches).buffer_unordered(IN_FLIGHT).collect::<()>()
    });
    futures_util::future::join_all(per_node).await;
    match failure.into_inner() {
        Some(error) => Err(error),
        None if done.get() < total => Err(WorkloadError::Cancelled),
        None => Ok(outputs.into_inner()),
    }
}

/// Sends a single request at once.
pub(super) async fn exchange_one<X: Exchange>(
    nodes: &Nodes,
    partition: Partition,
    item: X::Item,
    kind: &X,
) -> Result<X::Output, WorkloadError> {
    let mut outputs = send_batch(&nodes.wire_of(partition), vec![item], kind).await;
    outputs.swap_remove(0)
}

async fn send_batch<X: Exchange>(
    wire: &Wire,
    items: Vec<X::Item>,
    kind: &X,
) -> Vec<Result<X::Output, WorkloadError>> {
    let mut batch = Batch::default();
    let mut ends = Vec::with_capacity(items.len());
    for item in &items {
        kind.encode(item, &mut batch);
        ends.push(batch.len());
    }
    let answer = wire.pipeline(batch.names.iter().copied(), &batch.pipeline, &mut WireCost::default()).await;
    let mut replies = match answer {
        Ok(replies) => replies.into_iter(),
        Err(error) => vec![Err(error); batch.len()].into_iter(),
    };
    let mut begin = 0;
    items
        .into_iter()
        .zip(ends)
        .map(|(item, end)| {
            let own: Vec<_> = replies.by_ref().take(end - begin).collect();
            begin = end;
            kind.decode(item, Replies(own.into_iter()))
        })
        .collect()
}

fn chunks<T>(items: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rest = items.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = rest.by_ref().take(BATCH).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}
