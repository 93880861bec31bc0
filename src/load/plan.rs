//! Who claims what, in which order: decided from the seed before the first command is sent.

use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use reclaim_analysis::record::Purpose;
use reclaim_analysis::record::stream;
use reclaim_analysis::scenario::{Amount, BlockShape, Compare, Mixing, Model, Scenario};

/// One claim to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedClaim {
    /// Position of the execution in the population.
    pub execution: u32,
    /// Arm that makes it.
    pub arm: u8,
    /// What it is for.
    pub purpose: Purpose,
}

impl PlannedClaim {
    /// Whether it is no claim but a bare round trip, to where the execution lives.
    pub fn is_ruler(&self) -> bool {
        matches!(self.purpose, Purpose::Ruler { .. })
    }
}

/// A stratum: whether it is a control, and the arm on each of its sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StratumPlan {
    /// Whether all sides are the baseline.
    pub control: bool,
    /// Arms, by side; the baseline once more where the control is within the comparison.
    pub sides: Vec<u8>,
    /// Whether each side is a block by itself.
    pub apart: bool,
}

/// A block: claims of one arm between two readings of the servers' counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlan {
    /// Blocks of one group are compared with each other.
    pub group: u32,
    /// The arm.
    pub arm: u8,
    /// What it is.
    pub kind: BlockKind,
}

/// What a block is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// The servers' counters alone.
    Counters,
    /// One side of a stratum.
    Side,
    /// The baseline's second side of a stratum.
    Control,
}

/// Claims that are made without a pause between two readings of the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub claims: Vec<PlannedClaim>,
    /// The block that this batch is, if it is one.
    pub block: Option<u32>,
}

/// Claims between two stagings: each execution is claimed at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// In order; the warm-up, if any, comes first.
    pub batches: Vec<Batch>,
    /// Claimed after their grants have expired.
    pub late: Vec<PlannedClaim>,
}

impl Round {
    /// Every claim of the round; a ruler's round trips are none.
    pub fn claims(&self) -> impl Iterator<Item = &PlannedClaim> {
        let planned = self.batches.iter().flat_map(|batch| &batch.claims).chain(&self.late);
        planned.filter(|claim| !claim.is_ruler())
    }
}

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

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// One stratum, block or open-loop window needs more executions than there are.
    #[error(
        "{unit} needs {needed} executions at once, population.executions is {have}: raise it to at least {needed}, \
         or make {unit} smaller"
    )]
    PopulationTooSmall {
        /// What needs them.
        unit: &'static str,
        /// How many.
        needed: u64,
        /// How many there are.
        have: u32,
    },
    /// Nobody waits for it any more.
    #[error("interrupted while the claims were planned")]
    Cancelled,
}

/// Claims that belong together and go into one round.
struct Unit {
    name: &'static str,
    claims: Vec<(u8, Purpose)>,
    block: Option<u32>,
    splittable: bool,
}

