//! Where in a record each metric's value stands, and so how it can be judged.

use std::collections::BTreeSet;

use crate::record::{
    ArmRecord, ClusterRecord, CounterBlock, Histogram, RunRecord, TimelinePoint, Warning, WireTotals,
};
use crate::scenario::{Metric, ModelForm, P99};

/// Where a metric's value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A quantile of service times; samples of every stratum are there, so arms are compared in pairs.
    ServiceQuantile(f64),
    /// The mean of service times; judged like a quantile.
    ServiceMean,
    /// A quantile of service times over the median of the bare round trips in the same strata.
    ServiceInRoundTrips(f64),
    /// A quantile of a histogram without single samples: a value, but no interval within one run.
    Histogram {
        /// The histogram.
        of: fn(&ArmRecord) -> &Histogram,
        /// Quantile, 0 to 1.
        quantile: f64,
    },
    /// A quotient of what one counter block saw: (amount, per). Blocks of one group are a pair.
    Blocks(fn(&CounterBlock) -> (f64, f64)),
    /// A sum over an arm's claims that does not vary from claim to claim.
    Exact(fn(&WireTotals) -> u64),
    /// Calls of each command on the servers, those inside functions included, from the counter blocks.
    Calls,
}

/// Whether a record's figures do not hold it: the servers' CPU, where others may have used it too, or where its
/// clock counts what is no work; claims per second, where the pipe to a worker is in the time that they took; either, where it was something else.
pub(super) fn is_withheld(metric: Metric, record: &RunRecord) -> bool {
    let unknown = match metric {
        Metric::ServerCpu => record.server_figures_withheld() || record.main_thread_doubt().is_some(),
        Metric::Throughput => record.has_workers(),
        _ => false,
    };
    unknown || is_of_another_definition(metric, record)
}

/// Whether the version that made the record took something else for the metric, as far as the record shows
/// it.
pub(super) fn is_of_another_definition(metric: Metric, record: &RunRecord) -> bool {
    match metric {
        Metric::Throughput => rates_are_of_schedules(record) || control_is_among_baselines(record),
        Metric::ServerCpu => control_is_among_baselines(record),
        _ => false,
    }
}

/// Metrics of a record that were something else, and the servers' CPU where it is by no clock that would do.
pub(super) fn other_definitions(record: &RunRecord) -> impl Iterator<Item = Warning> {
    let all = [Metric::Throughput, Metric::ServerCpu].into_iter();
    let other = all.filter(move |metric| is_of_another_definition(*metric, record));
    let doubt = record.main_thread_doubt().map(|why| Warning::MainThreadTimes { why });
    other.map(|metric| Warning::OtherDefinition { metric }).chain(doubt)
}

/// An open loop's blocks had a steady part once, from the first of their claims being sent until the last one
/// was: what came of that is the rate of the schedule. They have none any more.
fn rates_are_of_schedules(record: &RunRecord) -> bool {
    let open = matches!(record.scenario.load.model, ModelForm::Open);
    open && record.blocks.iter().any(|block| block.steady.is_some())
}

/// A server duet's control makes a block of its own in each group, on the control's cluster. Versions that
/// did not mark these have two of the baseline in a group, and which of them is the baseline's nobody knows.
fn control_is_among_baselines(record: &RunRecord) -> bool {
    let mut known = BTreeSet::new();
    record.clusters.iter().any(ClusterRecord::is_control)
        && !record.blocks.iter().any(|block| block.on_control)
        && record.blocks.iter().any(|block| !known.insert((block.group, block.arm)))
}

/// Where the value comes from.
pub(super) fn source(metric: Metric) -> Source {
    match metric {
        Metric::ServiceP50 => Source::ServiceQuantile(0.5),
        Metric::ServiceP90 => Source::ServiceQuantile(0.9),
        Metric::ServiceP99 => Source::ServiceQuantile(P99),
        Metric::ServiceP999 => Source::ServiceQuantile(0.999),
        Metric::ServiceMean => Source::ServiceMean,
        Metric::ServiceP50RoundTrips => Source::ServiceInRoundTrips(0.5),
        Metric::ResponseP50 => Source::Histogram { of: |arm| &arm.response, quantile: 0.5 },
        Metric::ResponseP99 => Source::Histogram { of: |arm| &arm.response, quantile: P99 },
        Metric::ResumeP50 => Source::Histogram { of: |arm| &arm.resume, quantile: 0.5 },
        Metric::ResumeP99 => Source::Histogram { of: |arm| &arm.resume, quantile: P99 },
        Metric::Throughput => Source::Blocks(CounterBlock::rate_parts),
        // Over all claims that reached the function: the servers worked for those that they refused as well.
        Metric::ServerCpu => {
            Source::Blocks(|block| (block.counters.main_thread_cpu_us, block.reached() as f64))
        }
        Metric::RoundTrips => Source::Exact(|wire| wire.round_trips),
        Metric::Commands => Source::Exact(|wire| wire.commands),
        // Named as the servers see it: what the tool sends goes in there.
        Metric::RequestBytes => Source::Exact(|wire| wire.bytes_out),
        Metric::ReplyBytes => Source::Exact(|wire| wire.bytes_in),
        Metric::Calls => Source::Calls,
    }
}

