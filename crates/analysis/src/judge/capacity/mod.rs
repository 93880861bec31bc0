//! How many claims per second a cluster sustains, from runs at many loads. Pure: the same runs give the same
//! answer.
//!
//! ```text
//! RunResult ─► probe: passed, failed, or the generator's fault ─► search: the next load, or the end
//!                └► limit: whose CPU ran out                        ├► boundary: the rate with its interval
//!                                                                   ├► usl: the closed-loop curve
//!                                                                   └► sizing: primaries for more
//! ```

mod boundary;
mod drift;
mod floor;
mod goes;
mod limit;
mod load;
mod probe;
mod search;
#[cfg(any(test, feature = "fixtures"))]
pub mod simulated;
#[cfg(test)]
mod tests;
mod usl;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use boundary::Boundary;
pub use drift::Drift;
pub use floor::NearFloor;
use floor::floor_us;
pub use goes::Goes;
pub use limit::{Limit, OneGenerator, Resources};
pub use load::ProbeLoad;
pub use probe::{Probe, ProbeVerdict, Reason};
pub use search::{CapacityPolicy, NextStep, ProbePurpose, Search, search};
pub use usl::{LoadPoint, Usl, fit_usl};

pub use super::primary_load::PrimaryLoad;
pub use super::sizing::{SizingBasis, SizingRow, hottest_share, sizing};

use super::result::RunResult;
use super::sizing::concentration;
use crate::json::{from_json, to_json_file};
use crate::record::{CalibrationNote, Environment, Tool};
use crate::scenario::{CapacitySection, ScenarioFile};
use crate::stats::{Estimate, TooFew};

/// Probes stand for a rate within this distance of it, as a logarithm.
const BESIDE: f64 = 0.16;

/// Value of [`Capacity::schema`].
pub const CAPACITY_SCHEMA: &str = "reclaim-bench/capacity-1";

impl CapacityPolicy {
    /// What a scenario says. `None` without a service level.
    pub fn from_scenario(file: &ScenarioFile, seed: u64) -> Option<Self> {
        let CapacitySection {
            start_rate,
            resolution,
            utilisation,
            targets,
            concurrency,
            precision,
            refinements,
            ..
        } = file.capacity();
        Some(Self {
            slo_us: file.slo.as_ref()?.response_p99?.0.as_secs_f64() * 1e6,
            start_per_s: start_rate,
            resolution,
            required_per_s: None,
            walk: true,
            concurrency,
            utilisation,
            targets_per_s: targets,
            precision,
            refinements,
            seed,
        })
    }
}

/// Why a search was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Its time was used up.
    OutOfTime,
    /// The user.
    Interrupted,
}

/// What the probes come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchOutcome {
    /// The highest sustained rate is known within the resolution.
    Found,
    /// What gave out first was the generator or its machine: the cluster sustains at least this.
    LowerBound,
    /// The highest rate that can be offered is sustained.
    Unlimited,
    /// Not even the lowest rate that was tried is sustained.
    NothingSustained,
    /// The search is not over: the bracket so far.
    NotConverged,
    /// A probe could not be made validly.
    Invalid,
}

impl SearchOutcome {
    /// Whether a rate is known that can be planned with.
    fn is_known(self) -> bool {
        matches!(self, Self::Found | Self::LowerBound | Self::Unlimited)
    }
}

/// Why a search has no table of primaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizingMissing {
    /// No rate is known that can be planned with.
    RateUnknown,
    /// The servers' CPU per claim at that rate is not known.
    CpuUnknown,
    /// One primary has all of a skewed population: how much of it is one partition's, which more primaries
    /// do not divide, does not show there.
    SkewOnOnePrimary,
}

/// A level that said something else the second time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedLevel {
    /// Claims per second.
    pub rate_per_s: f64,
    /// What the search found.
    pub first: bool,
    /// What the walk found.
    pub again: bool,
    /// Whether the level is an end of the bracket or within the interval of the rate, where a verdict may
    /// turn by chance.
    pub marginal: bool,
}

/// A rate that must be sustained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Required {
    /// Claims per second.
    pub rate_per_s: f64,
    /// Whether it is; `None` where that could not be found out.
    pub sustained: Option<bool>,
}

/// What a capacity is computed from, besides the probes: `capacity.json` keeps it, so that a report can be
/// made again and a search can go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityPlan {
    /// The scenario, without the load of a probe.
    pub scenario: ScenarioFile,
    /// Seed of every random stream.
    pub seed: u64,
    /// How to search.
    pub policy: CapacityPolicy,
    /// Why the search was ended, if it was.
    pub stopped: Option<Stopped>,
}

