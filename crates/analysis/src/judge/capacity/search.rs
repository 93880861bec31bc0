//! The search: which load comes next, decided from the probes so far and nothing else.
//!
//! It is written as one procedure that asks for probes. Each call replays it over the probes that there are;
//! the first question without an answer is the next step. So a search can be cut at any point and goes on
//! where it stopped.

use rand::seq::SliceRandom as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boundary::Boundary;
use super::load::ProbeLoad;
use super::policy::CapacityPolicy;
use super::probe::{Probe, ProbeVerdict};
use crate::record::stream;
use crate::scenario::HIGHEST_SEARCHED_PER_S;

/// The search halves its first rate at most this often before it gives up.
const HALVINGS: i32 = 5;

/// Probes of one level that agree before its verdict stands: best of three.
const AGREEING: usize = 2;

/// Probes of one question that may be disturbed before the next one counts as failed.
const DISTURBED: u32 = 2;

/// Where the probes of a round of refinement lie, as factors of the sustainable rate so far: a line needs
/// both sides, and some of it far enough away for its slope.
const ROUND: [f64; 6] = [0.87, 0.92, 0.96, 1.04, 1.09, 1.15];

/// Significant digits of a rate.
const DIGITS: i32 = 4;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbePurpose {
    /// Whether the required rate is sustained.
    Required,
    /// Where the limit is, roughly.
    Bracket,
    /// Where it is, within the resolution.
    Bisect,
    /// Whether a verdict at the boundary stands: best of three.
    Boundary,
    /// The same level again, in random order: does the past of the cluster matter?
    Again,
    /// A point of the closed-loop curve.
    Curve,
    /// Beside the sustainable rate, to narrow its interval.
    Refine,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextStep {
    /// Make this probe.
    Probe {
        /// The load.
        offer: ProbeLoad,
        /// What for.
        purpose: ProbePurpose,
    },
    /// Nothing is left to find out.
    Done,
    /// Not even the lowest rate that is worth trying is sustained.
    NothingSustained,
    /// Two runs of one probe were invalid.
    Invalid,
    /// The highest rate that can be offered is sustained.
    Unlimited,
}

/// One rate and what its probes said.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Claims per second.
    pub rate_per_s: f64,
    /// Whether each probe passed, in the order made.
    pub passed: Vec<bool>,
}

impl Level {
    /// The verdict, if enough probes agree.
    fn decided(&self) -> Option<bool> {
        let agree = |wanted: bool| self.passed.iter().filter(|passed| **passed == wanted).count();
        [true, false].into_iter().find(|&wanted| agree(wanted) >= AGREEING)
    }

    /// The verdict so far: that of the first probe until two others overrule it.
    pub fn standing(&self) -> bool {
        self.decided().or(self.passed.first().copied()).unwrap_or(false)
    }
}

/// Where the search stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// What comes next.
    pub next: NextStep,
    /// All levels, ascending.
    pub levels: Vec<Level>,
    /// Levels that were walked again, with what each said the second time.
    pub again: Vec<(f64, bool)>,
    /// Whether the bracket is within the resolution and both its ends are decided.
    pub converged: bool,
    /// Whether the required rate is sustained, once that is decided.
    pub required: Option<bool>,
    /// What each probe was for; `None` for one that this search did not ask for.
    pub purposes: Vec<Option<ProbePurpose>>,
}

impl Search {
    /// The highest rate that passed below every rate that did not, and the lowest one that did not.
    pub fn bracket(&self) -> (Option<f64>, Option<f64>) {
        let high = self.levels.iter().find(|level| !level.standing()).map(|level| level.rate_per_s);
        let below = |level: &&Level| high.is_none_or(|high| level.rate_per_s < high);
        let low = self.levels.iter().rev().filter(below).find(|level| level.standing());
        (low.map(|level| level.rate_per_s), high)
    }
}

