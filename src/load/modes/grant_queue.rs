//! Tickets that wait for a worker while the scanners look for more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::claim::ClaimTicket;

/// A ticket and the execution that it is for.
pub(super) type Ticketed = (u32, Rc<ClaimTicket>);

/// Tickets that no worker has taken yet, by the primary whose scanner found them.
///
/// Workers take from the primaries in turn. A scan finds thousands at once; with one queue for all of them
/// every worker would be at the same primary while the others have nothing to do.
pub(super) struct GrantQueue {
    queues: RefCell<Vec<VecDeque<Ticketed>>>,
    turn: Cell<usize>,
    waiting: Cell<u64>,
    arrived: Notify,
}

impl GrantQueue {
    /// An empty queue for each primary.
    pub fn new(primaries: usize) -> Self {
        Self {
            queues: RefCell::new(vec![VecDeque::new(); primaries.max(1)]),
            turn: Cell::new(0),
            waiting: Cell::new(0),
            arrived: Notify::new(),
        }
    }

    /// Number of primaries with a queue.
    pub fn primaries(&self) -> usize {
        self.queues.borrow().len()
    }

    /// Adds a ticket that the scanner of this primary has found.
    pub fn push(&self, primary: usize, ticket: Ticketed) {
        self.queues.borrow_mut()[primary].push_back(ticket);
        self.waiting.set(self.waiting.get() + 1);
        self.arrived.notify_one();
    }

    /// The next ticket.
    pub fn pop(&self) -> Option<Ticketed> {
        let mut queues = self.queues.borrow_mut();
        let (count, turn) = (queues.len(), self.turn.get());
        self.turn.set((turn + 1) % count);
        let ticket = (0..count).find_map(|n| queues[(turn + n) % count].pop_front())?;
        self.waiting.set(self.waiting.get() - 1);
        Some(ticket)
    }

    /// Tickets that wait.
    pub fn waiting(&self) -> u64 {
        self.waiting.get()
    }

    /// Waits for a ticket to be pushed from now on: made before looking, so that none in between is missed.
    pub fn arrival(&self) -> Notified<'_> {
        self.arrived.notified()
    }
}