from_json!(CapacityPlan);

/// A finished or unfinished search, with all that follows from its probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Always [`CAPACITY_SCHEMA`].
    pub schema: String,
    /// What was asked.
    #[serde(flatten)]
    pub plan: CapacityPlan,
    /// The tool that made the first probe.
    pub tool: Option<Tool>,
    /// All that made probes, in the order of the first of each; empty where one made all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Where the first probe ran.
    pub environment: Option<Environment>,
    /// How many generators made each probe together, where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<u32>,
    /// What the generator can do on this machine, where it was calibrated: from the first probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationNote>,
    /// The goes that the search was made in; `None` where it was made in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes: Option<Goes>,
    /// What the probes come to.
    pub conclusion: SearchOutcome,
    /// Highest rate that was sustained, in claims per second.
    pub sustained_per_s: Option<f64>,
    /// Lowest rate that was not.
    pub failed_per_s: Option<f64>,
    /// The sustainable rate with its interval, where the search found one.
    pub boundary: Option<Boundary>,
    /// Why there is none.
    pub no_boundary: Option<TooFew>,
    /// What the rate is limited by, by the evidence of the probes that failed at [`Self::failed_per_s`].
    pub limit: Option<Limit>,
    /// Least 99th percentile of the response time among the probes that passed, in µs: what a claim takes
    /// here at any rate.
    pub floor_us: Option<f64>,
    /// The rate whose probes differed most in the servers' CPU per claim. The same work at the same rate: how
    /// much the machine's speed changed during the search, and the sustainable rate with it.
    pub drift: Option<Drift>,
    /// The required rate, where one was given.
    pub required: Option<Required>,
    /// Whether every level was walked again.
    pub walked_again: bool,
    /// Levels that said something else then.
    pub differences: Vec<ChangedLevel>,
    /// Every probe, in the order made.
    pub probes: Vec<Probe>,
    /// What each was for, in the same order; `None` for one that this search did not need.
    pub purposes: Vec<Option<ProbePurpose>>,
    /// Each primary at the found rate.
    pub balance: Vec<PrimaryLoad>,
    /// The closed-loop curve.
    pub usl: Option<Usl>,
    /// Why there is none.
    pub no_usl: Option<TooFew>,
    /// What the sizing table is computed from.
    pub sizing_basis: Option<SizingBasis>,
    /// Main-thread CPU per grant, measured beside it: the table does not contain it.
    pub grant_cpu_us: Option<f64>,
    /// Primaries for each target.
    pub sizing: Vec<SizingRow>,
    /// What comes next.
    pub next: NextStep,
}

to_json_file!(Capacity);

impl Capacity {
    /// Draws every conclusion from the probes, which stand in the order made. `first` is the result of the
    /// first one that says something. Which tools made the others nobody knows by these.
    pub fn conclude(plan: CapacityPlan, probes: Vec<Probe>, first: Option<&RunResult>) -> Self {
        let search = search(&probes, &plan.policy);
        let (low, high) = search.bracket();
        let environment = first.map(|result| result.record.environment.clone());
        let boundary = low.zip(high).filter(|_| search.converged).map(|ends| {
            let all: Vec<&Probe> = probes.iter().collect();
            Boundary::through(&all, ends, plan.policy.slo_us, plan.policy.seed)
        });
        let (boundary, no_boundary) = match boundary.transpose() {
            Ok(boundary) => (boundary, None),
            Err(why) => (None, Some(why)),
        };
        let at_rate = probe_at(&probes, boundary.as_ref(), low);
        let limit = limit_at(&probes, high).and_then(|named| match &boundary {
            // The line comes from undisturbed probes alone: where it crosses, the cluster gave out.
            Some(boundary) if named.is_not_the_clusters() => own_limit(&probes, boundary.rate_per_s.estimate),
            _ => Some(named),
        });
        let conclusion = conclusion(&search, limit.as_ref());
        let no_boundary = no_boundary.filter(|_| conclusion == SearchOutcome::Found);
        let basis = basis(conclusion, at_rate, environment.as_ref(), &plan).ok();
        let curve = fit_usl(&curve(&probes));
        let sizing = basis.map(|basis| sizing(&basis, &plan.policy.targets_per_s)).unwrap_or_default();
        Self {
            schema: CAPACITY_SCHEMA.to_owned(),
            tool: first.map(|result| result.record.tool.clone()),
            tools: Vec::new(),
            environment,
            generators: first
                .map(|result| result.record.generators.len() as u32)
                .filter(|generators| *generators > 1),
            calibration: first.and_then(|result| result.record.calibration.clone()),
            goes: Goes::of(&probes),
            conclusion,
            sustained_per_s: low,
            failed_per_s: high,
            boundary,
            no_boundary,
            required: asked_for(&plan.policy, &search, &probes, boundary.as_ref()),
            walked_again: search.converged && search.again.len() == search.levels.len(),
            differences: differences(&search, boundary.as_ref()),
            floor_us: floor_us(&probes),
            drift: Drift::among(&probes),
            balance: at_rate.map(|probe| probe.primaries.clone()).unwrap_or_default(),
            usl: curve.as_ref().ok().copied(),
            no_usl: curve.err(),
            sizing_basis: basis,
            grant_cpu_us: at_rate.and_then(|probe| probe.grant_cpu_us),
            sizing,
            next: search.next,
            purposes: search.purposes,
            limit,
            probes,
            plan,
        }
    }

