//! What a claim by FlowFabric's SDK came to, as a receipt: the same for the SDK that is built in and for
//! workers of their own.
//!
//! The SDK follows redirects and tries again by itself, and nobody outside sees what it sends. What is taken
//! for sent is what [`reclaim_analysis::scenario::steps`] says of the variant.

use super::error::{ClaimError, SdkRefusal};
use super::order::{ClaimOrder, ClaimReceipt};
use super::path::ClaimSetup;
use crate::flowfabric::RefusalCode;
use crate::workload::HeldLease;
use reclaim_analysis::record::{Outcome, WireCost};
use reclaim_analysis::scenario::{Steps, VariantPath, steps};

/// A claim that the SDK has made.
pub(super) struct Claimed {
    /// The lease, or why there is none.
    pub(super) claimed: Result<HeldLease, SdkRefusal>,
    /// By which of its ways.
    pub(super) path: VariantPath,
}

/// Counts the claim's commands as sent, and says how the claim ended.
pub(super) fn receipt(
    setup: &ClaimSetup,
    order: &ClaimOrder<'_>,
    Claimed { claimed, path }: Claimed,
) -> ClaimReceipt {
    let Ok(partition) = order.ticket.grant.partition() else {
        let error = order.ticket.grant.partition().err().map(ClaimError::PartitionKey);
        return ClaimReceipt { error, ..ClaimReceipt::bare(Outcome::Failed, WireCost::default()) };
    };
    let wire = setup.routes.wire_for(partition);
    let sent = Sent::up_to_refusal(path, claimed.as_ref().err());
    let unanswered = matches!(&claimed, Err(SdkRefusal { code: None, .. }));
    wire.note_sent(sent.commands(), unanswered);
    let cost = WireCost { round_trips: sent.round_trips, commands: sent.count(), ..WireCost::default() };
    match claimed {
        Ok(lease) => ClaimReceipt { lease: Some(lease), ..ClaimReceipt::bare(Outcome::Claimed, cost) },
        Err(refusal) => {
            let error = ClaimError::Sdk(refusal);
            let taken = match path {
                VariantPath::SdkReclaim => RefusalCode::ExecutionNotReclaimable,
                _ => RefusalCode::ExecutionNotLeaseable,
            };
            let expired = || setup.clocks.now_ms(wire.addr()) >= order.ticket.grant.expires_at_ms;
            let outcome = error.outcome(&taken, setup.contended, expired);
            ClaimReceipt { error: Some(error), ..ClaimReceipt::bare(outcome, cost) }
        }
    }
}

/// The first steps of a variant.
struct Sent {
    steps: Steps,
    round_trips: u32,
}

impl Sent {
    /// What the claim has sent, by how it ended: all of it, or up to the refusal.
    fn up_to_refusal(path: VariantPath, refused: Option<&SdkRefusal>) -> Self {
        let steps = steps(path);
        let answered = match (refused.and_then(|refusal| refusal.code.as_ref()), path) {
            // Refused before a request: the grant's time is compared with this machine's clock.
            (Some(RefusalCode::ClaimGrantExpired), VariantPath::SdkReclaim) => 0,
            // What the first function looks at before it sees that the attempt was interrupted.
            (
                Some(
                    RefusalCode::ExecutionNotFound
                    | RefusalCode::ExecutionNotLeaseable
                    | RefusalCode::LeaseConflict
                    | RefusalCode::ActiveAttemptExists,
                ),
                VariantPath::SdkGrant,
            ) => 2,
            // A refused claim reads no context; a reclaim reads none anyway.
            (Some(_), VariantPath::SdkResume | VariantPath::SdkGrant) => steps.len() - 1,
            _ => steps.len(),
        };
        Self { steps: &steps[..answered], round_trips: answered as u32 }
    }

    fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().flat_map(|step| step.commands.iter().copied())
    }

    fn count(&self) -> u32 {
        self.commands().count() as u32
    }
}