impl Plan {
    /// Plans a staged run of `total` claims; control strata and counter blocks come on top. Asks now and then whether it
    /// is `cancelled`: there may be a hundred million claims.
    pub fn staged(
        scenario: &Scenario,
        seed: u64,
        total: u64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, PlanError> {
        let mut arms = stream(seed, "arms");
        let mut strata = Vec::new();
        let mut blocks = Vec::new();
        let mut units = Vec::new();
        let arm_count = scenario.variants.len() as u8;
        if scenario.load.warmup > 0 {
            units.push(Unit {
                name: "the warm-up",
                claims: (0..scenario.load.warmup)
                    .map(|n| ((n % u64::from(arm_count)) as u8, Purpose::Warmup))
                    .collect(),
                block: None,
                splittable: false,
            });
        }
        match &scenario.compare {
            None => units.push(plain_unit(scenario, total, &mut arms)),
            Some(compare) if compare.mixing == Mixing::Blocks => {
                units.extend(side_units(scenario, compare, total, &mut strata, &mut blocks, &mut arms));
            }
            Some(compare) => {
                let baseline = baseline_arm(scenario, compare);
                let each = (total / u64::from(compare.strata) / u64::from(arm_count)).max(1);
                for control in stratum_units_order(compare, &mut arms) {
                    let stratum = strata.len() as u32;
                    strata.push(stratum_plan(control, compare.shared_control, arm_count, baseline));
                    let plan = &strata[stratum as usize];
                    let claims = stratum_claims(stratum, plan, each, &mut arms);
                    units.push(Unit { name: "a stratum", claims, block: None, splittable: false });
                }
                units.extend(block_units(compare, arm_count, &mut blocks, &mut arms));
            }
        }
        let mut packer = Packer::new(scenario, seed);
        for unit in units {
            if cancelled() {
                return Err(PlanError::Cancelled);
            }
            packer.add(&unit, cancelled)?;
        }
        let (mut rounds, fresh) = packer.finish();
        if matches!(scenario.load.model, Model::Closed { .. }) {
            lay_rulers(&mut rounds, &strata, seed);
        }
        Ok(Self { rounds, strata, blocks, fresh })
    }

    /// Every claim, in order.
    pub fn claims(&self) -> impl Iterator<Item = &PlannedClaim> {
        self.rounds.iter().flat_map(Round::claims)
    }
}

/// SHA-256 over every planned claim, the execution by its id, and over a recorded trace: equal plans, equal digests.
#[derive(Default)]
pub struct PlanDigest(Sha256);

impl PlanDigest {
    /// Takes a claim in, whose execution has this id.
    pub fn add(&mut self, claim: &PlannedClaim, execution_id: &str) {
        self.0.update(execution_id);
        self.0.update([claim.arm]);
        self.0.update(format!("{:?};", claim.purpose));
    }

