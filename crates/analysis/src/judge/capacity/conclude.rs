//! What follows from the probes of a search: the outcome, the limit, the primaries for more.

use super::boundary::Boundary;
use super::drift::Drift;
use super::floor::{NearFloor, floor_us};
use super::found::{
    CAPACITY_SCHEMA, Capacity, CapacityPlan, ChangedLevel, Required, SearchOutcome, SizingMissing,
};
use super::goes::Goes;
use super::limit::Limit;
use super::load::ProbeLoad;
use super::policy::CapacityPolicy;
use super::probe::{Probe, ProbeVerdict};
use super::search::{NextStep, Search, search};
use super::usl::{LoadPoint, fit_usl};
use crate::judge::result::RunResult;
use crate::judge::sizing::{SizingBasis, concentration, sizing};
use crate::record::Environment;
use crate::stats::Estimate;

/// Probes stand for a rate within this distance of it, as a logarithm.
const BESIDE: f64 = 0.16;

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
            goes: Goes::from_probes(&probes),
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
        NearFloor::if_near(self.floor_us?, self.plan.policy.slo_us)
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

pub(super) fn curve(probes: &[Probe]) -> Vec<LoadPoint> {
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
pub(super) fn agreed(probed: bool, rate: f64, boundary: &Estimate) -> Option<bool> {
    let by_line = rate <= boundary.estimate;
    (probed == by_line || !boundary.contains(rate)).then_some(by_line)
}

/// Whether the required rate is sustained. A generator that cannot offer it says nothing about the cluster.
fn required(search: &Search, probes: &[Probe], rate: f64) -> Option<bool> {
    let sustained = search.required?;
    let limit = limit_at(probes, Some(rate));
    (sustained || !limit.is_some_and(|limit| limit.is_not_the_clusters())).then_some(sustained)
}
