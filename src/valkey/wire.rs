//! One primary's connections, with every command that leaves counted.
//!
//! The claim path needs to know exactly what it sent and must see every redirect, so this stands directly on
//! single-node multiplexed connections: nothing here retries, reconnects or follows a redirect.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, Value};

use super::addr::NodeAddr;
use super::length::{reply_len, request_len};
use reclaim_analysis::record::{RedirectKind, WireCost};

/// The three ways a cluster says "not here, not now".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// The slot lives elsewhere for good.
    Moved {
        /// The slot in question.
        slot: u16,
        /// Its owner.
        to: NodeAddr,
    },
    /// The slot is on its way; ask there once, behind `ASKING`.
    Ask {
        /// The slot in question.
        slot: u16,
        /// Where the key is or will be.
        to: NodeAddr,
    },
    /// Keys of one command are on both sides of a migration.
    TryAgain,
}

impl Redirect {
    /// Which of the three.
    pub fn kind(&self) -> RedirectKind {
        match self {
            Self::Moved { .. } => RedirectKind::Moved,
            Self::Ask { .. } => RedirectKind::Ask,
            Self::TryAgain => RedirectKind::TryAgain,
        }
    }
}

/// Why a command has no reply that its caller can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// MOVED, ASK or TRYAGAIN.
    #[error("redirected: {0:?}")]
    Redirect(Redirect),
    /// No answer within the connection's time limit; the command may still have run.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection broke; the command may still have run.
    #[error("connection lost: {0}")]
    Disconnected(String),
    /// The server refused the command itself (not a function's domain reply).
    #[error("server error {code}: {detail}")]
    Server {
        /// First word of the error, e.g. `BUSY`.
        code: String,
        /// The rest of it.
        detail: String,
    },
}

/// Commands sent to one primary since the tally was last read, by lower-case command name.
pub type CommandTally = BTreeMap<&'static str, u64>;

