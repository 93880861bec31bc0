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

/// Requests in one pipeline. Larger ones gain nothing and keep a primary from serving anybody else for
/// longer.
const BATCH: usize = 128;
/// Pipelines in flight per primary: one is served while the next one is made.
const IN_FLIGHT: usize = 2;

/// How often a question is asked that nobody could answer, and the pause before it is asked again: as long as
/// a failover or a script of some length takes.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);

/// How a long operation is watched and stopped.
#[derive(Clone, Copy)]
pub struct Oversight<'a> {
    /// Stops before the next batch.
    pub cancel: &'a CancellationToken,
    /// Called with (done, total) after each batch.
    pub progress: &'a dyn Fn(u64, u64),
}

impl<'a> Oversight<'a> {
    /// Stopped by `cancel`, and watched by nobody.
    pub fn quiet(cancel: &'a CancellationToken) -> Self {
        Self { cancel, progress: &|_, _| () }
    }
}

/// Commands of one or more requests, in sending order.
#[derive(Default)]
pub(super) struct CommandBatch {
    pipeline: Pipeline,
    names: Vec<&'static str>,
}

impl CommandBatch {
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
    fn encode(&self, item: &Self::Item, batch: &mut CommandBatch);

    /// Reads the replies. A pipeline without an answer gives each of its requests the error for each command.
    /// The first error ends the operation once the pipelines in flight are through.
    fn decode(&self, item: Self::Item, replies: Replies) -> Result<Self::Output, WorkloadError>;
}

/// Requests of which each fails for itself.
pub(super) struct Each<'a, X>(pub(super) &'a X);

impl<X: Exchange> Exchange for Each<'_, X> {
    type Item = X::Item;
    type Output = Result<X::Output, WorkloadError>;

    fn encode(&self, item: &Self::Item, batch: &mut CommandBatch) {
        self.0.encode(item, batch);
    }

    fn decode(&self, item: Self::Item, replies: Replies) -> Result<Self::Output, WorkloadError> {
        Ok(self.0.decode(item, replies))
    }
}

/// The requests of an operation by their numbers, without their types: what goes over the wire is compiled
/// once, and not for each kind of request.
trait Numbered {
    /// As [`Exchange::encode`].
    fn encode(&self, number: usize, batch: &mut CommandBatch);
    /// As [`Exchange::decode`]; what the replies come to is kept here.
    fn decode(&self, number: usize, replies: Replies) -> Result<(), WorkloadError>;
}

/// The requests of one kind, and what was decoded.
struct Typed<'a, X: Exchange> {
    kind: &'a X,
    items: RefCell<Vec<Option<X::Item>>>,
    outputs: RefCell<Vec<X::Output>>,
}

impl<'a, X: Exchange> Typed<'a, X> {
    fn new(kind: &'a X, items: Vec<X::Item>) -> Self {
        let outputs = RefCell::new(Vec::with_capacity(items.len()));
        Self { kind, items: RefCell::new(items.into_iter().map(Some).collect()), outputs }
    }
}

impl<X: Exchange> Numbered for Typed<'_, X> {
    fn encode(&self, number: usize, batch: &mut CommandBatch) {
        if let Some(item) = &self.items.borrow()[number] {
            self.kind.encode(item, batch);
        }
    }

    fn decode(&self, number: usize, replies: Replies) -> Result<(), WorkloadError> {
        let item = self.items.borrow_mut()[number].take();
        let output = item.map(|item| self.kind.decode(item, replies)).transpose()?;
        self.outputs.borrow_mut().extend(output);
        Ok(())
    }
}