    /// The digest of all claims and a trace.
    pub fn finish(mut self, trace: &[Duration]) -> String {
        for at in trace {
            self.0.update(at.as_nanos().to_le_bytes());
        }
        hex(&self.0.finalize())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Position of the baseline among the variants.
pub fn baseline_arm(scenario: &Scenario, compare: &Compare) -> u8 {
    scenario.variants.iter().position(|v| v.name == compare.baseline).unwrap_or(0) as u8
}

/// Claims in the window, strata only: the amount, what the schedule makes of a duration, or the length of a trace.
pub fn claims_wanted(scenario: &Scenario, trace: &[Duration]) -> u64 {
    match (scenario.load.amount, &scenario.load.model) {
        (Amount::Claims(claims), _) => claims,
        (Amount::Duration(time), Model::Open { rate_per_sec, arrivals }) => {
            arrivals.count_within(*rate_per_sec, time)
        }
        (Amount::Trace, _) => trace.len() as u64,
        // Refused by the scenario's validation: a staged closed loop counts claims.
        (Amount::Duration(_), Model::Closed { .. }) => 0,
    }
}

fn plain_unit(scenario: &Scenario, total: u64, arms: &mut ChaCha8Rng) -> Unit {
    let count = scenario.variants.len() as u64;
    let mut claims: Vec<_> = (0..total).map(|n| ((n % count) as u8, Purpose::Plain)).collect();
    claims.shuffle(arms);
    let late = (claims.len() as f64 * scenario.grant.unconsumed).round() as usize;
    for claim in &mut claims[..late] {
        claim.1 = Purpose::Late;
    }
    claims.shuffle(arms);
    let splittable = matches!(scenario.load.model, Model::Closed { .. });
    Unit { name: "the window", claims, block: None, splittable }
}

/// Strata of the comparison and of the control, in random order.
pub(super) fn stratum_units_order(compare: &Compare, rng: &mut ChaCha8Rng) -> Vec<bool> {
    let mut order: Vec<bool> = std::iter::repeat_n(false, compare.strata as usize)
        .chain(std::iter::repeat_n(true, compare.own_controls() as usize))
        .collect();
    order.shuffle(rng);
    order
}

/// The claims of one stratum in random order: `each` per side.
pub(super) fn stratum_claims(
    stratum: u32,
    plan: &StratumPlan,
    each: u64,
    rng: &mut ChaCha8Rng,
) -> Vec<(u8, Purpose)> {
    let mut claims = Vec::with_capacity(each as usize * plan.sides.len());
    for (side, &arm) in plan.sides.iter().enumerate() {
        claims.extend(std::iter::repeat_n((arm, plan.purpose(stratum, side)), each as usize));
    }
    claims.shuffle(rng);
    claims
}

/// The sides of a stratum.
pub(super) fn stratum_plan(control: bool, shared_control: bool, arm_count: u8, baseline: u8) -> StratumPlan {
    let sides = if control {
        vec![baseline, baseline]
    } else {
        (0..arm_count).chain(shared_control.then_some(baseline)).collect()
    };
    StratumPlan { control, sides, apart: false }
}

impl StratumPlan {
    /// What the claims on a side are for. An arm's second side is the control's: what it does counts for no arm.
    pub(super) fn purpose(&self, stratum: u32, side: usize) -> Purpose {
        let again = self.sides[..side].contains(&self.sides[side]);
        let side = side as u8;
        if self.control || again {
            Purpose::Control { stratum, side }
        } else {
            Purpose::Stratum { stratum, side }
        }
    }
}

/// Arms in blocks of their own: in every group one of each, and one more of the baseline for the control, in random
/// order. A block begins with claims that do not count, while its queue forms.
fn side_units(
    scenario: &Scenario,
    compare: &Compare,
    total: u64,
    strata: &mut Vec<StratumPlan>,
    blocks: &mut Vec<BlockPlan>,
    rng: &mut ChaCha8Rng,
) -> Vec<Unit> {
    let arm_count = scenario.variants.len() as u8;
    let baseline = baseline_arm(scenario, compare);
    let sides: Vec<u8> = (0..arm_count).chain(compare.is_controlled().then_some(baseline)).collect();
    let added_rtt_s = scenario.load.added_rtt.as_secs_f64();
    let shape =
        BlockShape::of(compare.strata, total, u64::from(arm_count), &scenario.load.model, added_rtt_s);
    let mut units = Vec::new();
    for group in 0..shape.groups {
        let plan = StratumPlan { control: false, sides: sides.clone(), apart: true };
        let mut order: Vec<usize> = (0..sides.len()).collect();
        order.shuffle(rng);
        for side in order {
            let (arm, purpose) = (sides[side], plan.purpose(group, side));
            let kind = match purpose {
                Purpose::Control { .. } => BlockKind::Control,
                _ => BlockKind::Side,
            };
            let block = blocks.len() as u32;
            blocks.push(BlockPlan { group, arm, kind });
            let ramp_in = std::iter::repeat_n((arm, Purpose::Block), shape.ramp_in as usize);
            let claims = ramp_in.chain(std::iter::repeat_n((arm, purpose), shape.claims as usize)).collect();
            units.push(Unit { name: "a block of one arm", claims, block: Some(block), splittable: false });
        }
        strata.push(plan);
    }
    units
}

fn block_units(
    compare: &Compare,
    arm_count: u8,
    blocks: &mut Vec<BlockPlan>,
    rng: &mut ChaCha8Rng,
) -> Vec<Unit> {
    let mut units = Vec::new();
    for group in 0..compare.counter_blocks {
        let mut order: Vec<u8> = (0..arm_count).collect();
        order.shuffle(rng);
        for arm in order {
            let block = blocks.len() as u32;
            blocks.push(BlockPlan { group, arm, kind: BlockKind::Counters });
            let claims = vec![(arm, Purpose::Block); compare.block_claims as usize];
            units.push(Unit { name: "a counter block", claims, block: Some(block), splittable: false });
        }
    }
    units
}

/// Puts bare round trips at random places among the claims of each stratum of the comparison: as many as one side has
/// claims. Where they stand comes from a random stream of its own, so that claims stand where they stood without. Blocks of
/// one arm have none: with several claims in flight a round trip is not bare, it waits in their queue.
fn lay_rulers(rounds: &mut [Round], strata: &[StratumPlan], seed: u64) {
    let mut rng = stream(seed, "ruler");
    for batch in rounds.iter_mut().flat_map(|round| &mut round.batches) {
        let claims = std::mem::take(&mut batch.claims);
        for stratum in claims.chunk_by(|a, b| stratum_of(a.purpose) == stratum_of(b.purpose)) {
            let measured =
                |number: &u32| strata.get(*number as usize).is_some_and(|plan| !plan.control && !plan.apart);
            let number = stratum_of(stratum[0].purpose).filter(measured);
            let Some((stratum_number, sides)) = number.zip(sides_of(stratum)) else {
                batch.claims.extend(stratum);
                continue;
            };
            let mut places: Vec<usize> =
                (0..stratum.len() / sides).map(|_| rng.random_range(0..stratum.len())).collect();
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

/// How many sides a stratum's claims are on.
fn sides_of(claims: &[PlannedClaim]) -> Option<usize> {
    let side = |claim: &PlannedClaim| match claim.purpose {
        Purpose::Stratum { side, .. } | Purpose::Control { side, .. } => Some(usize::from(side) + 1),
        _ => None,
    };
    claims.iter().filter_map(side).max()
}

/// Puts units into rounds and gives every claim an execution.
struct Packer<'a> {
    scenario: &'a Scenario,
    seed: u64,
    rounds: Vec<Round>,
    free: Vec<u32>,
    fresh: u32,
}

impl<'a> Packer<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        Self { scenario, seed, rounds: Vec::new(), free: Vec::new(), fresh: 0 }
    }

    fn add(&mut self, unit: &Unit, cancelled: &dyn Fn() -> bool) -> Result<(), PlanError> {
        let capacity = self.scenario.population.executions;
        let needed = unit.claims.iter().filter(|(arm, _)| !self.takes_fresh(*arm)).count();
        if unit.splittable {
            let mut rest = unit.claims.as_slice();
            while !rest.is_empty() {
                if cancelled() {
                    return Err(PlanError::Cancelled);
                }
                if self.free.is_empty() {
                    self.open_round();
                }
                let (part, after) = rest.split_at(rest.len().min(self.free.len()));
                self.place(part, None);
                rest = after;
            }
            return Ok(());
        }
        if needed > capacity as usize {
            return Err(PlanError::PopulationTooSmall {
                unit: unit.name,
                needed: needed as u64,
                have: capacity,
            });
        }
        if self.rounds.is_empty() || needed > self.free.len() {
            self.open_round();
        }
        self.place(&unit.claims, unit.block);
        Ok(())
    }

    fn open_round(&mut self) {
        let mut order: Vec<u32> = (0..self.scenario.population.executions).collect();
        order.shuffle(&mut stream(self.seed, &format!("round {}", self.rounds.len())));
        self.free = order;
        self.rounds.push(Round::default());
    }

    fn takes_fresh(&self, arm: u8) -> bool {
        self.scenario.variants[usize::from(arm)].path.is_first_claim()
    }

    fn place(&mut self, claims: &[(u8, Purpose)], block: Option<u32>) {
        let mut placed = Vec::with_capacity(claims.len());
        let mut late = Vec::new();
        for &(arm, purpose) in claims {
            let execution = if self.takes_fresh(arm) {
                self.fresh += 1;
                self.scenario.population.executions + self.fresh - 1
            } else {
                // The caller made sure that the round has room.
                let Some(execution) = self.free.pop() else { continue };
                execution
            };
            let claim = PlannedClaim { execution, arm, purpose };
            if purpose == Purpose::Late { late.push(claim) } else { placed.push(claim) }
        }
        let Some(round) = self.rounds.last_mut() else { return };
        round.late.append(&mut late);
        let warmup = placed.first().is_some_and(|claim| claim.purpose == Purpose::Warmup);
        match round.batches.last_mut() {
            Some(batch) if block.is_none() && batch.block.is_none() && !is_warmup(batch) && !warmup => {
                batch.claims.append(&mut placed);
            }
            _ if placed.is_empty() => {}
            _ => round.batches.push(Batch { claims: placed, block }),
        }
    }

    fn finish(self) -> (Vec<Round>, u32) {
        (self.rounds, self.fresh)
    }
}

/// Whether a batch is the warm-up.
pub fn is_warmup(batch: &Batch) -> bool {
    batch.claims.first().is_some_and(|claim| claim.purpose == Purpose::Warmup)
}
