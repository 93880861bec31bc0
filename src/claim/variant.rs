//! What all variants share: routing, the optional task context, and the receipt. A variant itself only says how it
//! comes to its lease.

use crate::flowfabric::{ExecutionKeys, ReadKind, ReadPayload, ReadTags, RefusalCode};
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::VariantPath;

use super::first::FirstClaim;
use super::fused::Fused;
use super::resumed::{FullGrant, GrantLane, HgetLane, HmgetLane, PipelinedLane};
use super::{ClaimError, ClaimOrder, ClaimPath, ClaimReceipt, ClaimSetup, HeldLease, Line, LocalFuture};

/// One way of coming to a lease.
pub(super) trait Acquire {
    /// Which one.
    const PATH: VariantPath;
    /// The code with which the claiming function says that somebody holds the execution.
    const TAKEN: RefusalCode;

    /// Sends the commands of [`super::steps`], in that order.
    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError>;
}

/// The variant as a value.
pub fn claim_path(path: VariantPath, setup: ClaimSetup) -> Box<dyn ClaimPath> {
    match path {
        VariantPath::GrantLane => Box::new(Variant::<GrantLane>::new(setup)),
        VariantPath::HgetLane => Box::new(Variant::<HgetLane>::new(setup)),
        VariantPath::HmgetLane => Box::new(Variant::<HmgetLane>::new(setup)),
        VariantPath::PipelinedLane => Box::new(Variant::<PipelinedLane>::new(setup)),
        VariantPath::FullGrant => Box::new(Variant::<FullGrant>::new(setup)),
        VariantPath::Fused => Box::new(Variant::<Fused>::new(setup)),
        VariantPath::FirstClaim => Box::new(Variant::<FirstClaim>::new(setup)),
    }
}

struct Variant<A> {
    setup: ClaimSetup,
    way: std::marker::PhantomData<A>,
}

impl<A: Acquire> Variant<A> {
    fn new(setup: ClaimSetup) -> Self {
        Self { setup, way: std::marker::PhantomData }
    }

    async fn run(&self, line: Option<Line>, order: &ClaimOrder<'_>) -> ClaimReceipt {
        let mut cost = WireCost::default();
        let mut lease = None;
        let done = async {
            let grant = &order.ticket.grant;
            let partition = grant.partition().map_err(ClaimError::PartitionKey)?;
            let line = line.unwrap_or_else(|| Line::owner(self.setup.routes.wire_for(partition)));
            let line = line.calling(self.setup.library);
            let keys = ExecutionKeys::new(partition, &grant.execution_id);
            lease = Some(A::acquire(&line, &keys, order, &mut cost).await?);
            if self.setup.task_context {
                read_task_context(&line, &keys, &mut cost).await?;
            }
            Ok(())
        };
        let error = done.await.err();
        let outcome = error.as_ref().map_or(Outcome::Claimed, |error: &ClaimError| {
            error.outcome(&A::TAKEN, self.setup.contended, || {
                self.setup.clock.now_ms() >= order.ticket.grant.expires_at_ms
            })
        });
        ClaimReceipt { outcome, lease, error, cost }
    }
}

impl<A: Acquire> ClaimPath for Variant<A> {
    fn path(&self) -> VariantPath {
        A::PATH
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(self.run(None, order))
    }

    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(self.run(Some(line), order))
    }
}

/// The reads of [`super::TASK_CONTEXT_STEPS`], one after the other as FlowFabric's worker does them.
async fn read_task_context(line: &Line, keys: &ExecutionKeys, cost: &mut WireCost) -> Result<(), ClaimError> {
    line.call(&ReadPayload(keys), cost).await?;
    line.call(&ReadKind(keys), cost).await?;
    line.call(&ReadTags(keys), cost).await?;
    Ok(())
}
