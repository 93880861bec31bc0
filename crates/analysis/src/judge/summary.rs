//! Each arm in numbers: quantiles of its histograms, costs per claim.

use std::collections::BTreeMap;

use crate::record::{ArmRecord, CounterBlock, RunRecord, StepRecord, WireTotals};
use crate::scenario::Metric;
use crate::stats::{CONFIDENCE, harrell_davis_interval};

use super::arm_counts::{blocks_of_metric, calls_per_claim, counters_of, sent_per_claim, wire_per_claim};
use super::latency_summary::{LatencySummary, latency};
use super::metric_source::is_withheld;
use super::result::{Comparison, RunResult, ServerCost, StepSummary, VariantSummary};

impl RunResult {
    /// Comparisons by the first metric that the scenario names, which an answer is given by, each with its place
    /// among all.
    pub fn by_first_metric(&self) -> Vec<(usize, &Comparison)> {
        let first = self.comparisons.first().map(|one| one.metric);
        self.comparisons.iter().enumerate().filter(|(_, one)| Some(one.metric) == first).collect()
    }

    /// Claims per second of one variant by itself; `None` where the variants took turns claim by claim and
    /// this one has no block of its own, as where the run was ended before its blocks: they share one time
    /// then, and as many claims in it say nothing of either. `None` too where workers of their own make the
    /// claims, for the pipe to them is in that time, and where a version took something else for it.
    pub fn own_rate_per_s(&self, variant: usize) -> Option<f64> {
        let record = &self.record;
        let rated = || blocks_of_metric(record, variant, Metric::Throughput).next().is_some();
        let took_turns = record.arms.len() > 1 && !rated();
        let known = !took_turns && !is_withheld(Metric::Throughput, record);
        self.variants.get(variant).filter(|_| known).map(|variant| variant.throughput_per_s)
    }
}

/// Summaries of all arms.
pub(super) fn summarise(record: &RunRecord) -> Vec<VariantSummary> {
    (0..record.arms.len()).map(|arm| summarise_arm(record, arm)).collect()
}

fn summarise_arm(record: &RunRecord, index: usize) -> VariantSummary {
    let arm = &record.arms[index];
    let mut service_us = latency(&arm.service);
    if let Some(summary) = &mut service_us {
        summary.p50_interval = harrell_davis_interval(&own_samples(record, index), 0.5, CONFIDENCE).ok();
    }
    let steps = steps(arm, service_us.as_ref());
    VariantSummary {
        service_us,
        response_us: latency(&arm.response),
        send_lag_us: latency(&arm.send_lag),
        resume_us: latency(&arm.resume),
        steps,
        ..without_latencies(record, index)
    }
}

/// Service times of the claims that are in an arm's histogram, in microseconds. A second side by halves is the
/// arm's as well; one that is a block of its own, or made by another instance, is the control's and counts for
/// no arm.
fn own_samples(record: &RunRecord, index: usize) -> Vec<f64> {
    let instances = record.is_server_duet() || record.has_workers();
    let compared = record.strata.iter().filter(|stratum| !stratum.control);
    let sides = compared.flat_map(|stratum| {
        let own = if stratum.apart || instances { 1 } else { usize::MAX };
        stratum.sides.iter().filter(move |side| side.arm as usize == index).take(own)
    });
    sides.flat_map(|side| side.service.iter_us()).collect()
}

fn without_latencies(record: &RunRecord, index: usize) -> VariantSummary {
    let arm = &record.arms[index];
    // Arms that are mixed claim by claim share one time; their counter blocks are theirs alone.
    let (claims, seconds) = blocks_of_metric(record, index, Metric::Throughput)
        .filter(|_| record.arms.len() > 1)
        .map(CounterBlock::rate_parts)
        .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let (claims, seconds) = if seconds > 0.0 { (claims, seconds) } else { arm.rate_parts() };
    let throughput_per_s = if seconds > 0.0 { claims / seconds } else { 0.0 };
    VariantSummary {
        name: arm.name.clone(),
        path: arm.path,
        outcomes: arm.outcomes.clone(),
        throughput_per_s,
        service_us: None,
        response_us: None,
        send_lag_us: None,
        resume_us: None,
        steps: Vec::new(),
        server: server_cost(record, index),
    }
}

