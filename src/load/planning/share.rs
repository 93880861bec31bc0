//! One generator's share of planned claims, and of arrivals that whatever is ready will serve.

use std::borrow::Cow;

use super::super::timing::Schedule;
use super::planned::PlannedClaim;
use crate::workload::{ExecIndex, Slice};

/// The claims of a batch that belong to one generator, in the batch's order.
pub(in crate::load) struct Share<'a> {
    /// The claims.
    pub claims: Cow<'a, [PlannedClaim]>,
    /// Where each stands in the batch; `None` where all are there.
    places: Option<Vec<usize>>,
}

impl<'a> Share<'a> {
    /// A claim belongs to the generator that its execution belongs to.
    pub fn of_claims(claims: &'a [PlannedClaim], slice: Slice) -> Self {
        if slice.is_whole() {
            return Self { claims: Cow::Borrowed(claims), places: None };
        }
        let own = |(_, claim): &(usize, &PlannedClaim)| slice.owns(ExecIndex(claim.execution));
        let (places, claims) = claims.iter().enumerate().filter(own).unzip::<_, _, Vec<usize>, Vec<_>>();
        Self { claims: Cow::Owned(claims.into_iter().copied().collect()), places: Some(places) }
    }

    /// When its claims are due, of a schedule of the whole batch.
    pub fn schedule(&self, whole: Schedule) -> Schedule {
        match &self.places {
            None => whole,
            Some(places) => whole.only(places),
        }
    }
}

/// One generator's arrivals of a schedule where no claim is planned for an execution: of n generators every n-th,
/// so that bursts and ramps are everybody's, and all together are the schedule.
pub(in crate::load) fn dealt(whole: Schedule, slice: Slice) -> Schedule {
    if slice.is_whole() {
        return whole;
    }
    let places: Vec<usize> =
        (slice.number() as usize - 1..whole.offsets().len()).step_by(slice.generators() as usize).collect();
    whole.only(&places)
}
