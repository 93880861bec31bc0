//! What a plan is made of: claims, strata, blocks, rounds.

use reclaim_analysis::record::Purpose;
use reclaim_analysis::scenario::Scenario;

/// One claim to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedClaim {
    /// Position of the execution in the population.
    pub execution: u32,
    /// Arm that makes it.
    pub arm: u8,
    /// What it is for.
    pub purpose: Purpose,
    /// Cluster that it goes to, in the order of the scenario's.
    pub site: u8,
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
    /// Whether the sides of an arm that is there twice are halves of its claims.
    pub halved: bool,
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

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// One stratum, block or open-loop window needs more executions than there are.
    #[error(
        "{bundle} needs {needed} executions at once, population.executions is {have}: raise it to at least {needed}, \
         or make {bundle} smaller"
    )]
    PopulationTooSmall {
        /// What needs them.
        bundle: &'static str,
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
pub(super) struct Bundle {
    pub name: &'static str,
    pub claims: Vec<(u8, Purpose)>,
    pub block: Option<u32>,
    pub splittable: bool,
    /// Whether the whole bundle goes to the control's cluster, whatever its claims are for.
    pub on_control: bool,
    /// Executions that each cluster must have left, beside those for the bundle itself: the first block of a
    /// group wants them for the whole group, so that all its blocks take the same ones. 0 on one cluster.
    pub ahead: usize,
}

impl Bundle {
    /// Claims on the clusters of their arms, which stay together, with nothing ahead of them.
    pub fn new(name: &'static str, claims: Vec<(u8, Purpose)>) -> Self {
        Self { name, claims, block: None, splittable: false, on_control: false, ahead: 0 }
    }
}

impl StratumPlan {
    /// Claims on a side of a stratum with `each` of every arm. Of an odd number the first half has one more.
    pub(super) fn claims_of(&self, side: usize, each: u64) -> u64 {
        let same = |sides: &[u8]| sides.contains(&self.sides[side]);
        match (same(&self.sides[..side]), same(&self.sides[side + 1..])) {
            (true, _) if self.halved => each / 2,
            (_, true) if self.halved => each - each / 2,
            _ => each,
        }
    }

    /// How many shares of equal size the stratum's claims come to: of halves two are one.
    pub(super) fn shares(&self) -> usize {
        self.sides.len() - usize::from(self.halved)
    }

    /// What the claims on a side are for. An arm's second side is the control's: what it does counts for no
    /// arm, unless it is a half of the arm's own.
    pub(super) fn purpose(&self, stratum: u32, side: usize) -> Purpose {
        let again = self.sides[..side].contains(&self.sides[side]);
        let side = side as u8;
        if self.control || (again && !self.halved) {
            Purpose::Control { stratum, side }
        } else {
            Purpose::Stratum { stratum, side }
        }
    }
}

/// Which cluster claims go to.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    of_arm: Vec<u8>,
    control: Option<u8>,
}

impl Sites {
    /// The clusters of a scenario: at most one for each arm and one for the control.
    pub fn of_scenario(scenario: &Scenario) -> Self {
        let clusters = scenario.clusters();
        let site_of = |arm: usize| clusters.iter().position(|cluster| cluster.arms.contains(&arm));
        let of_arm = (0..scenario.variants.len()).map(|arm| site_of(arm).unwrap_or(0) as u8).collect();
        let control = clusters.iter().position(|cluster| cluster.arms.is_empty());
        Self { of_arm, control: control.map(|site| site as u8) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.of_arm.iter().chain(&self.control).max().map_or(1, |most| usize::from(*most) + 1)
    }

    /// Executions that a group of blocks takes of a cluster at most, where each block takes `block` of them;
    /// 0 on one cluster, where each block takes others.
    pub fn taken_by_group(&self, block: u64) -> usize {
        let sharing = |site: &u8| self.of_arm.iter().map(|own| usize::from(own == site)).sum::<usize>();
        let most = self.of_arm.iter().map(sharing).max().unwrap_or(0);
        if self.count() > 1 { most * block as usize } else { 0 }
    }

    /// The control's, where it has one of its own.
    pub fn control(&self) -> Option<u8> {
        self.control
    }

    /// The cluster that a claim goes to: its arm's, or the control's for the second of two equal sides.
    pub fn site(&self, arm: u8, purpose: Purpose, on_control: bool) -> u8 {
        let second = on_control || matches!(purpose, Purpose::Control { side: 1.., .. });
        self.control.filter(|_| second).unwrap_or(self.of_arm[usize::from(arm)])
    }
}

/// Whether a batch is the warm-up.
pub fn is_warmup(batch: &Batch) -> bool {
    batch.claims.first().is_some_and(|claim| claim.purpose == Purpose::Warmup)
}