fn steps(arm: &ArmRecord, service: Option<&LatencySummary>) -> Vec<StepSummary> {
    let sum = |times: &LatencySummary| times.mean * times.count as f64;
    let whole = service.map_or(0.0, sum);
    let timed = arm.steps.iter().filter_map(|step| Some((step, latency(&step.time)?)));
    let summary = |(step, time): (&StepRecord, LatencySummary)| StepSummary {
        title: step.title.clone(),
        share: sum(&time) / whole,
        time,
    };
    if whole > 0.0 { timed.map(summary).collect() } else { Vec::new() }
}

fn server_cost(record: &RunRecord, arm: usize) -> ServerCost {
    let (counters, claims) = counters_of(record, arm);
    let cpu: f64 = counters.iter().map(|counters| counters.main_thread_cpu_us).sum();
    let own = &record.arms[arm];
    let wire = |of: fn(&WireTotals) -> u64| match wire_per_claim(own, of) {
        None if own.sdk.is_some() => None,
        per_claim => Some(per_claim.unwrap_or_default()),
    };
    let bytes = |of: fn(&WireTotals) -> u64| wire(of).filter(|_| !own.path.is_sdk());
    ServerCost {
        main_thread_cpu_us_per_claim: (claims > 0.0 && !is_withheld(Metric::ServerCpu, record))
            .then(|| cpu / claims),
        commands_per_claim: if own.sdk.is_some() { BTreeMap::new() } else { sent_per_claim(record, arm) },
        calls_per_claim: calls_per_claim(record, arm),
        round_trips_per_claim: wire(|w| w.round_trips),
        // The servers' view, as the result's fields are named: what the tool sends goes in there.
        bytes_in_per_claim: bytes(|w| w.bytes_out),
        bytes_out_per_claim: bytes(|w| w.bytes_in),
    }
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};

    /// The histogram does not have the control's side, and its median's interval must not have it either.
    #[test]
    fn a_median_and_its_interval_are_of_the_same_claims() {
        let arms = [GRANT_LANE, HGET_LANE];
        let interval = |apart: bool, again: Option<u32>| {
            let mut record = record(&arms, 1);
            record.strata.retain(|stratum| !stratum.control);
            for stratum in &mut record.strata {
                stratum.apart = apart;
                if let Some(times) = again {
                    let mut second = stratum.sides[0].clone();
                    second.service.0.iter_mut().for_each(|ticks| *ticks *= times);
                    stratum.sides.push(second);
                }
            }
            let service = analyse_as(record, &scenario(&arms)).variants[0].service_us.unwrap();
            (service.p50, service.p50_interval.unwrap())
        };
        let (p50, own) = interval(true, None);
        assert_eq!(interval(true, Some(2)), (p50, own), "a block of the control's");
        let (_, halves) = interval(false, Some(2));
        assert!(own.contains(p50) && halves.high > own.high, "halves are both the arm's: {halves:?} {own:?}");
    }

    /// Arms of which one is a fifth slower do not make as many claims per second because they took turns.
    #[test]
    fn variants_that_took_turns_have_a_rate_by_their_own_blocks_alone() {
        let arms = [GRANT_LANE, HGET_LANE];
        let whole = analyse_as(record(&arms, 1), &scenario(&arms));
        assert!((0..2).all(|n| whole.own_rate_per_s(n) == Some(whole.variants[n].throughput_per_s)));
        let mut ended = record(&arms, 1);
        ended.blocks.clear();
        let ended = analyse_as(ended, &scenario(&arms));
        assert_eq!([0, 1].map(|n| ended.own_rate_per_s(n)), [None, None]);
        let mut alone = record(&arms[..1], 1);
        alone.blocks.clear();
        assert!(analyse_as(alone, &scenario(&arms[..1])).own_rate_per_s(0).is_some());
    }
}
