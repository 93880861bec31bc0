//! How runs of one scenario came through the same fault: each run's figures, and their mean with an interval
//! over runs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recovery_result::Recovery;
use super::result::RunResult;
use crate::record::{InjectedFault, RedirectKind};
use crate::scenario::FaultKind;
use crate::stats::{CONFIDENCE, Estimate, mean_with_interval};

/// One fault over all valid runs. Times are in seconds from when it struck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedRecovery {
    /// Its number, from 0.
    pub fault: u32,
    /// What was done.
    pub kind: FaultKind,
    /// Until another primary had the server down as failed.
    #[serde(default)]
    pub marked_failed_s: OverRuns,
    /// Until its slots had passed to another server.
    pub took_over_s: OverRuns,
    /// Until a claim on its slots succeeded that was due after it.
    pub first_success_s: OverRuns,
    /// Until response time and rate were as before.
    pub recovered_s: OverRuns,
    /// Claims that took longer than the noise explains.
    #[serde(default)]
    pub late: OverRuns,
    /// What the slowest of them took, in seconds from when it was due.
    #[serde(default)]
    pub slowest_s: OverRuns,
    /// Claims that took more than one try.
    #[serde(default)]
    pub claims_retried: OverRuns,
    /// Tries that came to nothing, by what they came to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retries: BTreeMap<String, OverRuns>,
    /// Claims with a try that had no reply.
    #[serde(default)]
    pub doubtful: Doubtful,
    /// Claims that were refused, whatever by.
    #[serde(default)]
    pub refused: OverRuns,
    /// Grants and claims that the servers lost in each run.
    pub lost_by_server: Vec<u64>,
    /// Their mean.
    #[serde(default)]
    pub lost_by_server_mean: Option<Estimate>,
}

/// Claims of which a try had no reply, by what became known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Doubtful {
    /// It had taken effect.
    pub claimed: OverRuns,
    /// It had not.
    pub not_claimed: OverRuns,
    /// Nobody could tell before the audit.
    pub open: OverRuns,
}

/// A figure in every run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverRuns {
    /// Run by run; `None` where it did not come to that, or nobody can tell.
    pub per_run: Vec<Option<f64>>,
    /// Their mean; `None` where a run has none, or there are too few.
    pub mean: Option<Estimate>,
}

impl OverRuns {
    fn from_runs(per_run: Vec<Option<f64>>, fewest: usize) -> Self {
        let known: Vec<f64> = per_run.iter().copied().flatten().collect();
        let all = known.len() == per_run.len() && known.len() >= fewest;
        Self { mean: mean_with_interval(&known, CONFIDENCE).ok().filter(|_| all), per_run }
    }

    /// Whether it is other than nothing in any run.
    pub fn is_seen(&self) -> bool {
        self.per_run.iter().flatten().any(|value| *value != 0.0)
    }
}

/// Every fault that struck in the first of the runs.
pub(super) fn recoveries(runs: &[&RunResult], fewest: usize) -> Vec<RepeatedRecovery> {
    let Some(first) = runs.first() else { return Vec::new() };
    first.recoveries.iter().filter_map(|one| repeated(one.fault, runs, fewest)).collect()
}

fn repeated(number: u32, runs: &[&RunResult], fewest: usize) -> Option<RepeatedRecovery> {
    let kind = fault(runs.first()?, number)?.kind;
    let over = |figure: &dyn Fn(&RunResult) -> Option<f64>| {
        OverRuns::from_runs(runs.iter().map(|run| figure(run)).collect(), fewest)
    };
    let seen = |figure: fn(&Recovery) -> Option<f64>| {
        over(&|run| run.recoveries.iter().find(|one| one.fault == number).and_then(figure))
    };
    let count = |figure: &dyn Fn(&InjectedFault) -> u64| {
        over(&|run| fault(run, number).filter(|one| one.struck_s.is_some()).map(|one| figure(one) as f64))
    };
    let causes: BTreeSet<&String> =
        runs.iter().filter_map(|run| fault(run, number)).flat_map(|one| one.retries.keys()).collect();
    let tries = |cause: &String| count(&|one| one.retries.get(cause).copied().unwrap_or_default());
    Some(RepeatedRecovery {
        fault: number,
        kind,
        marked_failed_s: seen(|one| one.marked_failed_s),
        took_over_s: seen(|one| one.took_over_s),
        first_success_s: seen(|one| one.first_success_s.filter(|_| !one.with_earlier)),
        recovered_s: seen(|one| one.recovered_s.filter(|_| !one.with_earlier)),
        late: seen(|one| one.late.filter(|_| !one.with_earlier).map(|late| late as f64)),
        slowest_s: seen(|one| one.slowest_us.filter(|_| !one.with_earlier).map(|us| us / 1e6)),
        claims_retried: count(&|one| one.claims_retried),
        retries: causes.into_iter().map(|cause| (cause.clone(), tries(cause))).collect(),
        doubtful: Doubtful {
            claimed: count(&|one| one.doubts.claimed),
            not_claimed: count(&|one| one.doubts.not_claimed),
            open: count(&|one| one.doubts.open),
        },
        refused: count(&|one| one.outcomes.refused.values().sum()),
        lost_by_server: runs.iter().map(|run| run.record.audit.lost_by_server).collect(),
        lost_by_server_mean: over(&|run| Some(run.record.audit.lost_by_server as f64)).mean,
    })
}

