//! What the driver does with a claim that was redirected or not answered. Neither belongs into a variant: its
//! time would be measured as the variant's.

use std::time::Duration;

use ff_core::state::{LifecyclePhase, OwnershipState};

use super::line::Line;
use super::order::{ClaimOrder, ClaimReceipt};
use super::path::ClaimPath;
use super::routes::{Reroutes, Routes};
use crate::flowfabric::{AuditView, ExecutionKeys, ReadForAudit, call};
use crate::valkey::Redirect;
use crate::workload::HeldLease;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;

/// Follow-ups to one redirected claim, at most.
const FOLLOW_UPS: u32 = 5;

/// Wait before the first follow-up to TRYAGAIN; doubles from one to the next. A slot with few keys moves in
/// this time.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// Does one claim and follows redirects, a handful at most: a new owner after MOVED, `ASKING` after ASK, a
/// short wait after TRYAGAIN.
///
/// A claim that was redirected stays [`Outcome::Redirected`] by its first redirect, whatever came of it: its
/// time is no claim's time. The receipt carries the lease if there is one, the last error, and the cost of
/// all tries. A follow-up without a reply is the exception: it comes back as such, to be settled by
/// [`settle_unanswered`].
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

/// Finds out what became of a claim without a reply ([`Outcome::TimedOut`] or [`Outcome::Failed`]) by reading
/// the execution; other receipts come back as they are. The read is not part of the claim's cost.
///
/// [`Outcome::Ambiguous`] means that the claim took effect, and then the lease is in the receipt, or that
/// nobody can tell. Otherwise the outcome stays: no effect was seen. A claim that still lies in a socket may
/// take effect later; the audit finds such a one by the lease epoch. Where the claim is made again
/// ([`ClaimOrder::again`]), it has the same lease id, or the same grant where the path makes ids of its own, so
/// at most one of the two can take the lease, and whatever else the second one comes to, the same read shows
/// whether the first one did.
pub async fn settle_unanswered(
    path: &dyn ClaimPath,
    routes: &dyn Routes,
    order: &ClaimOrder<'_>,
    receipt: ClaimReceipt,
) -> ClaimReceipt {
    let silent = matches!(receipt.outcome, Outcome::TimedOut | Outcome::Failed);
    if !silent && (!order.again || receipt.lease.is_some()) {
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
        Ok(Some(seen)) if took_effect(path, order, &seen) => ClaimReceipt {
            outcome: Outcome::Ambiguous,
            lease: seen.lease_id.zip(seen.attempt_index).map(|(lease_id, attempt_index)| HeldLease {
                lease_id,
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

/// Whether an execution that was read shows that its claim took effect.
fn took_effect(path: &dyn ClaimPath, order: &ClaimOrder<'_>, seen: &AuditView) -> bool {
    if path.takes_the_lease_asked_for() {
        return seen.lease_id.as_ref() == Some(&order.lease_id);
    }
    // Nobody held the execution when its grant was issued, and nobody else has that.
    seen.lifecycle_phase == LifecyclePhase::Active && seen.ownership_state == OwnershipState::Leased
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Scripted;
    use super::*;
    use crate::claim::{ClaimError, ClaimTicket, LocalFuture};
    use crate::flowfabric::{CallError, ReclaimGrant, WorkerIdentity};
    use crate::valkey::{NodeAddr, Wire, WireError, pipe};
    use ff_core::partition::Partition;
    use ff_core::types::{AttemptId, AttemptIndex, LeaseEpoch, LeaseId};
    use reclaim_analysis::record::RedirectKind;
    use reclaim_analysis::scenario::VariantPath;
    use std::cell::RefCell;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    struct Nowhere;

    impl Routes for Nowhere {
        fn wire_for(&self, _: Partition) -> Wire {
            unreachable!("the scripted variant needs no wire")
        }
    }

    impl Reroutes for Nowhere {
        fn refresh(&self) -> LocalFuture<'_, ()> {
            Box::pin(async {})
        }

        fn wire_to<'a>(&'a self, _: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
            Box::pin(async { None })
        }
    }

    fn receipt(outcome: Outcome, error: Option<WireError>, lease: Option<HeldLease>) -> ClaimReceipt {
        let error = error.map(|error| ClaimError::Call(CallError::Wire(error)));
        let cost = WireCost { round_trips: 1, commands: 1, bytes_out: 10, bytes_in: 20 };
        ClaimReceipt { lease, error, ..ClaimReceipt::bare(outcome, cost) }
    }

    fn moved(lease: Option<HeldLease>) -> ClaimReceipt {
        let to = NodeAddr { host: "127.0.0.1".into(), port: 1 };
        let error = WireError::Redirect(Redirect::Moved { slot: 1, to });
        receipt(Outcome::Redirected(RedirectKind::Moved), Some(error), lease)
    }

    fn lease() -> HeldLease {
        HeldLease {
            lease_id: LeaseId::new(),
            epoch: LeaseEpoch(2),
            attempt_id: None,
            attempt_index: AttemptIndex(0),
            expires_at: None,
        }
    }

    fn ticket() -> ClaimTicket {
        let grant: ReclaimGrant = serde_json::from_value(serde_json::json!({
            "execution_id": "{fp:7}:6f2b3b9e-0f0e-4a51-9d63-000000000001",
            "partition_key": "{fp:7}",
            "grant_key": "",
            "expires_at_ms": 0,
            "lane_id": "gpu",
        }))
        .unwrap();
        ClaimTicket { grant, attempt_index: AttemptIndex(0) }
    }

    fn order<'a>(ticket: &'a ClaimTicket, worker: &'a WorkerIdentity) -> ClaimOrder<'a> {
        ClaimOrder {
            ticket,
            worker,
            lease_id: LeaseId::new(),
            attempt_id: AttemptId::new(),
            lease_ttl: Duration::from_secs(1),
            again: false,
        }
    }

    async fn recover(mut receipts: Vec<ClaimReceipt>) -> (ClaimReceipt, usize) {
        receipts.reverse();
        let ticket = ticket();
        let worker = WorkerIdentity { worker_id: "w".into(), instance_id: "w-1".into() };
        let order = order(&ticket, &worker);
        let path = Scripted(RefCell::new(receipts));
        let receipt = claim_with_recovery(&path, &Nowhere, &order).await;
        (receipt, path.0.into_inner().len())
    }

    #[tokio::test]
    async fn a_claim_without_a_redirect_is_made_once_and_comes_back_as_it_is() {
        let claimed = receipt(Outcome::Claimed, None, Some(lease()));
        assert_eq!(recover(vec![claimed.clone()]).await, (claimed, 0));
    }

    #[tokio::test]
    async fn a_lease_held_before_the_redirect_is_not_claimed_again() {
        let context_moved = moved(Some(lease()));
        assert_eq!(recover(vec![context_moved.clone()]).await, (context_moved, 0));
    }

    #[tokio::test]
    async fn a_redirected_claim_stays_redirected_with_its_lease_and_all_its_cost() {
        let held = Some(lease());
        let (seen, left) = recover(vec![moved(None), receipt(Outcome::Claimed, None, held.clone())]).await;
        assert_eq!((seen.outcome, seen.lease), (Outcome::Redirected(RedirectKind::Moved), held));
        assert_eq!((seen.cost.round_trips, seen.cost.bytes_out, seen.cost.bytes_in, left), (2, 20, 40, 0));
    }

    #[tokio::test]
    async fn a_follow_up_without_a_reply_is_left_to_be_settled() {
        let unanswered = receipt(Outcome::TimedOut, Some(WireError::TimedOut(Duration::from_secs(1))), None);
        let (seen, _) = recover(vec![moved(None), unanswered]).await;
        assert_eq!(seen.outcome, Outcome::TimedOut);
    }

    #[tokio::test]
    async fn a_claim_that_was_answered_is_not_read_again() {
        let ticket = ticket();
        let worker = WorkerIdentity { worker_id: "w".into(), instance_id: "w-1".into() };
        for (again, outcome, lease) in [
            (false, Outcome::Refused("execution_not_leaseable".into()), None),
            (true, Outcome::Claimed, Some(lease())),
        ] {
            let order = ClaimOrder { again, ..order(&ticket, &worker) };
            let answered = receipt(outcome, None, lease);
            // `Nowhere` has no wire to read with.
            let path = Way(VariantPath::SdkResume);
            assert_eq!(settle_unanswered(&path, &Nowhere, &order, answered.clone()).await, answered);
        }
    }

    /// A way of claiming by its name; its claims have ended.
    struct Way(VariantPath);

    impl ClaimPath for Way {
        fn path(&self) -> VariantPath {
            self.0
        }

        fn claim<'a>(&'a self, _: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
            unreachable!("nothing is claimed")
        }

        fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
            self.claim(order)
        }
    }

    /// Everything is on one server.
    struct At(Wire);

    impl Routes for At {
        fn wire_for(&self, _: Partition) -> Wire {
            self.0.clone()
        }
    }

    /// What a claim comes to whose execution has these fields when it is read.
    async fn settled(
        path: VariantPath,
        order: &ClaimOrder<'_>,
        ended: Outcome,
        fields: [&str; 8],
    ) -> ClaimReceipt {
        let (wire, mut server) = pipe::wire().await;
        let answer = fields.map(|field| format!("${}\r\n{field}\r\n", field.len())).concat();
        let answers = async move {
            assert!(server.read(&mut [0; 1_024]).await.unwrap() > 0);
            server.write_all(format!("*8\r\n{answer}").as_bytes()).await.unwrap();
            server
        };
        let (way, at, ended) = (Way(path), At(wire), receipt(ended, None, None));
        let (settled, _server) = tokio::join!(settle_unanswered(&way, &at, order, ended), answers);
        settled
    }

    #[tokio::test]
    async fn a_claim_whose_path_makes_its_own_lease_took_effect_where_the_execution_is_held() {
        use VariantPath::{FullGrant, SdkGrant, SdkReclaim, SdkResume};
        let ticket = ticket();
        let worker = WorkerIdentity { worker_id: "w".into(), instance_id: "w-1".into() };
        let order = order(&ticket, &worker);
        let ids = [order.lease_id.clone(), LeaseId::new()].map(|id| id.to_string());
        let ([own, other], attempt) = (ids.each_ref().map(String::as_str), AttemptId::new().to_string());
        let held = |by| ["active", "leased", "running_attempt", attempt.as_str(), "0", "2", by, ""];
        let runnable = ["runnable", "unowned", "attempt_interrupted", attempt.as_str(), "0", "1", "", ""];
        for (path, fields, holds) in [
            (SdkResume, held(other), Some(other)),
            (SdkGrant, held(other), Some(other)),
            (SdkResume, runnable, None),
            (SdkGrant, runnable, None),
            (SdkReclaim, held(other), None),
            (FullGrant, held(other), None),
            (FullGrant, held(own), Some(own)),
        ] {
            for ended in [Outcome::TimedOut, Outcome::Failed] {
                let outcome = if holds.is_some() { Outcome::Ambiguous } else { ended.clone() };
                let seen = settled(path, &order, ended, fields).await;
                let lease = seen.lease.as_ref().map(|lease| lease.lease_id.to_string());
                assert_eq!((&seen.outcome, lease.as_deref()), (&outcome, holds), "{path:?} {fields:?}");
                assert!(seen.lease.is_none_or(|lease| lease.epoch == LeaseEpoch(2)), "{path:?}");
            }
        }
        // The first claim had no reply; the second one is refused because of it.
        let order = ClaimOrder { again: true, ..order };
        let refused = Outcome::Refused("execution_not_leaseable".into());
        let seen = settled(SdkResume, &order, refused, held(other)).await;
        assert_eq!((seen.outcome, seen.lease.is_some()), (Outcome::Ambiguous, true));
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_make_up_its_mind_is_given_up_on() {
        let (seen, left) = recover(vec![moved(None); 10]).await;
        assert_eq!((seen.outcome, seen.lease), (Outcome::Redirected(RedirectKind::Moved), None));
        assert_eq!(left, 10 - 1 - FOLLOW_UPS as usize);
    }
}
