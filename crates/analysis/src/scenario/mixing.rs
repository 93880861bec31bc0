//! Whether arms may take turns claim by claim, how long a block is where they may not, and how a recorded
//! trace is compared.
//!
//! Taking turns claim by claim cancels what the machine does only while claims do not queue. With several in
//! flight both arms wait in one queue, and an arm's latency follows its number of round trips instead of what
//! users of that arm alone would see. Then each arm has the servers for itself, for a block.

use super::checker::Checker;
use super::choices::Mode;
use super::compare_section::{CompareSection, MixingForm};
use super::file::ScenarioFile;
use super::load_section::{ArrivalsForm, ModelForm};
use super::model::{ControlSides, Mixing, Model};

/// Average number of claims in flight per primary up to which arms mixed claim by claim hardly wait for each
/// other.
pub const MOST_IN_FLIGHT: f64 = 0.5;

/// The same before the run, when a claim's length can only be guessed.
const SURELY_ALONE: f64 = 0.25;

/// Length of a claim on a slow machine, without a simulated network.
const LONG_CLAIM_S: f64 = 0.001;

/// Round trips that a claim is taken to have where nothing was measured yet: a simulated network makes each
/// of them longer.
pub const ROUND_TRIPS: f64 = 3.0;

/// Counted claims of a block per claim in flight: enough that most of the block is neither its start nor its
/// end.
const GENERATIONS: f64 = 4.0;

/// Uncounted claims at the start of a block per claim in flight: by then the queue has its length.
const RAMP_IN_GENERATIONS: f64 = 2.0;

/// And as a share of the claims that are counted.
const RAMP_IN_SHARE: f64 = 0.25;

/// Claims of a block at least.
const SMALLEST_BLOCK: f64 = 50.0;

/// Blocks of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// Groups of one block for each arm, and one more of the baseline for the control.
    pub groups: u32,
    /// Claims of a block that count.
    pub claims: u64,
    /// Claims before them, while the queue forms.
    pub ramp_in: u64,
}

impl BlockShape {
    /// Of a comparison with at most `strata` groups, and `total` claims that count over all `arms`.
    pub fn planned(strata: u32, total: u64, arms: u64, model: &Model, added_rtt_s: f64) -> Self {
        let in_flight = model.in_flight(added_rtt_s);
        let per_arm = (total / arms.max(1)).max(1);
        let smallest = Self::smallest(model, added_rtt_s);
        let groups = (per_arm / smallest).clamp(1, u64::from(strata.max(1)));
        let claims = per_arm / groups;
        let ramp_in = (RAMP_IN_GENERATIONS * in_flight).max(RAMP_IN_SHARE * claims as f64).ceil() as u64;
        Self { groups: groups as u32, claims, ramp_in: ramp_in.min(claims) }
    }

    /// Claims of a block that count, at least: most of it is neither start nor end then.
    pub fn smallest(model: &Model, added_rtt_s: f64) -> u64 {
        (GENERATIONS * model.in_flight(added_rtt_s)).max(SMALLEST_BLOCK).ceil() as u64
    }

    /// Claims of one block, those before the ones that count included.
    pub fn all_claims(&self) -> u64 {
        self.claims + self.ramp_in
    }
}

impl Model {
    /// Claims in flight; for an open loop estimated beforehand by Little's law.
    pub fn in_flight(&self, added_rtt_s: f64) -> f64 {
        match self {
            Self::Closed { concurrency } => f64::from(*concurrency),
            Self::Open { rate_per_sec, .. } => rate_per_sec * (LONG_CLAIM_S + ROUND_TRIPS * added_rtt_s),
        }
    }
}

/// How a scenario's arms take turns.
pub(super) fn mixing(file: &ScenarioFile, model: &Model) -> Mixing {
    let wanted = file.compare.as_ref().map(|compare| compare.mixing).unwrap_or_default();
    match wanted {
        MixingForm::Claims => Mixing::Claims,
        MixingForm::Blocks => Mixing::Blocks,
        // In churn and storms nothing can be drained between blocks, and where a trace is replayed each block
        // would begin it anew. The result says whether arms waited for each other.
        MixingForm::Auto if file.load.mode != Mode::Staged || replays(file) => Mixing::Claims,
        MixingForm::Auto => {
            let in_flight = model.in_flight(file.load.network.added_rtt.0.as_secs_f64());
            let alone = match file.load.model {
                ModelForm::Closed => in_flight <= 1.0,
                ModelForm::Open => in_flight <= SURELY_ALONE * f64::from(file.cluster.primaries),
            };
            if alone { Mixing::Claims } else { Mixing::Blocks }
        }
    }
}

