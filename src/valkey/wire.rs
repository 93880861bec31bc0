//! One primary's connections, with every command that leaves counted.
//!
//! The claim path needs to know exactly what it sent and must see every redirect, so this stands directly on
//! single-node multiplexed connections: nothing here retries, reconnects or follows a redirect.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};

use super::addr::NodeAddr;
use super::length::{reply_len, request_len};
use super::wire_error::NOT_RUN;
pub use super::wire_error::{Redirect, WireError};
pub(super) use super::wire_error::{classify, refusal};
use reclaim_analysis::record::{RedirectKind, WireCost};

/// Commands sent to one primary since the tally was last read, by lower-case command name.
pub type CommandTally = BTreeMap<&'static str, u64>;

/// What went to one server and what came back, since that was last read. Connections that are opened anew
/// count on in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireCounts {
    /// Commands sent; those that were redirected, or refused before they ran, are not in it: the server did
    /// not count them either. Nor are those that did not leave, because their connection was lost before.
    pub sent: CommandTally,
    /// Redirects, by kind.
    pub redirects: BTreeMap<RedirectKind, u64>,
    /// Commands without a reply: the server may have run them or not.
    pub unanswered: u64,
    /// Connections that were to be opened; the server counts those that reached it.
    pub connections: u64,
    /// Connections that were found to be lost.
    pub lost: u64,
}

impl WireCounts {
    /// Takes back a command that no server has run.
    fn take_back(&mut self, name: &'static str) {
        if let Some(sent) = self.sent.get_mut(name) {
            // The counts may have been read since the command was sent.
            *sent = sent.saturating_sub(1);
        }
    }
}