    /// The loads of the closed loop and what came of them, in the order made.
    pub fn closed_loop(&self) -> Vec<LoadPoint> {
        curve(&self.probes)
    }

    /// Whether the service level is near what a claim takes here at any rate.
    pub fn near_floor(&self) -> Option<NearFloor> {
        NearFloor::of(self.floor_us?, self.plan.policy.slo_us)
    }

    /// Why there is no table of primaries; `None` where there is one.
    pub fn sizing_missing(&self) -> Option<SizingMissing> {
        if self.sizing_basis.is_some() {
            return None;
        }
        let at_rate = probe_at(&self.probes, self.boundary.as_ref(), self.sustained_per_s);
        basis(self.conclusion, at_rate, self.environment.as_ref(), &self.plan).err()
    }

    /// Whether generator and servers share a machine: then the curve measures the machine as much as the
    /// cluster.
    pub fn shares_machine(&self) -> bool {
        self.environment.as_ref().is_some_and(|environment| environment.valkey.same_machine)
    }
}

/// Whether the rate that was asked for is sustained.
fn asked_for(
    policy: &CapacityPolicy,
    search: &Search,
    probes: &[Probe],
    boundary: Option<&Boundary>,
) -> Option<Required> {
    let rate_per_s = policy.required_per_s?;
    let sustained = required(search, probes, rate_per_s).and_then(|sustained| match boundary {
        Some(boundary) => agreed(sustained, rate_per_s, &boundary.rate_per_s),
        None => Some(sustained),
    });
    Some(Required { rate_per_s, sustained })
}

fn conclusion(search: &Search, limit: Option<&Limit>) -> SearchOutcome {
    match search.next {
        NextStep::Invalid => SearchOutcome::Invalid,
        // A machine that was too busy for every rate says nothing about the cluster.
        NextStep::NothingSustained if limit.is_some_and(Limit::is_not_the_clusters) => {
            SearchOutcome::NotConverged
        }
        NextStep::NothingSustained => SearchOutcome::NothingSustained,
        NextStep::Unlimited => SearchOutcome::Unlimited,
        _ if !search.converged => SearchOutcome::NotConverged,
        _ if limit.is_some_and(Limit::is_not_the_clusters) => SearchOutcome::LowerBound,
        _ => SearchOutcome::Found,
    }
}

/// Probes of one rate, in the order made.
fn at_rate(probes: &[Probe], rate: f64) -> impl Iterator<Item = &Probe> {
    probes.iter().filter(move |probe| probe.offer == ProbeLoad::Open { rate_per_s: rate })
}

/// What most of the probes that failed at a rate name; the last one where they disagree.
fn limit_at(probes: &[Probe], high: Option<f64>) -> Option<Limit> {
    let named: Vec<&Limit> = at_rate(probes, high?).filter_map(|probe| probe.limit.as_ref()).collect();
    let same = |limit: &Limit| {
        named.iter().filter(|other| std::mem::discriminant(**other) == std::mem::discriminant(limit)).count()
    };
    named.iter().max_by_key(|limit| same(limit)).map(|limit| (*limit).clone())
}

/// How far a probe's rate is from another, as a logarithm.
fn distance(probe: &Probe, rate: f64) -> Option<f64> {
    Some((probe.offer.rate_per_s()? / rate).ln().abs())
}

