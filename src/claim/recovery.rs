//! What the driver does with a claim that was redirected or not answered. Neither belongs into a variant: its time
//! would be measured as the variant's.

use std::time::Duration;

use crate::cluster::{NodeAddr, Redirect, Wire, WireCost};
use crate::flowfabric::{ExecutionKeys, ReadForAudit, call};
use crate::measure::Outcome;

use super::{ClaimOrder, ClaimPath, ClaimReceipt, HeldLease, Line, LocalFuture, Routes};

/// Follow-ups to one redirected claim, at most.
const FOLLOW_UPS: u32 = 5;

/// Wait before the first follow-up to TRYAGAIN; doubles from one to the next. A slot with few keys moves in this time.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// Routes that can learn.
pub trait Reroutes: Routes {
    /// Reads the topology again. Where that fails the old one stays, and the next claim meets the next redirect.
    fn refresh(&self) -> LocalFuture<'_, ()>;

    /// The wire to a node that a redirect named; `None` where it cannot be reached.
    fn wire_to<'a>(&'a self, addr: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>>;
}

/// Does one claim and follows redirects, a handful at most: a new owner after MOVED, `ASKING` after ASK, a short wait
/// after TRYAGAIN.
///
/// A claim that was redirected stays [`Outcome::Redirected`] by its first redirect, whatever came of it: its time is
/// no claim's time. The receipt carries the lease if there is one, the last error, and the cost of all tries. A
/// follow-up without a reply is the exception: it comes back as such, to be settled by [`settle_unanswered`].
pub async fn claim_with_recovery(
    path: &dyn ClaimPath,
    routes: &dyn Reroutes,
    order: &ClaimOrder<'_>,
) -> ClaimReceipt {
    let mut receipt = path.claim(order).await;
    let Outcome::Redirected(_) = receipt.outcome else { return receipt };
    let redirected = receipt.outcome.clone();
    let mut cost = receipt.cost;
    let mut pause = FIRST_PAUSE;
    for _ in 0..FOLLOW_UPS {
        // A lease means that only the task's context was redirected: claiming again would be refused.
        let Some(redirect) = receipt.redirect().cloned().filter(|_| receipt.lease.is_none()) else { break };
        receipt = match redirect {
            Redirect::Ask { to, .. } => {
                if let Some(wire) = routes.wire_to(&to).await {
                    path.claim_over(Line::asking(wire), order).await
                } else {
                    routes.refresh().await;
                    path.claim(order).await
                }
            }
            Redirect::Moved { .. } => {
                routes.refresh().await;
                path.claim(order).await
            }
            Redirect::TryAgain => {
                tokio::time::sleep(pause).await;
                pause *= 2;
                path.claim(order).await
            }
        };
        cost += receipt.cost;
    }
    if !matches!(receipt.outcome, Outcome::TimedOut | Outcome::Failed) {
        receipt.outcome = redirected;
    }
    ClaimReceipt { cost, ..receipt }
}

impl ClaimReceipt {
    /// Where the cluster wants the claim sent, if it does.
    pub fn redirect(&self) -> Option<&Redirect> {
        self.error.as_ref()?.redirect()
    }
}

/// Finds out what became of a claim without a reply ([`Outcome::TimedOut`] or [`Outcome::Failed`]) by reading the
/// execution; other receipts come back as they are. The read is not part of the claim's cost.
///
/// [`Outcome::Ambiguous`] means that the claim took effect, and then the lease is in the receipt, or that nobody can
/// tell. Otherwise the outcome stays: no effect was seen. A claim that still lies in a socket may take effect later;
/// the audit finds such a one by the lease epoch.
pub async fn settle_unanswered(
    routes: &dyn Routes,
    order: &ClaimOrder<'_>,
    receipt: ClaimReceipt,
) -> ClaimReceipt {
    if !matches!(receipt.outcome, Outcome::TimedOut | Outcome::Failed) {
        return receipt;
    }
    if receipt.lease.is_some() {
        return ClaimReceipt { outcome: Outcome::Ambiguous, ..receipt };
    }
    let grant = &order.ticket.grant;
    // Without a partition nothing was sent.
    let Ok(partition) = grant.partition() else { return receipt };
    let keys = ExecutionKeys::new(partition, &grant.execution_id);
    match call(&routes.wire_for(partition), &ReadForAudit(&keys), &mut WireCost::default()).await {
        Ok(Some(seen)) if seen.lease_id.as_ref() == Some(&order.lease_id) => ClaimReceipt {
            outcome: Outcome::Ambiguous,
            lease: seen.attempt_index.map(|attempt_index| HeldLease {
                lease_id: order.lease_id.clone(),
                epoch: seen.lease_epoch,
                attempt_id: seen.attempt_id,
                attempt_index,
                expires_at: None,
            }),
            ..receipt
        },
        Ok(_) => receipt,
        Err(_) => ClaimReceipt { outcome: Outcome::Ambiguous, ..receipt },
    }
}