/// The metric whose ratio this one's is: the median in round trips divides both sides by the same bare round
/// trips.
pub(super) fn question(metric: Metric) -> Metric {
    match metric {
        Metric::ServiceP50RoundTrips => Metric::ServiceP50,
        other => other,
    }
}

/// The metric's value in one second over all variants, for those that the timeline has.
pub(super) fn per_second(metric: Metric) -> Option<fn(&TimelinePoint) -> Option<f64>> {
    match metric {
        Metric::ServiceP50 => Some(|point| point.p50_us),
        Metric::ServiceP99 => Some(|point| point.p99_us),
        Metric::ResponseP50 => Some(|point| point.response_p50_us),
        Metric::ResponseP99 => Some(|point| point.response_p99_us),
        Metric::ResumeP50 => Some(|point| point.resume_p50_us),
        Metric::ResumeP99 => Some(|point| point.resume_p99_us),
        Metric::Throughput => Some(|point| Some(point.claimed as f64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::judge::server_fixture::server_duet;
    use crate::record::{MainThreadClock, MainThreadDoubt, SteadyPart};
    use crate::scenario::METRICS;

    #[test]
    fn what_is_compared_exactly_has_an_exact_source_and_nothing_else_has() {
        for row in METRICS {
            let exact = matches!(source(row.metric), Source::Exact(_) | Source::Calls);
            assert_eq!(exact, !row.is_judged(), "{}", row.name);
        }
    }

    /// What is left out of a record.
    fn left_out(record: &RunRecord) -> Vec<Metric> {
        let metric = |warning: Warning| match warning {
            Warning::OtherDefinition { metric } => Some(metric),
            _ => None,
        };
        let told: Vec<Metric> = other_definitions(record).filter_map(metric).collect();
        assert!(told.iter().all(|metric| is_withheld(*metric, record)), "{told:?}");
        told
    }

    #[test]
    fn rates_of_an_open_loop_s_schedule_are_left_out() {
        let with = |model: ModelForm, steady: Option<SteadyPart>| {
            let mut run = record(&[GRANT_LANE, HGET_LANE], 1);
            run.scenario.load.model = model;
            run.blocks.iter_mut().for_each(|block| block.steady = steady);
            left_out(&run)
        };
        let steady = Some(SteadyPart { claims: 160, duration_s: 0.03 });
        assert_eq!(with(ModelForm::Open, steady), [Metric::Throughput]);
        assert_eq!([with(ModelForm::Closed, steady), with(ModelForm::Open, None)], [vec![], vec![]]);
    }

    /// The first cluster's servers are of version 8.0, the second's of 9.1, which tells another time where it has
    /// io-threads.
    #[test]
    fn main_threads_that_poll_or_are_timed_by_two_clocks_have_no_cpu() {
        let found = |change: &dyn Fn(&mut RunRecord)| {
            let mut run = server_duet(&[GRANT_LANE, HGET_LANE], 1);
            change(&mut run);
            let doubt = |warning: Warning| match warning {
                Warning::MainThreadTimes { why } => Some(why),
                _ => None,
            };
            let told = other_definitions(&run).find_map(doubt);
            assert_eq!(is_withheld(Metric::ServerCpu, &run), told.is_some());
            assert!(!is_withheld(Metric::Throughput, &run));
            told
        };
        let by = |clock| found(&|run| run.primaries[1].counters.main_thread_clock = Some(clock));
        assert_eq!([found(&|_| ()), by(MainThreadClock::Cpu)], [None, None]);
        assert_eq!(by(MainThreadClock::Active), Some(MainThreadDoubt::UnlikeClocks));
        assert_eq!(by(MainThreadClock::Mixed), Some(MainThreadDoubt::UnlikeClocks));
        let threads = |number: usize| found(&|run| run.clusters[number].valkey.io_threads = 4);
        assert_eq!(threads(0), Some(MainThreadDoubt::Polling));
        assert_eq!(threads(1), Some(MainThreadDoubt::UnlikeClocks));
    }

    /// As many blocks of the control's as of the baseline's, marked or not.
    #[test]
    fn a_baseline_whose_control_is_not_told_apart_has_no_rate_and_no_cpu() {
        let with = |marked: bool, duet: bool| {
            let arms = [GRANT_LANE, HGET_LANE];
            let mut run = if duet { server_duet(&arms, 1) } else { record(&arms, 1) };
            let own: Vec<_> = run.blocks.iter().filter(|block| block.arm == 0).cloned().collect();
            run.blocks.extend(own.into_iter().map(|block| CounterBlock { on_control: marked, ..block }));
            left_out(&run)
        };
        assert_eq!(with(false, true), [Metric::Throughput, Metric::ServerCpu]);
        assert_eq!([with(true, true), with(false, false)], [vec![], vec![]]);
        assert_eq!(left_out(&server_duet(&[GRANT_LANE, HGET_LANE], 1)), []);
    }
}