fn fault(run: &RunResult, number: u32) -> Option<&InjectedFault> {
    run.record.injected.as_ref()?.faults.get(number as usize)
}

/// Redirects by kind, of runs with a fault.
pub(super) fn redirects(runs: &[&RunResult], fewest: usize) -> BTreeMap<RedirectKind, OverRuns> {
    let in_run = |run: &RunResult, kind| {
        let servers = run.record.injected.as_ref()?.redirects.values();
        Some(servers.filter_map(|kinds| kinds.get(&kind)).sum::<u64>() as f64)
    };
    let over = |kind| OverRuns::from_runs(runs.iter().map(|run| in_run(run, kind)).collect(), fewest);
    RedirectKind::ALL.into_iter().map(|kind| (kind, over(kind))).filter(|(_, all)| all.is_seen()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fault_fixture::{killed, outage};

    #[test]
    fn times_of_the_same_fault_have_a_mean_where_every_run_has_one() {
        let runs: Vec<RunResult> =
            [1.05, 1.35, 1.85].map(|outage_s| analyse(outage(8.0, outage_s)).unwrap()).into();
        let all: Vec<&RunResult> = runs.iter().collect();
        let [repeated] = recoveries(&all, 3).try_into().unwrap();
        let mean = repeated.first_success_s.mean.unwrap();
        assert!((mean.estimate - (1.05 + 1.35 + 1.85) / 3.0 - 0.01).abs() < 1e-9, "{mean:?}");
        assert!(mean.low < 1.36 && mean.high > 1.5 && repeated.recovered_s.mean.is_some());
        assert_eq!(repeated.took_over_s, OverRuns { per_run: vec![None; 3], mean: None });
        assert_eq!(recoveries(&all[..2], 3)[0].recovered_s.mean, None, "too few runs");
        assert_eq!(recoveries(&[], 3), []);
        assert!(redirects(&all, 3).is_empty() && redirects(&[], 3).is_empty());
    }

    /// Late, retried, in doubt, redirected: of each a mean with an interval, also where a cause was not met
    /// in every run.
    #[test]
    fn what_claims_met_has_a_mean_over_runs_as_well() {
        let run = |n: u64| {
            let mut record = killed();
            let injected = record.injected.as_mut().unwrap();
            let fault = &mut injected.faults[0];
            (fault.claims_retried, fault.doubts.claimed, fault.doubts.not_claimed) = (10 + n, n, 2 * n);
            fault.retries = [("disconnected".to_owned(), 100 * n)].into();
            if n == 3 {
                fault.retries.insert("CLUSTERDOWN".into(), 6);
            }
            injected.redirects = [("a", n), ("b", 1)]
                .map(|(server, n)| (server.to_owned(), [(RedirectKind::Moved, n)].into()))
                .into();
            record.audit.lost_by_server = n;
            analyse(record).unwrap()
        };
        let runs: Vec<RunResult> = [1, 2, 3].map(run).into();
        let all: Vec<&RunResult> = runs.iter().collect();
        let [repeated] = recoveries(&all, 3).try_into().unwrap();
        let mean = |over: &OverRuns| over.mean.map(|mean| (mean.estimate, mean.low < mean.estimate));
        assert_eq!(mean(&repeated.claims_retried), Some((12.0, true)));
        assert_eq!(mean(&repeated.retries["disconnected"]), Some((200.0, true)));
        assert_eq!(repeated.retries["CLUSTERDOWN"].per_run, [Some(0.0), Some(0.0), Some(6.0)]);
        assert_eq!(mean(&repeated.doubtful.claimed), Some((2.0, true)));
        assert_eq!(mean(&repeated.doubtful.not_claimed), Some((4.0, true)));
        assert!(!repeated.doubtful.open.is_seen() && repeated.late.is_seen());
        assert_eq!(repeated.late.mean, None, "the same in every run has no interval");
        assert_eq!(repeated.slowest_s.per_run.len(), 3);
        assert!((repeated.lost_by_server_mean.unwrap().estimate - 2.0).abs() < 1e-9);
        assert_eq!(mean(&redirects(&all, 3)[&RedirectKind::Moved]), Some((3.0, true)));
    }
}
