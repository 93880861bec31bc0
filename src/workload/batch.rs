//! Many small requests as few large writes: pipelines per primary, two in flight each, every reply checked.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ff_core::partition::Partition;
use futures_util::StreamExt as _;
use redis::{Cmd, Pipeline, Value};
use tokio_util::sync::CancellationToken;

use super::error::{WorkloadError, worth_asking_again};
use super::nodes::Nodes;
use crate::flowfabric::{CallError, ReplyError, Request};
use crate::valkey::{Wire, WireError};
use reclaim_analysis::record::WireCost;

/// Requests in one pipeline. Larger ones gain nothing and keep a primary from serving anybody else for longer.
const BATCH: usize = 128;
/// Pipelines in flight per primary: one is served while the next one is made.
const IN_FLIGHT: usize = 2;

/// How often a question is asked that nobody could answer, and the pause before it is asked again: as long as a failover
/// or a script of some length takes.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);

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

/// Requests of which each fails for itself.
pub(super) struct Each<'a, X>(pub(super) &'a X);

impl<X: Exchange> Exchange for Each<'_, X> {
    type Item = X::Item;
    type Output = Result<X::Output, WorkloadError>;

    fn encode(&self, item: &Self::Item, batch: &mut Batch) {
        self.0.encode(item, batch);
    }

    fn decode(&self, item: Self::Item, replies: Replies) -> Result<Self::Output, WorkloadError> {
        Ok(self.0.decode(item, replies))
    }
}

/// Sends one request per item, in order per primary, and returns the outputs in no particular order.
///
/// Nothing is left in flight when this returns: what was sent has been decoded, also after an error or a
/// cancellation.
///
/// Where `nodes` [asks again](Nodes::asks_again), a request that was redirected, met a busy server or lost its connection is
/// sent once more, to wherever its partition is by then. All of them must be harmless to repeat.
pub(super) async fn exchange<X: Exchange>(
    nodes: &Nodes,
    items: Vec<(Partition, X::Item)>,
    kind: &X,
    control: &Control<'_>,
) -> Result<Vec<X::Output>, WorkloadError> {
    let mut outputs = Vec::with_capacity(items.len());
    let mut left = items;
    for attempt in 1.. {
        let last = attempt == ATTEMPTS || !nodes.asks_again();
        left = pass(nodes, left, kind, (control, last), &mut outputs).await?;
        if left.is_empty() {
            break;
        }
        tokio::select! {
            () = control.cancel.cancelled() => return Err(WorkloadError::Cancelled),
            () = tokio::time::sleep(PAUSE) => {}
        }
        // Where that fails, the next pass says what is wrong with each request.
        let _ = nodes.refresh().await;
    }
    Ok(outputs)
}

/// Sends each request once. Returns those that are worth another pass; none after the `last`.
async fn pass<X: Exchange>(
    nodes: &Nodes,
    items: Vec<(Partition, X::Item)>,
    kind: &X,
    (control, last): (&Control<'_>, bool),
    outputs: &mut Vec<X::Output>,
) -> Result<Vec<(Partition, X::Item)>, WorkloadError> {
    let total = items.len() as u64;
    let routing = nodes.routing();
    let mut queues: Vec<Vec<(Partition, X::Item)>> = routing.wires().iter().map(|_| Vec::new()).collect();
    for (partition, item) in items {
        queues[routing.position(partition)].push((partition, item));
    }
    let (collected, done) = (RefCell::new(outputs), Cell::new(0));
    let again = RefCell::new(Vec::new());
    let failure = RefCell::new(None);
    let send = &async |wire: &Wire, items: Vec<(Partition, X::Item)>| {
        if control.cancel.is_cancelled() || failure.borrow().is_some() {
            return;
        }
        let count = items.len() as u64;
        for answered in send_batch((nodes, wire), items, (kind, last)).await {
            match answered {
                Answered::Again(partition, item) => again.borrow_mut().push((partition, item)),
                Answered::Decoded(Ok(output)) => collected.borrow_mut().push(output),
                Answered::Decoded(Err(error)) => _ = failure.borrow_mut().get_or_insert(error),
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
        None => Ok(again.into_inner()),
    }
}

/// Sends a single request at once.
pub(super) async fn exchange_one<X: Exchange>(
    nodes: &Nodes,
    partition: Partition,
    item: X::Item,
    kind: &X,
) -> Result<X::Output, WorkloadError> {
    let wire = nodes.wire_of(partition);
    match send_batch((nodes, &wire), vec![(partition, item)], (kind, true)).await.swap_remove(0) {
        Answered::Decoded(decoded) => decoded,
        Answered::Again(..) => Err(WorkloadError::Cancelled),
    }
}

/// What became of one request.
enum Answered<X: Exchange> {
    Decoded(Result<X::Output, WorkloadError>),
    Again(Partition, X::Item),
}

async fn send_batch<X: Exchange>(
    (nodes, wire): (&Nodes, &Wire),
    items: Vec<(Partition, X::Item)>,
    (kind, last): (&X, bool),
) -> Vec<Answered<X>> {
    let mut batch = Batch::default();
    let mut ends = Vec::with_capacity(items.len());
    for (_, item) in &items {
        kind.encode(item, &mut batch);
        ends.push(batch.len());
    }
    let answer = match nodes.given_up(wire.addr()) {
        Some(error) => Err(error),
        None => wire.pipeline(batch.names.iter().copied(), &batch.pipeline, &mut WireCost::default()).await,
    };
    if let Err(error) = &answer {
        nodes.note(wire.addr(), error);
    }
    let mut replies = match answer {
        Ok(replies) => replies.into_iter(),
        Err(error) => vec![Err(error); batch.len()].into_iter(),
    };
    let mut begin = 0;
    items
        .into_iter()
        .zip(ends)
        .map(|((partition, item), end)| {
            let own: Vec<_> = replies.by_ref().take(end - begin).collect();
            begin = end;
            if !last && own.iter().any(|reply| reply.as_ref().is_err_and(worth_asking_again)) {
                return Answered::Again(partition, item);
            }
            Answered::Decoded(kind.decode(item, Replies(own.into_iter())))
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