/// What lies between the tool and a server beyond the real network.
pub trait SimulatedNetwork {
    /// Holds a reply that has just arrived back for as long as it would still be on its way.
    fn travel(&self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

/// Connections to one primary. Clones share connections and tally.
#[derive(Clone)]
pub struct Wire {
    inner: Rc<Inner>,
    network: Option<Rc<dyn SimulatedNetwork>>,
    /// The only one of its connections that it uses.
    only: Option<usize>,
}

/// One of a wire's connections.
struct Connection {
    open: MultiplexedConnection,
    /// Whether it has broken: nothing leaves over it any more.
    lost: Cell<bool>,
}

/// What came of waiting for a reply, and whether it was waited for at all.
type Answer<T> = (Result<redis::RedisResult<T>, tokio::time::error::Elapsed>, bool);

struct Inner {
    addr: NodeAddr,
    connections: Vec<Connection>,
    /// Why there is no connection.
    unreachable: Option<String>,
    next: Cell<usize>,
    timeout: Duration,
    counts: Rc<RefCell<WireCounts>>,
}

impl Wire {
    /// Takes over open connections to `addr`; `timeout` bounds every wait for a reply.
    ///
    /// # Panics
    /// With no connection at all: a programming error.
    pub fn new(addr: NodeAddr, connections: Vec<MultiplexedConnection>, timeout: Duration) -> Self {
        Self::counting_in(addr, connections, timeout, Rc::default())
    }

    /// As [`Self::new`], with counts that several wires share.
    pub(crate) fn counting_in(
        addr: NodeAddr,
        connections: Vec<MultiplexedConnection>,
        timeout: Duration,
        counts: Rc<RefCell<WireCounts>>,
    ) -> Self {
        assert!(!connections.is_empty(), "a wire needs a connection");
        let connection = |open| Connection { open, lost: Cell::new(false) };
        let connections = connections.into_iter().map(connection).collect();
        let inner = Inner { addr, connections, unreachable: None, next: Cell::new(0), timeout, counts };
        Self { inner: Rc::new(inner), network: None, only: None }
    }

    /// A primary that cannot be reached: whatever is sent to it ends with that, and is in no count.
    pub(crate) fn unreachable(addr: NodeAddr, why: String) -> Self {
        let inner = Inner {
            addr,
            connections: Vec::new(),
            unreachable: Some(why),
            next: Cell::new(0),
            timeout: Duration::ZERO,
            counts: Rc::default(),
        };
        Self { inner: Rc::new(inner), network: None, only: None }
    }

    /// Why the primary at the other end cannot be reached; `None` for one that could be.
    pub fn why_unreachable(&self) -> Option<&str> {
        self.inner.unreachable.as_deref()
    }

    /// How many of the connections have been found to be lost. They stay so: another wire takes their place.
    pub fn lost_connections(&self) -> u64 {
        self.inner.connections.iter().filter(|connection| connection.lost.get()).count() as u64
    }

    /// Whether one of them has.
    pub fn is_lost(&self) -> bool {
        self.lost_connections() > 0
    }

    /// The same connections, as seen from this far away.
    #[must_use]
    pub fn at(&self, network: Rc<dyn SimulatedNetwork>) -> Self {
        Self { network: Some(network), ..self.clone() }
    }

    /// The same primary over one of the connections, in turn: what is sent stays in order.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self { only: Some(self.turn()), ..self.clone() }
    }

    /// The primary at the other end.
    pub fn addr(&self) -> &NodeAddr {
        &self.inner.addr
    }

    /// Sends one command and waits for its reply. `name` is the lower-case command name for the tally.
    pub async fn call(&self, name: &'static str, cmd: &Cmd, cost: &mut WireCost) -> Result<Value, WireError> {
        let connection = self.connection()?;
        self.count(name, 1);
        cost.round_trips += 1;
        cost.commands += 1;
        cost.bytes_out += request_len(cmd) as u32;
        let mut open = connection.open.clone();
        let answer = self.answer(open.send_packed_command(cmd)).await;
        let value = self.settle(connection, answer, &[name])?;
        self.travel().await;
        cost.bytes_in += reply_len(&value) as u32;
        self.accept(name, value)
    }

    /// Sends several commands in one write and waits for all replies: one round trip. A refused command does
    /// not stop the others; its place holds the error.
    pub async fn pipeline(
        &self,
        names: impl IntoIterator<Item = &'static str>,
        pipeline: &Pipeline,
        cost: &mut WireCost,
    ) -> Result<Vec<Result<Value, WireError>>, WireError> {
        let names: Vec<_> = names.into_iter().collect();
        let commands = names.len();
        debug_assert_eq!(commands, pipeline.len(), "one name per command");
        let connection = self.connection()?;
        for name in &names {
            self.count(name, 1);
        }
        cost.round_trips += 1;
        cost.commands += commands as u32;
        cost.bytes_out += pipeline.cmd_iter().map(request_len).sum::<usize>() as u32;
        let mut open = connection.open.clone();
        let answer = self.answer(open.send_packed_commands(pipeline, 0, commands)).await;
        let values = self.settle(connection, answer, &names)?;
        self.travel().await;
        cost.bytes_in += values.iter().map(reply_len).sum::<usize>() as u32;
        Ok(names.into_iter().zip(values).map(|(name, value)| self.accept(name, value)).collect())
    }

    /// Whether every connection still answers.
    pub async fn alive(&self) -> bool {
        self.on_each("ping", &redis::cmd("PING")).await.is_ok()
    }

    /// Sends a command over every connection, one after the other, until one fails. The replies, in order.
    pub(crate) async fn on_each(&self, name: &'static str, cmd: &Cmd) -> Result<Vec<Value>, WireError> {
        self.reachable()?;
        let mut replies = Vec::with_capacity(self.inner.connections.len());
        for connection in &self.inner.connections {
            connection.usable()?;
            self.count(name, 1);
            let mut open = connection.open.clone();
            let answer = self.answer(open.send_packed_command(cmd)).await;
            replies.push(self.settle(connection, answer, &[name])?);
        }
        Ok(replies)
    }

    /// Commands sent since the last call, by name ([`WireCounts::sent`]); starts the next count.
    pub fn take_tally(&self) -> CommandTally {
        std::mem::take(&mut self.inner.counts.borrow_mut().sent)
    }

    /// Counts commands that went to this primary over connections of another client's; without an answer
    /// nobody knows how many of them did.
    pub(crate) fn note_sent(&self, names: impl Iterator<Item = &'static str>, unanswered: bool) {
        for name in names {
            self.count(name, 1);
            self.inner.counts.borrow_mut().unanswered += u64::from(unanswered);
        }
    }

    async fn travel(&self) {
        if let Some(network) = &self.network {
            network.travel().await;
        }
    }

    /// The reply, or the error in its place.
    fn accept(&self, name: &'static str, value: Value) -> Result<Value, WireError> {
        let Value::ServerError(error) = value else { return Ok(value) };
        let error = classify(error.code(), error.details().unwrap_or_default());
        let mut counts = self.inner.counts.borrow_mut();
        let not_run = match &error {
            WireError::Redirect(redirect) => {
                *counts.redirects.entry(redirect.kind()).or_default() += 1;
                true
            }
            WireError::Server { code, .. } => NOT_RUN.contains(&code.as_str()),
            WireError::TimedOut(_) | WireError::Disconnected(_) => false,
        };
        if not_run {
            counts.take_back(name);
        }
        drop(counts);
        Err(error)
    }

    fn count(&self, name: &'static str, commands: u64) {
        *self.inner.counts.borrow_mut().sent.entry(name).or_default() += commands;
    }

    fn connection(&self) -> Result<&Connection, WireError> {
        self.reachable()?;
        let connection = &self.inner.connections[self.only.unwrap_or_else(|| self.turn())];
        connection.usable().map(|()| connection)
    }

    fn turn(&self) -> usize {
        let turn = self.inner.next.get();
        self.inner.next.set((turn + 1) % self.inner.connections.len().max(1));
        turn
    }

    fn reachable(&self) -> Result<(), WireError> {
        self.why_unreachable().map_or(Ok(()), |why| Err(WireError::Disconnected(why.to_owned())))
    }

    /// Waits for an answer, for no longer than the limit.
    async fn answer<T>(&self, answer: impl Future<Output = redis::RedisResult<T>>) -> Answer<T> {
        let waited = Cell::new(false);
        let mut answer = pin!(answer);
        let looked = poll_fn(|context| {
            let looked = answer.as_mut().poll(context);
            waited.set(waited.get() || looked.is_pending());
            looked
        });
        let sent = tokio::time::timeout(self.inner.timeout, looked).await;
        (sent, waited.get())
    }

    /// The reply to commands of these names. One that does not come is counted: nobody knows what they did.
    ///
    /// A connection that has ended says so at once, for there is no queue any more into which a command could go,
    /// and these have not left. What has gone into a queue is waited for: the task that empties it runs on this
    /// thread.
    fn settle<T>(
        &self,
        connection: &Connection,
        (sent, waited): Answer<T>,
        names: &[&'static str],
    ) -> Result<T, WireError> {
        let error = match sent {
            Err(_) => None,
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => match refusal(&error) {
                Some(refusal) => return Err(refusal),
                None => Some(error),
            },
        };
        let mut counts = self.inner.counts.borrow_mut();
        if waited {
            counts.unanswered += names.len() as u64;
        } else {
            for name in names {
                counts.take_back(name);
            }
        }
        let broke = error.as_ref().is_some_and(redis::RedisError::is_unrecoverable_error);
        if broke && !connection.lost.replace(true) {
            counts.lost += 1;
        }
        Err(match error.filter(|error| !error.is_timeout()) {
            Some(error) => WireError::Disconnected(error.to_string()),
            None => WireError::TimedOut(self.inner.timeout),
        })
    }
}

impl Connection {
    /// An error for one that has broken before.
    fn usable(&self) -> Result<(), WireError> {
        let lost = || WireError::Disconnected("it had broken before".to_owned());
        if self.lost.get() { Err(lost()) } else { Ok(()) }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