/// Sends one request per item, in order per primary, and returns the outputs in no particular order.
///
/// Nothing is left in flight when this returns: what was sent has been decoded, also after an error or a
/// cancellation.
///
/// Where `nodes` [asks again](Nodes::asks_again), a request that was redirected, met a busy server or lost
/// its connection is sent once more, to wherever its partition is by then. All of them must be harmless to
/// repeat.
pub(super) async fn exchange<X: Exchange>(
    nodes: &Nodes,
    items: Vec<(Partition, X::Item)>,
    kind: &X,
    control: &Oversight<'_>,
) -> Result<Vec<X::Output>, WorkloadError> {
    let (partitions, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
    let typed = Typed::new(kind, items);
    send_all(nodes, &partitions, &typed, control).await?;
    Ok(typed.outputs.into_inner())
}

/// Sends a single request at once.
pub(super) async fn exchange_one<X: Exchange>(
    nodes: &Nodes,
    partition: Partition,
    item: X::Item,
    kind: &X,
) -> Result<X::Output, WorkloadError> {
    let typed = Typed::new(kind, vec![item]);
    send_batch((nodes, &nodes.wire_of(partition)), &[0], (&typed, true)).await.1?;
    typed.outputs.into_inner().pop().ok_or(WorkloadError::Cancelled)
}

/// Sends all requests, each to its partition.
async fn send_all(
    nodes: &Nodes,
    partitions: &[Partition],
    kind: &dyn Numbered,
    control: &Oversight<'_>,
) -> Result<(), WorkloadError> {
    let mut left: Vec<usize> = (0..partitions.len()).collect();
    for attempt in 1.. {
        let last = attempt == ATTEMPTS || !nodes.asks_again();
        left = pass(nodes, (&left, partitions), kind, (control, last)).await?;
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
    Ok(())
}

/// Sends each of the numbered requests once. Returns those that are worth another pass; none after the
/// `last`.
async fn pass(
    nodes: &Nodes,
    (numbers, partitions): (&[usize], &[Partition]),
    kind: &dyn Numbered,
    (control, last): (&Oversight<'_>, bool),
) -> Result<Vec<usize>, WorkloadError> {
    let total = numbers.len() as u64;
    let routing = nodes.routing();
    let mut queues: Vec<Vec<usize>> = routing.wires().iter().map(|_| Vec::new()).collect();
    for &number in numbers {
        queues[routing.position(partitions[number])].push(number);
    }
    let done = Cell::new(0);
    let again = RefCell::new(Vec::new());
    let failure = RefCell::new(None);
    let send = &async |wire: &Wire, numbers: &[usize]| {
        if control.cancel.is_cancelled() || failure.borrow().is_some() {
            return;
        }
        let (unanswered, decoded) = send_batch((nodes, wire), numbers, (kind, last)).await;
        again.borrow_mut().extend(unanswered);
        if let Err(error) = decoded {
            failure.borrow_mut().get_or_insert(error);
        }
        done.set(done.get() + numbers.len() as u64);
        (control.progress)(done.get(), total);
    };
    let per_node = routing.wires().iter().zip(&queues).map(|(wire, queue)| {
        let batches = queue.chunks(BATCH).map(move |numbers| send(wire, numbers));
        futures_util::stream::iter(batches).buffer_unordered(IN_FLIGHT).collect::<()>()
    });
    futures_util::future::join_all(per_node).await;
    match failure.into_inner() {
        Some(error) => Err(error),
        None if done.get() < total => Err(WorkloadError::Cancelled),
        None => Ok(again.into_inner()),
    }
}

/// Sends the numbered requests as one pipeline and has every reply decoded. Returns those that are worth
/// another pass, none if this is the `last`, and the first error of the others.
async fn send_batch(
    (nodes, wire): (&Nodes, &Wire),
    numbers: &[usize],
    (kind, last): (&dyn Numbered, bool),
) -> (Vec<usize>, Result<(), WorkloadError>) {
    let mut batch = CommandBatch::default();
    let mut ends = Vec::with_capacity(numbers.len());
    for &number in numbers {
        kind.encode(number, &mut batch);
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
    let (mut begin, mut again, mut decoded) = (0, Vec::new(), Ok(()));
    for (&number, end) in numbers.iter().zip(ends) {
        let own: Vec<_> = replies.by_ref().take(end - begin).collect();
        begin = end;
        if !last && own.iter().any(|reply| reply.as_ref().is_err_and(worth_asking_again)) {
            again.push(number);
        } else {
            // Each is decoded, also after one that could not be.
            decoded = decoded.and(kind.decode(number, Replies(own.into_iter())));
        }
    }
    (again, decoded)
}
