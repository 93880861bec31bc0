//! The stock of a staged round: tickets by execution, since the plan says which arm claims which.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::driving::{Drawn, GrantSource};
use super::super::planning::PlannedClaim;
use crate::claim::ClaimTicket;
use crate::workload::ExecIndex;

/// Tickets that no worker has drawn.
#[derive(Default)]
pub(super) struct GrantStock {
    /// By cluster and execution.
    waiting: RefCell<HashMap<(u8, u32), Rc<ClaimTicket>>>,
}

impl GrantStock {
    /// Puts tickets of a cluster in stock.
    pub fn add(&self, site: u8, tickets: Vec<(ExecIndex, ClaimTicket)>) {
        let tickets = tickets.into_iter().map(|(exec, ticket)| ((site, exec.0), Rc::new(ticket)));
        self.waiting.borrow_mut().extend(tickets);
    }

    /// How many of these executions of a cluster have no ticket in stock.
    pub fn missing(&self, site: u8, executions: &[u32]) -> usize {
        let waiting = self.waiting.borrow();
        executions.iter().filter(|execution| !waiting.contains_key(&(site, **execution))).count()
    }

    /// The executions of these claims that have a ticket, and when it expires, in milliseconds of their
    /// servers' time.
    pub fn expiries_ms(&self, claims: &[PlannedClaim]) -> Vec<(ExecIndex, u64)> {
        let waiting = self.waiting.borrow();
        let expiry = |claim: &PlannedClaim| {
            Some((
                ExecIndex(claim.execution),
                waiting.get(&(claim.site, claim.execution))?.grant.expires_at_ms,
            ))
        };
        claims.iter().filter_map(expiry).collect()
    }
}

impl GrantSource for GrantStock {
    fn draw(&self, claim: &PlannedClaim) -> Option<Drawn> {
        let mut waiting = self.waiting.borrow_mut();
        let ticket = waiting.remove(&(claim.site, claim.execution))?;
        Some(Drawn { ticket, runnable_since: None, left: waiting.len() as u64 })
    }
}
