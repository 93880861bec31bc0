//! Who claims what, in which order: decided from the seed before the first command is sent.

use std::time::Duration;

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::block_order::{block_bundles, side_bundles};
use super::packer::Packer;
use super::planned::{BlockPlan, Bundle, PlanError, PlannedClaim, Round, Sites, StratumPlan};
use super::rulers::lay_rulers;
use reclaim_analysis::record::{Purpose, stream};
use reclaim_analysis::scenario::{Compare, ControlSides, Mixing, Model, Scenario};

/// All claims of a staged run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Between two of them the stock is filled again.
    pub rounds: Vec<Round>,
    /// What the stratum numbers mean.
    pub strata: Vec<StratumPlan>,
    /// What the block numbers mean.
    pub blocks: Vec<BlockPlan>,
    /// Executions beyond the population that first claims need.
    pub fresh: u32,
}

impl Plan {
    /// Plans a staged run of `total` claims; control strata and counter blocks come on top. Asks now and then
    /// whether it is `cancelled`: there may be a hundred million claims.
    pub fn staged(
        scenario: &Scenario,
        seed: u64,
        total: u64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, PlanError> {
        let mut arms = stream(seed, "arms");
        let mut strata = Vec::new();
        let mut blocks = Vec::new();
        let mut bundles = warmup_bundles(scenario);
        match &scenario.compare {
            None => bundles.push(plain_bundle(scenario, total, &mut arms)),
            Some(compare) if compare.mixing == Mixing::Blocks => {
                bundles.extend(side_bundles(scenario, compare, total, &mut strata, &mut blocks, &mut arms));
            }
            Some(compare) => {
                bundles.extend(stratum_bundles(scenario, compare, total, &mut strata, &mut arms));
                bundles.extend(block_bundles(scenario, compare, &mut blocks, &mut arms));
            }
        }
        let mut packer = Packer::new(scenario, seed);
        for bundle in bundles {
            if cancelled() {
                return Err(PlanError::Cancelled);
            }
            packer.add(&bundle, cancelled)?;
        }
        let (mut rounds, fresh) = packer.finish();
        if matches!(scenario.load.model, Model::Closed { .. }) {
            lay_rulers(&mut rounds, &strata, seed);
        }
        Ok(Self { rounds, strata, blocks, fresh })
    }

    /// What is made without a pause, in order: each batch's claims and, behind those of its round, such as are
    /// made late.
    pub fn parts(&self) -> impl Iterator<Item = &[PlannedClaim]> {
        self.rounds.iter().flat_map(|round| {
            let late = Some(round.late.as_slice()).filter(|late| !late.is_empty());
            round.batches.iter().map(|batch| batch.claims.as_slice()).chain(late)
        })
    }

    /// Every claim, in order.
    pub fn claims(&self) -> impl Iterator<Item = &PlannedClaim> {
        self.rounds.iter().flat_map(Round::claims)
    }
}

/// Claims in the window, strata only: the amount, what the schedule makes of a duration, or the length of a
/// trace.
pub fn claims_wanted(scenario: &Scenario, trace: &[Duration]) -> u64 {
    // Without a schedule and without a trace a staged run has no time either: its scenario's validation wants
    // a number.
    scenario.window_claims().unwrap_or(trace.len() as u64)
}

/// Claims that do not count, of every arm in turns; and where the control has a cluster of its own, claims of the
/// baseline there, so that this cluster is as warm as the baseline's when its claims begin to count.
fn warmup_bundles(scenario: &Scenario) -> Vec<Bundle> {
    let warmup = scenario.load.warmup;
    if warmup == 0 {
        return Vec::new();
    }
    let arm_count = scenario.variants.len() as u64;
    let in_turns = (0..warmup).map(|n| ((n % arm_count) as u8, Purpose::Warmup)).collect();
    let mut bundles = vec![Bundle::new("the warm-up", in_turns)];
    if Sites::of_scenario(scenario).control().is_some() {
        let claims = vec![(scenario.baseline() as u8, Purpose::Warmup); scenario.control_warmup() as usize];
        bundles.push(Bundle { on_control: true, ..Bundle::new("the control's warm-up", claims) });
    }
    bundles
}

/// Arms that are mixed claim by claim: the strata of the comparison and of the control.
fn stratum_bundles(
    scenario: &Scenario,
    compare: &Compare,
    total: u64,
    strata: &mut Vec<StratumPlan>,
    rng: &mut ChaCha8Rng,
) -> Vec<Bundle> {
    let arm_count = scenario.variants.len() as u8;
    let baseline = scenario.baseline() as u8;
    let each = scenario.side_claims(compare, total);
    let mut bundles = Vec::new();
    for control in strata_order(compare, rng) {
        let stratum = strata.len() as u32;
        let plan = stratum_plan(control, compare.control, arm_count, baseline);
        let claims = stratum_claims(stratum, &plan, each, rng);
        strata.push(plan);
        bundles.push(Bundle::new("a stratum", claims));
    }
    bundles
}

fn plain_bundle(scenario: &Scenario, total: u64, arms: &mut ChaCha8Rng) -> Bundle {
    let count = scenario.variants.len() as u64;
    let mut claims: Vec<_> = (0..total).map(|n| ((n % count) as u8, Purpose::Plain)).collect();
    claims.shuffle(arms);
    let late = (claims.len() as f64 * scenario.grant.unconsumed).round() as usize;
    for claim in &mut claims[..late] {
        claim.1 = Purpose::Late;
    }
    claims.shuffle(arms);
    let splittable = matches!(scenario.load.model, Model::Closed { .. });
    Bundle { splittable, ..Bundle::new("the window", claims) }
}

/// Strata of the comparison and of the control, in random order.
pub(super) fn strata_order(compare: &Compare, rng: &mut ChaCha8Rng) -> Vec<bool> {
    let mut order: Vec<bool> = std::iter::repeat_n(false, compare.strata as usize)
        .chain(std::iter::repeat_n(true, compare.own_controls() as usize))
        .collect();
    order.shuffle(rng);
    order
}

/// The claims of one stratum in random order: `each` per side, or of the baseline over its halves.
pub(super) fn stratum_claims(
    stratum: u32,
    plan: &StratumPlan,
    each: u64,
    rng: &mut ChaCha8Rng,
) -> Vec<(u8, Purpose)> {
    let mut claims = Vec::with_capacity(each as usize * plan.sides.len());
    for (side, &arm) in plan.sides.iter().enumerate() {
        let count = plan.claims_of(side, each);
        claims.extend(std::iter::repeat_n((arm, plan.purpose(stratum, side)), count as usize));
    }
    claims.shuffle(rng);
    claims
}

/// The sides of a stratum.
pub(super) fn stratum_plan(control: bool, sides: ControlSides, arm_count: u8, baseline: u8) -> StratumPlan {
    let again = (!matches!(sides, ControlSides::OwnStrata(_))).then_some(baseline);
    let arms = if control { vec![baseline; 2] } else { (0..arm_count).chain(again).collect() };
    StratumPlan { control, sides: arms, apart: false, halved: sides == ControlSides::Halves }
}
