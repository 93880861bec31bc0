//! Which arm makes the next claim where the number of claims is not known before: strata without end.

use std::cell::RefCell;
use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;

use super::plan::{stratum_claims, stratum_plan};
use super::planned::StratumPlan;
use crate::workload::Slice;
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{Purpose, Recorder};
use reclaim_analysis::scenario::{ControlSides, Scenario};

/// Arms and purposes of the claims in the order they are made.
#[derive(Clone)]
pub(in crate::load) struct ArmSequence {
    scenario_arms: u8,
    baseline: u8,
    strata: Vec<StratumPlan>,
    /// `None` without a comparison: then arms take turns.
    controls_per_stratum: Option<f64>,
    control: ControlSides,
    debt: f64,
    rng: ChaCha8Rng,
    turn: u8,
    upcoming: VecDeque<(u8, Purpose)>,
}

/// Claims of each arm in a stratum.
const CLAIMS_EACH: u64 = 50;

impl ArmSequence {
    /// The sequence that the seed gives. Of several generators each draws strata of its own.
    pub fn new(scenario: &Scenario, seed: u64, slice: Slice) -> Self {
        let compare = scenario.compare.as_ref();
        let own = if slice.leads() { "arms".to_owned() } else { format!("arms {}", slice.number()) };
        Self {
            scenario_arms: scenario.variants.len() as u8,
            baseline: scenario.baseline() as u8,
            strata: Vec::new(),
            controls_per_stratum: compare
                .map(|compare| f64::from(compare.own_controls()) / f64::from(compare.strata.max(1))),
            control: compare.map_or(ControlSides::OwnStrata(0), |compare| compare.control),
            debt: 0.0,
            rng: stream(seed, &own),
            turn: 0,
            upcoming: VecDeque::new(),
        }
    }

    /// The next claim's arm and purpose. Tells the recorder of every stratum that begins.
    pub fn next(&mut self, recorder: &RefCell<Recorder>) -> (u8, Purpose) {
        self.draw(|sides| recorder.borrow_mut().add_stratum(sides))
    }

    /// Counts the claims that would come next, as many as these, as not sent. Nobody makes them: no stratum
    /// begins with them.
    pub fn drop_next(&self, claims: u64, recorder: &RefCell<Recorder>) {
        let (mut ahead, mut recorder) = (self.clone(), recorder.borrow_mut());
        for _ in 0..claims {
            let (arm, purpose) = ahead.draw(|_| 0);
            ahead.strata.clear();
            recorder.dropped(usize::from(arm), purpose);
        }
    }

    /// The next claim's arm and purpose. `begin` numbers a stratum with so many sides.
    fn draw(&mut self, begin: impl Fn(usize) -> u32) -> (u8, Purpose) {
        let Some(controls_per_stratum) = self.controls_per_stratum else {
            let arm = self.turn;
            self.turn = (arm + 1) % self.scenario_arms;
            return (arm, Purpose::Plain);
        };
        loop {
            if let Some(claim) = self.upcoming.pop_front() {
                return claim;
            }
            let control = self.debt >= 1.0;
            self.debt += if control { -1.0 } else { controls_per_stratum };
            let plan = stratum_plan(control, self.control, self.scenario_arms, self.baseline);
            let number = begin(plan.sides.len());
            self.upcoming = stratum_claims(number, &plan, CLAIMS_EACH, &mut self.rng).into();
            self.strata.push(plan);
        }
    }

    /// The strata whose claims have all been handed out.
    pub fn into_strata(mut self) -> Vec<StratumPlan> {
        if !self.upcoming.is_empty() {
            self.strata.pop();
        }
        self.strata
    }
}