/// Replays the search over `probes`, which stand in the order made.
pub fn search(probes: &[Probe], policy: &CapacityPolicy) -> Search {
    let mut replay = Replay {
        probes,
        policy,
        state: Search {
            next: NextStep::Done,
            levels: Vec::new(),
            again: Vec::new(),
            converged: false,
            required: None,
            purposes: vec![None; probes.len()],
        },
    };
    replay.state.next = replay.run().err().unwrap_or(NextStep::Done);
    replay.state
}

struct Replay<'a> {
    probes: &'a [Probe],
    policy: &'a CapacityPolicy,
    state: Search,
}

impl Replay<'_> {
    /// The whole search. An error is the step at which it cannot go on.
    fn run(&mut self) -> Result<(), NextStep> {
        if let Some(required) = self.policy.required_per_s {
            self.state.required = Some(self.decide(required, ProbePurpose::Required)?);
        }
        let unbracketed = self.bracket();
        match unbracketed {
            // The curve does not need a bracket.
            Ok(()) | Err(NextStep::NothingSustained | NextStep::Unlimited) => {}
            Err(step) => return Err(step),
        }
        if self.policy.walk && self.state.converged {
            self.walk()?;
        }
        for &concurrency in &self.policy.concurrency {
            self.ask(ProbeLoad::Closed { concurrency }, ProbePurpose::Curve)?;
        }
        unbracketed?;
        self.refine()
    }

    fn bracket(&mut self) -> Result<(), NextStep> {
        let start = self.policy.required_per_s.unwrap_or(self.policy.start_per_s);
        loop {
            match self.state.bracket() {
                (None, None) => self.visit(start, ProbePurpose::Bracket)?,
                (Some(low), None) if low >= HIGHEST_SEARCHED_PER_S => {
                    self.decide(low, ProbePurpose::Boundary)?;
                    if self.state.bracket() == (Some(low), None) {
                        return Err(NextStep::Unlimited);
                    }
                }
                (Some(low), None) => {
                    let next = rounded(2.0 * low).min(HIGHEST_SEARCHED_PER_S);
                    self.visit(next, ProbePurpose::Bracket)?;
                    if !self.level(next).is_some_and(Level::standing) {
                        // One stall must not send the search into the wrong half.
                        self.decide(next, ProbePurpose::Boundary)?;
                    }
                }
                (None, Some(high)) => {
                    if self.decide(high, ProbePurpose::Boundary)? {
                        continue;
                    }
                    let next = rounded(high / 2.0);
                    if next < start / 2f64.powi(HALVINGS) * 0.99 || next < 1.0 {
                        return Err(NextStep::NothingSustained);
                    }
                    self.visit(next, ProbePurpose::Bracket)?;
                }
                (Some(low), Some(high)) => {
                    let middle = rounded((low * high).sqrt());
                    if high / low > 1.0 + self.policy.resolution && low < middle && middle < high {
                        self.visit(middle, ProbePurpose::Bisect)?;
                        continue;
                    }
                    let stands = self.decide(low, ProbePurpose::Boundary)?
                        && !self.decide(high, ProbePurpose::Boundary)?;
                    if stands {
                        self.state.converged = true;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Every level once more, in random order.
    fn walk(&mut self) -> Result<(), NextStep> {
        let mut rates: Vec<f64> = self.state.levels.iter().map(|level| level.rate_per_s).collect();
        rates.shuffle(&mut stream(self.policy.seed, "walk"));
        for rate in rates {
            let passed = self.ask(ProbeLoad::Open { rate_per_s: rate }, ProbePurpose::Again)?;
            self.state.again.push((rate, passed));
        }
        Ok(())
    }

    /// Probes beside the sustainable rate, in rounds, until its interval is narrow enough. Last of all: they
    /// are worth what time is left, and without them there is an answer too.
    fn refine(&mut self) -> Result<(), NextStep> {
        let mut order = stream(self.policy.seed, "refine");
        let (Some(low), Some(high)) = self.state.bracket() else { return Ok(()) };
        let (slo_us, seed) = (self.policy.slo_us, self.policy.seed);
        for round in 0..self.policy.refinements.div_ceil(ROUND.len() as u32) {
            let made: Vec<&Probe> = self.made().collect();
            let centre = match Boundary::rate(&made, (low, high), slo_us) {
                Ok(rate) => rate,
                // More of the same would not show a line where a round around the bracket does not.
                Err(_) if round > 0 => return Ok(()),
                Err(_) => (low * high).sqrt(),
            };
            let mut rates = ROUND.map(|factor| rounded(factor * centre).min(HIGHEST_SEARCHED_PER_S));
            rates.shuffle(&mut order);
            let first = ProbeLoad::Open { rate_per_s: rates[0] };
            // That a round was begun says that the interval was too wide: it need not be computed again.
            if self.unused(first).is_none()
                && Boundary::through(&made, (low, high), slo_us, seed)
                    .is_ok_and(|boundary| boundary.is_within(self.policy.precision))
            {
                return Ok(());
            }
            for rate_per_s in rates {
                self.ask(ProbeLoad::Open { rate_per_s }, ProbePurpose::Refine)?;
            }
        }
        Ok(())
    }

    /// The probes that were asked for so far.
    fn made(&self) -> impl Iterator<Item = &Probe> {
        self.probes
            .iter()
            .zip(&self.state.purposes)
            .filter(|(_, purpose)| purpose.is_some())
            .map(|(probe, _)| probe)
    }

    /// The first probe of a load that nothing has asked for yet.
    fn unused(&self, offer: ProbeLoad) -> Option<usize> {
        (0..self.probes.len()).find(|&n| self.state.purposes[n].is_none() && self.probes[n].offer == offer)
    }

    /// One probe more at a level.
    fn visit(&mut self, rate: f64, purpose: ProbePurpose) -> Result<(), NextStep> {
        let passed = self.ask(ProbeLoad::Open { rate_per_s: rate }, purpose)?;
        let levels = &mut self.state.levels;
        let at = levels.partition_point(|level| level.rate_per_s < rate);
        if levels.get(at).is_none_or(|level| level.rate_per_s > rate) {
            levels.insert(at, Level { rate_per_s: rate, passed: Vec::new() });
        }
        levels[at].passed.push(passed);
        Ok(())
    }

    /// Probes a level until its verdict stands.
    fn decide(&mut self, rate: f64, purpose: ProbePurpose) -> Result<bool, NextStep> {
        loop {
            if let Some(verdict) = self.level(rate).and_then(Level::decided) {
                return Ok(verdict);
            }
            self.visit(rate, purpose)?;
        }
    }

    fn level(&self, rate: f64) -> Option<&Level> {
        self.state.levels.iter().find(|level| level.rate_per_s.total_cmp(&rate).is_eq())
    }

    /// Whether the next unused probe of this load passed. An invalid one is made again, once; one that the
    /// machine disturbed, twice: that should not send the search into the wrong half.
    fn ask(&mut self, offer: ProbeLoad, purpose: ProbePurpose) -> Result<bool, NextStep> {
        let (mut invalid, mut disturbed) = (0, 0);
        while let Some(at) = self.unused(offer) {
            self.state.purposes[at] = Some(purpose);
            if disturbed < DISTURBED && self.probes[at].was_disturbed() {
                disturbed += 1;
                continue;
            }
            match self.probes[at].verdict {
                ProbeVerdict::Passed => return Ok(true),
                ProbeVerdict::Failed | ProbeVerdict::Generator | ProbeVerdict::Disturbed => {
                    return Ok(false);
                }
                ProbeVerdict::Invalid => invalid += 1,
            }
            if invalid == 2 {
                return Err(NextStep::Invalid);
            }
        }
        Err(NextStep::Probe { offer, purpose })
    }
}

/// A rate that reads well and is the same number whenever it is computed.
fn rounded(rate: f64) -> f64 {
    let unit = 10f64.powi(rate.max(1.0).log10().floor() as i32 - DIGITS + 1);
    // A division by a power of ten is exact where a multiplication by 0.001 is not.
    if unit >= 1.0 {
        (rate / unit).round() * unit
    } else {
        (rate * (1.0 / unit).round()).round() / (1.0 / unit).round()
    }
}