/// What the cluster itself was limited by in the probe, of those that it failed, whose rate is nearest to
/// this one.
fn own_limit(probes: &[Probe], rate: f64) -> Option<Limit> {
    let failed = probes.iter().filter(|probe| probe.verdict == ProbeVerdict::Failed);
    let distances = failed.filter_map(|probe| Some((distance(probe, rate)?, probe)));
    distances.min_by(|a, b| a.0.total_cmp(&b.0))?.1.limit.clone()
}

/// The probe that stands for the found rate: the middle one by CPU per claim of the undisturbed ones near it.
/// Before there is a line, of those that passed at the highest rate that did.
fn probe_at<'a>(probes: &'a [Probe], boundary: Option<&Boundary>, low: Option<f64>) -> Option<&'a Probe> {
    let wanted = |probe: &&Probe| match boundary {
        Some(boundary) => {
            distance(probe, boundary.rate_per_s.estimate).is_some_and(|distance| distance <= BESIDE)
                && matches!(probe.verdict, ProbeVerdict::Passed | ProbeVerdict::Failed)
        }
        None => low.is_some() && probe.offer.rate_per_s() == low && probe.verdict == ProbeVerdict::Passed,
    };
    let mut near: Vec<&Probe> = probes.iter().filter(wanted).collect();
    near.sort_by(|a, b| {
        a.cpu_us_per_claim.unwrap_or_default().total_cmp(&b.cpu_us_per_claim.unwrap_or_default())
    });
    near.get(near.len() / 2).copied()
}

/// What the table of primaries is computed from, by the probe that stands for the found rate.
fn basis(
    conclusion: SearchOutcome,
    at_rate: Option<&Probe>,
    environment: Option<&Environment>,
    plan: &CapacityPlan,
) -> Result<SizingBasis, SizingMissing> {
    // Where no rate is known there is nothing to size for: at a lower one a claim costs more CPU.
    let (probe, environment) =
        at_rate.zip(environment).filter(|_| conclusion.is_known()).ok_or(SizingMissing::RateUnknown)?;
    let primaries: Vec<(u64, u32)> = probe.primaries.iter().map(|one| (one.claims, one.partitions)).collect();
    let cpu_us_per_claim =
        probe.cpu_us_per_claim.filter(|cpu| *cpu > 0.0).ok_or(SizingMissing::CpuUnknown)?;
    let concentration = concentration(&primaries, plan.scenario.population.skew_exponent())
        .ok_or(SizingMissing::SkewOnOnePrimary)?;
    Ok(SizingBasis {
        cpu_us_per_claim,
        utilisation: plan.policy.utilisation,
        partitions: environment.valkey.partitions,
        primaries: environment.valkey.primaries,
        hottest_share: environment.valkey.hottest_share,
        concentrated: concentration.anywhere,
        concentrated_there: Some(concentration.there),
    })
}

fn curve(probes: &[Probe]) -> Vec<LoadPoint> {
    let point = |probe: &Probe| match probe.offer {
        ProbeLoad::Closed { concurrency } if probe.is_of_the_cluster() => {
            Some(LoadPoint { concurrency, throughput_per_s: probe.achieved_per_s })
        }
        _ => None,
    };
    probes.iter().filter_map(point).collect()
}

fn differences(search: &Search, boundary: Option<&Boundary>) -> Vec<ChangedLevel> {
    let (low, high) = search.bracket();
    let uncertain = |rate| boundary.is_some_and(|boundary| boundary.rate_per_s.contains(rate));
    search
        .again
        .iter()
        .filter_map(|&(rate_per_s, again)| {
            let level = search.levels.iter().find(|level| level.rate_per_s.total_cmp(&rate_per_s).is_eq())?;
            let first = level.standing();
            let marginal = [low, high].contains(&Some(rate_per_s)) || uncertain(rate_per_s);
            (first != again).then_some(ChangedLevel { rate_per_s, first, again, marginal })
        })
        .collect()
}

/// A rate that was probed, and where the line has the boundary: outside of its interval the line decides,
/// which more probes stand behind; within it the two must agree.
fn agreed(probed: bool, rate: f64, boundary: &Estimate) -> Option<bool> {
    let by_line = rate <= boundary.estimate;
    (probed == by_line || !boundary.contains(rate)).then_some(by_line)
}

/// Whether the required rate is sustained. A generator that cannot offer it says nothing about the cluster.
fn required(search: &Search, probes: &[Probe], rate: f64) -> Option<bool> {
    let sustained = search.required?;
    let limit = limit_at(probes, Some(rate));
    (sustained || !limit.is_some_and(|limit| limit.is_not_the_clusters())).then_some(sustained)
}