/// What lies between the tool and a server beyond the real network.
pub trait Distance {
    /// Holds a reply that has just arrived back for as long as it would still be on its way.
    fn travel(&self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

/// Connections to one primary. Clones share connections and tally.
#[derive(Clone)]
pub struct Wire {
    inner: Rc<Inner>,
    distance: Option<Rc<dyn Distance>>,
}

struct Inner {
    addr: NodeAddr,
    connections: Vec<MultiplexedConnection>,
    next: Cell<usize>,
    timeout: Duration,
    tally: Rc<RefCell<CommandTally>>,
    redirects: RefCell<BTreeMap<RedirectKind, u64>>,
}

impl Wire {
    /// Takes over open connections to `addr`; `timeout` bounds every wait for a reply.
    ///
    /// # Panics
    /// With no connection at all: a programming error.
    pub fn new(addr: NodeAddr, connections: Vec<MultiplexedConnection>, timeout: Duration) -> Self {
        Self::counting_in(addr, connections, timeout, Rc::default())
    }

    /// As [`Self::new`], with a tally that several wires share.
    pub(crate) fn counting_in(
        addr: NodeAddr,
        connections: Vec<MultiplexedConnection>,
        timeout: Duration,
        tally: Rc<RefCell<CommandTally>>,
    ) -> Self {
        assert!(!connections.is_empty(), "a wire needs a connection");
        let inner =
            Inner { addr, connections, next: Cell::new(0), timeout, tally, redirects: RefCell::default() };
        Self { inner: Rc::new(inner), distance: None }
    }

    /// The same connections, as seen from this far away.
    #[must_use]
    pub fn at(&self, distance: Rc<dyn Distance>) -> Self {
        Self { inner: Rc::clone(&self.inner), distance: Some(distance) }
    }

    /// The primary at the other end.
    pub fn addr(&self) -> &NodeAddr {
        &self.inner.addr
    }

    /// Sends one command and waits for its reply. `name` is the lower-case command name for the tally.
    pub async fn call(&self, name: &'static str, cmd: &Cmd, cost: &mut WireCost) -> Result<Value, WireError> {
        self.count(name, 1);
        cost.round_trips += 1;
        cost.commands += 1;
        cost.bytes_out += request_len(cmd) as u32;
        let mut connection = self.connection();
        let sent = tokio::time::timeout(self.inner.timeout, connection.send_packed_command(cmd)).await;
        let value = self.settle(sent)?;
        self.travel().await;
        cost.bytes_in += reply_len(&value) as u32;
        self.accept(name, value)
    }

    /// Sends several commands in one write and waits for all replies: one round trip. A refused command does not
    /// stop the others; its place holds the error.
    pub async fn pipeline(
        &self,
        names: impl IntoIterator<Item = &'static str>,
        pipeline: &Pipeline,
        cost: &mut WireCost,
    ) -> Result<Vec<Result<Value, WireError>>, WireError> {
        let names: Vec<_> = names.into_iter().collect();
        let commands = names.len();
        debug_assert_eq!(commands, pipeline.len(), "one name per command");
        for name in &names {
            self.count(name, 1);
        }
        cost.round_trips += 1;
        cost.commands += commands as u32;
        cost.bytes_out += pipeline.cmd_iter().map(request_len).sum::<usize>() as u32;
        let mut connection = self.connection();
        let sent =
            tokio::time::timeout(self.inner.timeout, connection.send_packed_commands(pipeline, 0, commands))
                .await;
        let values = self.settle(sent)?;
        self.travel().await;
        cost.bytes_in += values.iter().map(reply_len).sum::<usize>() as u32;
        Ok(names.into_iter().zip(values).map(|(name, value)| self.accept(name, value)).collect())
    }

    /// Whether every connection still answers.
    pub async fn alive(&self) -> bool {
        for connection in &self.inner.connections {
            self.count("ping", 1);
            let mut connection = connection.clone();
            let ping = redis::cmd("PING");
            let sent = tokio::time::timeout(self.inner.timeout, connection.send_packed_command(&ping)).await;
            if self.settle(sent).is_err() {
                return false;
            }
        }
        true
    }

    /// Commands sent since the last call, by name; starts the next count. Those that were redirected are not in it:
    /// the server did not count them either.
    pub fn take_tally(&self) -> CommandTally {
        self.inner.tally.take()
    }

    /// Redirects met since the last call, by kind; starts the next count.
    pub fn take_redirects(&self) -> BTreeMap<RedirectKind, u64> {
        self.inner.redirects.take()
    }

    async fn travel(&self) {
        if let Some(distance) = &self.distance {
            distance.travel().await;
        }
    }

    /// The reply, or the error in its place.
    fn accept(&self, name: &'static str, value: Value) -> Result<Value, WireError> {
        let Value::ServerError(error) = value else { return Ok(value) };
        let error = classify(error.code(), error.details().unwrap_or_default());
        if let WireError::Redirect(redirect) = &error {
            *self.inner.redirects.borrow_mut().entry(redirect.kind()).or_default() += 1;
            if let Some(sent) = self.inner.tally.borrow_mut().get_mut(name) {
                *sent -= 1;
            }
        }
        Err(error)
    }

    fn count(&self, name: &'static str, commands: u64) {
        *self.inner.tally.borrow_mut().entry(name).or_default() += commands;
    }

    fn connection(&self) -> MultiplexedConnection {
        let turn = self.inner.next.get();
        self.inner.next.set((turn + 1) % self.inner.connections.len());
        self.inner.connections[turn].clone()
    }

    fn settle<T>(
        &self,
        sent: Result<redis::RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, WireError> {
        match sent {
            Err(_) => Err(WireError::TimedOut(self.inner.timeout)),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(match error.kind() {
                ErrorKind::Server(_) | ErrorKind::Extension => {
                    classify(error.code().unwrap_or("ERR"), error.detail().unwrap_or_default())
                }
                _ if error.is_timeout() => WireError::TimedOut(self.inner.timeout),
                _ => WireError::Disconnected(error.to_string()),
            }),
        }
    }
}

pub(super) fn classify(code: &str, detail: &str) -> WireError {
    let target = || {
        let mut words = detail.split_whitespace();
        let slot = words.next()?.parse().ok()?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        Some((slot, NodeAddr { host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? }))
    };
    let redirect = if code == "MOVED" {
        target().map(|(slot, to)| Redirect::Moved { slot, to })
    } else if code == "ASK" {
        target().map(|(slot, to)| Redirect::Ask { slot, to })
    } else if code == "TRYAGAIN" {
        Some(Redirect::TryAgain)
    } else {
        None
    };
    redirect.map_or_else(
        || WireError::Server { code: code.to_owned(), detail: detail.to_owned() },
        WireError::Redirect,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_told_apart_and_keep_their_target() {
        assert_eq!(
            classify("MOVED", "3999 127.0.0.1:6381"),
            WireError::Redirect(Redirect::Moved {
                slot: 3999,
                to: NodeAddr { host: "127.0.0.1".into(), port: 6381 }
            })
        );
        assert_eq!(
            classify("ASK", "3999 [::1]:6381"),
            WireError::Redirect(Redirect::Ask {
                slot: 3999,
                to: NodeAddr { host: "::1".into(), port: 6381 }
            })
        );
        assert_eq!(classify("TRYAGAIN", "Multiple keys"), WireError::Redirect(Redirect::TryAgain));
        assert!(matches!(classify("BUSY", "script"), WireError::Server { code, .. } if code == "BUSY"));
    }
}