/// Whether arrivals come from a recorded trace.
pub(super) fn replays(file: &ScenarioFile) -> bool {
    matches!(file.load.arrivals, Some(ArrivalsForm::Trace(_)))
}

/// Staged variants are not compared along a ramp: each block, each reading of the counters and each filling
/// of the stock begins the ramp anew, and figures of its foot would be taken for those of the whole ramp.
pub(super) fn compared_ramp(file: &ScenarioFile, checker: &mut Checker) {
    let climbs = matches!(file.load.arrivals, Some(ArrivalsForm::Ramp(_)));
    checker.require(!climbs || file.load.mode != Mode::Staged, "load.arrivals", || {
        "a ramp begins anew in each block of a comparison, so that its end would hardly be offered: leave it out and \
         compare at one rate, or run each variant by itself without [compare]"
            .into()
    });
}

/// A staged comparison replays a recorded trace once, in one window: a further window or block would begin
/// the trace anew, and figures of its first part would be taken for those of the whole trace. `control` is
/// the resolved `compare.control`.
pub(super) fn compared_trace(
    file: &ScenarioFile,
    compare: &CompareSection,
    control: ControlSides,
    checker: &mut Checker,
) {
    let load = &file.load;
    if !replays(file) || load.mode != Mode::Staged || load.model != ModelForm::Open {
        return;
    }
    let in_blocks = compare.mixing == MixingForm::Blocks;
    checker.require(!in_blocks, "compare.mixing", || {
        "each block begins a recorded trace anew, and its end would never be offered: use \"claims\"".into()
    });
    // Blocks have a control of their own kind: what holds claim by claim can be said when they are gone.
    let adds_none = matches!(control, ControlSides::Halves | ControlSides::OwnStrata(0));
    checker.require(in_blocks || adds_none, "compare.control", || {
        "claims of the control's own take arrivals of a recorded trace beside load.claims: use \"shared\"; or no \
         control (\"own\" and control_strata = 0) where arms have an sdk or a server of their own"
            .into()
    });
    checker.require(compare.counter_blocks == 0, "compare.counter_blocks", || {
        "each of them replays the beginning of a recorded trace, and its counters would be of that alone: use 0"
            .into()
    });
    checker.require(load.claims.is_some(), "load.claims", || {
        "missing; arrivals of a recorded trace that are compared go into one window, and only its file knows how many \
         they are: say how many of them to replay"
            .into()
    });
}

#[cfg(test)]
mod tests {
    use super::super::model::Scenario;
    use super::super::{Arrivals, parse};
    use super::*;

    fn compared(load: &str) -> Scenario {
        let text = format!(
            "schema = 1\nname = \"t\"\nsummary = \"s\"\n[population]\nexecutions = 9000\n[load]\n{load}\n[compare]\n\
             strata = 20\n[[variant]]\nname = \"a\"\npath = \"grant-lane\"\n[[variant]]\nname = \"b\"\npath = \
             \"hget-lane\"\n"
        );
        parse("t.toml", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn decided(load: &str) -> Mixing {
        compared(load).compare.unwrap().mixing
    }

    #[test]
    fn arms_are_mixed_claim_by_claim_only_where_claims_do_not_queue() {
        assert_eq!(decided("claims = 4000"), Mixing::Claims);
        assert_eq!(decided("claims = 4000\nconcurrency = 2"), Mixing::Blocks);
        let open = |rate: &str| decided(&format!("claims = 4000\nmodel = \"open\"\nrate = {rate}"));
        assert_eq!((open("300"), open("3000")), (Mixing::Claims, Mixing::Blocks));
        let far = "claims = 4000\nmodel = \"open\"\nrate = 300\nnetwork = { added_rtt = \"5ms\" }";
        assert_eq!(decided(far), Mixing::Blocks, "the same rate, and each claim in flight for longer");
    }

    #[test]
    fn a_block_is_long_enough_for_its_queue() {
        let shape =
            |total, concurrency| BlockShape::planned(100, total, 2, &Model::Closed { concurrency }, 0.0);
        let at_64 = shape(20_000, 64);
        assert_eq!(at_64, BlockShape { groups: 39, claims: 256, ramp_in: 128 });
        assert_eq!(shape(20_000, 4), BlockShape { groups: 100, claims: 100, ramp_in: 25 });
        // Too few claims for one block are one short block, whose result says that it is too little.
        assert_eq!(shape(200, 4_096), BlockShape { groups: 1, claims: 100, ramp_in: 100 });
        let open = Model::Open { rate_per_sec: 20_000.0, arrivals: Arrivals::Poisson };
        assert_eq!(BlockShape::planned(100, 20_000, 2, &open, 0.0).claims, 100);
    }
}
