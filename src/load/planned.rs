//! What a plan is made of: claims, strata, blocks, rounds.

use reclaim_analysis::record::Purpose;

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
pub(super) struct Unit {
    pub name: &'static str,
    pub claims: Vec<(u8, Purpose)>,
    pub block: Option<u32>,
    pub splittable: bool,
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

/// Whether a batch is the warm-up.
pub fn is_warmup(batch: &Batch) -> bool {
    batch.claims.first().is_some_and(|claim| claim.purpose == Purpose::Warmup)
}
