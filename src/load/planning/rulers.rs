//! Where bare round trips stand among the claims.

use rand::RngExt as _;

use super::planned::{PlannedClaim, Round, StratumPlan};
use reclaim_analysis::record::{Purpose, stream};

/// Puts bare round trips at random places among the claims of each stratum of the comparison: as many as an
/// arm has claims. Where they stand comes from a random stream of its own, so that claims stand where they
/// stood without. Blocks of one arm have none: with several claims in flight a round trip is not bare, it
/// waits in their queue.
pub(super) fn lay_rulers(rounds: &mut [Round], strata: &[StratumPlan], seed: u64) {
    let mut rng = stream(seed, "ruler");
    for batch in rounds.iter_mut().flat_map(|round| &mut round.batches) {
        let claims = std::mem::take(&mut batch.claims);
        for stratum in claims.chunk_by(|a, b| stratum_of(a.purpose) == stratum_of(b.purpose)) {
            let number = stratum_of(stratum[0].purpose);
            let plan = number.and_then(|number| strata.get(number as usize));
            let Some((stratum_number, plan)) = number.zip(plan.filter(|plan| !plan.control && !plan.apart))
            else {
                batch.claims.extend(stratum);
                continue;
            };
            let mut places: Vec<usize> =
                (0..stratum.len() / plan.shares()).map(|_| rng.random_range(0..stratum.len())).collect();
            places.sort_unstable();
            let mut places = places.into_iter().peekable();
            for (place, claim) in stratum.iter().enumerate() {
                while places.next_if_eq(&place).is_some() {
                    let purpose = Purpose::Ruler { stratum: stratum_number };
                    batch.claims.push(PlannedClaim { purpose, ..*claim });
                }
                batch.claims.push(*claim);
            }
        }
    }
}

/// The stratum that a claim is for.
fn stratum_of(purpose: Purpose) -> Option<u32> {
    match purpose {
        Purpose::Stratum { stratum, .. } | Purpose::Control { stratum, .. } => Some(stratum),
        _ => None,
    }
}
