//! Every metric of every variant as one value with its interval: what is stored, exported and compared over
//! time.

use crate::record::{ArmRecord, Histogram, RunRecord, TimelinePoint};
use crate::scenario::{ArrivalsForm, METRICS, Metric, MetricName, Mode};
use crate::stats::{CONFIDENCE, Estimate, Latencies, LogValue, TooFew, block_quantile, mean_of_series};

use super::arm_counts::{arm_samples, blocks_of_metric, rulers};
use super::exact_values::exact_values;
use super::metric_source::{Source, is_withheld, per_second, source};
use super::result::RunResult;

/// One metric of one variant.
#[derive(Clone, Debug)]
pub struct MetricValue {
    /// The variant's name.
    pub variant: String,
    /// What it is the value of.
    pub name: MetricName,
    /// The value, in the metric's unit.
    pub value: f64,
    /// Its interval within this run, at 95 %; `None` for exact metrics and where there is too little.
    pub interval: Option<Estimate>,
}

/// All values of a result, variant by variant in the order of the metric table.
pub fn metric_values(result: &RunResult) -> Vec<MetricValue> {
    let record = &result.record;
    let mut values = Vec::new();
    for (arm, variant) in record.arms.iter().enumerate() {
        for row in METRICS {
            let mut push = |name: MetricName, value: f64, interval: Option<Estimate>| {
                values.push(MetricValue { variant: variant.name.clone(), name, value, interval });
            };
            if row.is_judged() {
                let known = measured(record, arm, row.metric).ok();
                if let Some(value) = value_of(known.as_ref(), record, arm, row.metric) {
                    let interval = known.map(|known| interval_of(record, arm, row.metric, &known));
                    push(row.metric.into(), value, interval);
                }
            } else {
                for (name, value) in exact_values(record, arm, row.metric) {
                    push(name, value, None);
                }
            }
        }
    }
    values
}

/// An arm's value of a metric that varies, by what was [`measured`] of it; also of a storm's times to resume,
/// which have no interval.
pub(super) fn value_of(
    known: Option<&LogValue>,
    record: &RunRecord,
    arm: usize,
    metric: Metric,
) -> Option<f64> {
    match source(metric) {
        Source::Histogram { of, quantile } if is_one_drain(record, metric) => {
            Some(of_histogram(of(&record.arms[arm]), quantile, metric).ok()?.value)
        }
        _ => known.map(|known| known.value),
    }
}

/// Whether the values are times of one storm's drain, in the order of its queue: how many they are says
/// nothing of how long the next one takes.
pub(super) fn is_one_drain(record: &RunRecord, metric: Metric) -> bool {
    record.scenario.load.mode == Mode::Storm && metric.is_of_resuming()
}

/// An arm's value of a metric that varies, with what it takes for an interval across runs. The interval knows
/// the noise within the run, not what differs from one day to the next.
pub(super) fn measured(record: &RunRecord, arm: usize, metric: Metric) -> Result<LogValue, TooFew> {
    let service = &record.arms[arm].service;
    match source(metric) {
        Source::ServiceQuantile(q) => {
            let samples = arm_samples(record, arm);
            if samples.is_empty() {
                return Ok(in_time(record, metric, q, of_histogram(service, q, metric)?));
            }
            enough(samples.len() as u64, metric)?;
            block_quantile(&samples, q, record.seed)
        }
        Source::ServiceInRoundTrips(q) => {
            let ruler: Vec<f64> = rulers(record).flatten().collect();
            let of = |samples: &[f64], q| {
                enough(samples.len() as u64, metric)?;
                block_quantile(samples, q, record.seed)
            };
            // Their noise is not quite independent: together they are taken for less certain than they are.
            let (service, unit) = (of(&arm_samples(record, arm), q)?, of(&ruler, 0.5)?);
            Ok(LogValue {
                value: service.value / unit.value,
                log_error: service.log_error.hypot(unit.log_error),
                degrees: service.degrees.min(unit.degrees),
            })
        }
        Source::ServiceMean => mean_of_series(&arm_samples(record, arm)),
        Source::Histogram { .. } if is_one_drain(record, metric) => {
            Err(TooFew::samples("storms in one result", 2, 1))
        }
        Source::Histogram { of, quantile } => {
            let within = of_histogram(of(&record.arms[arm]), quantile, metric)?;
            Ok(in_time(record, metric, quantile, within))
        }
        Source::Blocks(_) if is_withheld(metric, record) => Err(TooFew::constant(metric.name())),
        Source::Blocks(quotient) => {
            let parts: Vec<(f64, f64)> = blocks_of_metric(record, arm, metric).map(quotient).collect();
            let series: Vec<f64> = parts.iter().map(|(amount, per)| amount / per).collect();
            if series.is_empty()
                && record.arms.len() == 1
                && let Some(of) = per_second(metric)
            {
                let seconds = by_second(record, of)?;
                // Second n of every generator is one point of the timeline, and their clocks run apart where
                // each waits for the others: together they hold more time than the run had.
                let value = match record.generators.len() {
                    0 | 1 => seconds.value,
                    _ => variant_rate(&record.arms[arm]),
                };
                return Ok(LogValue { value, ..seconds });
            }
            // All of it over all of it, as a comparison within the run has it; the blocks say how sure that
            // is.
            let (amount, per) = parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            let error = mean_of_series(&series).map_err(|too_few| too_few.counting("counter blocks"))?;
            Ok(LogValue { value: amount / per, ..error })
        }
        Source::Exact(_) | Source::Calls => Err(TooFew::constant(metric.name())),
    }
}

/// The interval of what was [`measured`], as it is judged, stored and exported. That of a histogram's quantile ends where
/// the order statistics do, for the one error of a comparison would make both sides of it alike.
fn interval_of(record: &RunRecord, arm: usize, metric: Metric, known: &LogValue) -> Estimate {
    let ends = histogram_of(record, arm, metric).and_then(|(histogram, quantile)| {
        let within = Latencies::readable(histogram)?.quantile_interval(quantile).ok()?;
        Some((within, of_seconds(record, metric, quantile)))
    });
    let Some((within, seconds)) = ends else { return known.estimate(CONFIDENCE) };
    let seconds = seconds.map(|seconds| around(known.value, seconds).estimate(CONFIDENCE));
    seconds.map_or(within, |seconds| Estimate {
        low: within.low.min(seconds.low),
        high: within.high.max(seconds.high),
        ..within
    })
}

/// The same around a figure as reports show it: what is estimated from the parts of a run may differ from it in the last
/// digits.
pub(super) fn interval_around(
    shown: f64,
    record: &RunRecord,
    arm: usize,
    metric: Metric,
) -> Result<Estimate, TooFew> {
    let known = interval_of(record, arm, metric, &measured(record, arm, metric)?);
    let scale = shown / known.estimate;
    Ok(Estimate { estimate: shown, low: scale * known.low, high: scale * known.high, ..known })
}

/// The histogram that a metric is a quantile of; `None` where it is estimated from single samples, or is none.
fn histogram_of(record: &RunRecord, arm: usize, metric: Metric) -> Option<(&Histogram, f64)> {
    match source(metric) {
        Source::ServiceQuantile(q) => {
            arm_samples(record, arm).is_empty().then_some((&record.arms[arm].service, q))
        }
        Source::Histogram { of, quantile } => Some((of(&record.arms[arm]), quantile)),
        _ => None,
    }
}

/// Claims per second of a variant that has its time for itself.
fn variant_rate(arm: &ArmRecord) -> f64 {
    let (claims, seconds) = arm.rate_parts();
    claims / seconds
}

/// Of a run with one variant: the timeline is that variant's.
fn by_second(record: &RunRecord, of: fn(&TimelinePoint) -> Option<f64>) -> Result<LogValue, TooFew> {
    let series: Vec<f64> = record.whole_seconds().iter().filter_map(of).collect();
    mean_of_series(&series).map_err(|too_few| too_few.counting("whole seconds"))
}

/// Quantiles that a second of all variants has as each of them has it, but for its level: a median jumps
/// between variants that are far apart.
const TAIL: f64 = 0.9;

/// A quantile with the error that the run's whole seconds show, where that is larger.
fn in_time(record: &RunRecord, metric: Metric, quantile: f64, within: LogValue) -> LogValue {
    let seconds = of_seconds(record, metric, quantile);
    let wider = seconds.filter(|seconds| seconds.log_error > within.log_error);
    wider.map_or(within, |wider| around(within.value, wider))
}

fn around(value: f64, error: LogValue) -> LogValue {
    LogValue { value, ..error }
}

/// What the run's whole seconds show of a quantile: a histogram has forgotten the order of its values, and
/// knows nothing of a machine that was slower for some seconds. Of several variants it is told by the tail of
/// seconds that they shared, claim by claim; where each has time of its own nobody tells it.
fn of_seconds(record: &RunRecord, metric: Metric, quantile: f64) -> Option<LogValue> {
    // Along a ramp seconds differ as they are meant to.
    let ramp = matches!(record.scenario.load.arrivals, Some(ArrivalsForm::Ramp(_)));
    let several = record.arms.len() > 1;
    let apart = record.strata.iter().any(|stratum| stratum.apart);
    let told = !ramp && (!several || (!apart && quantile >= TAIL));
    by_second(record, per_second(metric).filter(|_| told)?).ok()
}

fn of_histogram(histogram: &Histogram, q: f64, metric: Metric) -> Result<LogValue, TooFew> {
    let Some(latencies) = Latencies::readable(histogram) else { return Err(TooFew::samples("values", 1, 0)) };
    enough(latencies.count(), metric)?;
    latencies.log_quantile(q)
}

fn enough(have: u64, metric: Metric) -> Result<(), TooFew> {
    let needed = metric.row().min_claims();
    if have < needed { Err(TooFew::samples("claims", needed, have)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{
        GRANT_LANE, HGET_LANE, SimulatedArm, by_workers, generator, record, scenario, spread,
    };
    use super::*;

    #[test]
    fn every_variant_has_its_values_with_intervals() {
        let arms = [GRANT_LANE, HGET_LANE];
        let result = super::super::analyse_as(record(&arms, 1), &scenario(&arms));
        let values = metric_values(&result);
        let of = |variant: &str, name: &str| {
            values
                .iter()
                .find(|v| v.variant == variant && v.name.to_string() == name)
                .unwrap_or_else(|| panic!("{name}"))
        };
        let p50 = of("hget-lane", "service_p50");
        assert!(p50.interval.unwrap().contains(240.0), "{p50:?}");
        assert!(of("grant-lane", "server_cpu").interval.unwrap().contains(60.0));
        assert!((of("grant-lane", "throughput").value / 5_000.0 - 1.0).abs() < 0.02);
        assert!((of("hget-lane", "calls.hget").value - 2.0).abs() < 1e-12);
        assert!(of("hget-lane", "round_trips").interval.is_none());
        assert!(
            values.iter().all(|v| v.name.metric != Metric::ResponseP99),
            "a closed loop has no response time"
        );
    }

    /// Each generator's seconds are of its own clock, and there are more of them than the run had.
    #[test]
    fn the_throughput_of_several_generators_is_that_of_all_claims_over_all_time() {
        let of = |generators: u32| {
            let mut record = record(&[GRANT_LANE], 1);
            record.blocks.clear();
            let at = |t: u32| TimelinePoint {
                t_s: f64::from(t),
                claimed: u64::from(890 + t),
                ..TimelinePoint::default()
            };
            record.timeline = (1..=20).map(at).collect();
            (record.arms[0].outcomes.claimed, record.arms[0].active_s) = (18_000, 18.0);
            record.generators = (1..=generators).map(generator).collect();
            measured(&record, 0, Metric::Throughput).map(|value| value.value)
        };
        assert_eq!(of(1), of(0));
        assert!((of(2).unwrap() - 1_000.0).abs() < 1e-9, "{:?}", of(2));
    }

    /// The pipe to a worker is in the time of its claims, and would stand in their rate.
    #[test]
    fn claims_of_workers_have_no_rate() {
        let arms = [GRANT_LANE, HGET_LANE];
        let rates = |record: RunRecord| {
            let result = super::super::analyse_as(record, &scenario(&arms));
            let values = metric_values(&result);
            let stored = values.iter().filter(|value| value.name.metric == Metric::Throughput).count();
            (stored, result.own_rate_per_s(0).is_some())
        };
        let mut worked = record(&arms, 1);
        assert_eq!(rates(worked.clone()), (2, true));
        by_workers(&mut worked);
        assert_eq!(rates(worked), (0, false));
    }

    /// However many came back, it was one drain.
    #[test]
    fn a_storm_has_a_time_to_resume_and_no_interval_of_it() {
        let mut storm = record(&[GRANT_LANE], 1);
        storm.arms[0].resume = spread(10_000, 2_000.0, 1);
        let of = |record: &RunRecord| {
            let known = measured(record, 0, Metric::ResumeP99).ok();
            (value_of(known.as_ref(), record, 0, Metric::ResumeP99), known)
        };
        let (value, known) = of(&storm);
        assert_eq!(value, known.map(|known| known.value));
        storm.scenario.load.mode = Mode::Storm;
        assert_eq!((of(&storm).0, of(&storm).1.is_none()), (value, true));
        let resume = metric_values(&super::super::analyse_as(storm, &scenario(&[GRANT_LANE])))
            .into_iter()
            .find(|found| found.name.metric == Metric::ResumeP99)
            .unwrap();
        assert_eq!((Some(resume.value), resume.interval), (value, None));
    }

    #[test]
    fn a_time_to_resume_and_the_times_of_several_variants_know_of_slow_seconds_too() {
        let arms = [GRANT_LANE, HGET_LANE];
        let slow = |arms: &[SimulatedArm], metric: Metric| {
            let mut record = record(arms, 1);
            for arm in &mut record.arms {
                (arm.resume, arm.response) = (spread(10_000, 2_000.0, 1), spread(10_000, 2_000.0, 1));
            }
            let within = measured(&record, 0, metric).unwrap().log_error;
            let point = TimelinePoint { claimed: 500, ..TimelinePoint::default() };
            let of = |second: u32| {
                let us = Some(if (11..=20).contains(&second) { 2_600.0 } else { 2_000.0 });
                TimelinePoint {
                    t_s: f64::from(second),
                    resume_p50_us: us,
                    resume_p99_us: us,
                    response_p50_us: us,
                    response_p99_us: us,
                    ..point.clone()
                }
            };
            record.timeline = (1..=40).map(of).collect();
            measured(&record, 0, metric).unwrap().log_error / within
        };
        assert!(slow(&arms[..1], Metric::ResumeP50) > 5.0);
        assert!(slow(&arms, Metric::ResponseP99) > 2.0 && slow(&arms, Metric::ResumeP99) > 2.0);
        // Between two variants the median of a second may jump, and says nothing of either.
        assert!((slow(&arms, Metric::ResponseP50) - 1.0).abs() < 1e-9);
    }

    /// A machine that was slower for a quarter of the time: a histogram has forgotten when.
    #[test]
    fn an_interval_of_a_quantile_knows_of_slow_seconds() {
        let mut record = record(&[GRANT_LANE], 1);
        let within = measured(&record, 0, Metric::ServiceP50).unwrap().log_error;
        let point = record.timeline[0].clone();
        record.timeline = (1..=40)
            .map(|second| TimelinePoint {
                t_s: f64::from(second),
                p50_us: Some(if (11..=20).contains(&second) { 260.0 } else { 200.0 }),
                ..point.clone()
            })
            .collect();
        let slow = measured(&record, 0, Metric::ServiceP50).unwrap();
        assert!(slow.log_error > 0.03 && slow.log_error > 5.0 * within, "{slow:?} {within}");
    }

    #[test]
    fn claims_that_the_servers_refused_do_not_make_the_others_look_dear() {
        let arms = [GRANT_LANE, HGET_LANE];
        let costs = |claimed: u64| {
            let mut record = record(&arms, 1);
            record.blocks.iter_mut().for_each(|block| block.claims = claimed);
            let result = super::super::analyse_as(record, &scenario(&arms));
            let cpu = metric_values(&result)
                .into_iter()
                .find(|value| value.name.metric == Metric::ServerCpu)
                .unwrap()
                .value;
            (cpu, result.variants[0].server.clone())
        };
        let (cpu, server) = costs(200);
        // Half of the 200 claims that each block sent were refused.
        let (of_half, server_of_half) = costs(100);
        assert!((cpu / 60.0 - 1.0).abs() < 0.01 && (of_half - cpu).abs() < 1e-9, "{cpu} and {of_half}");
        assert_eq!(server_of_half, server);
        let mut unknown = record(&arms, 1);
        unknown.blocks.iter_mut().for_each(|block| block.counters.sent.clear());
        assert_eq!(unknown.blocks[0].reached(), 200);
    }

    #[test]
    fn a_run_without_a_comparison_has_histogram_timeline_and_servers() {
        let record = record(&[GRANT_LANE], 1);
        assert!(record.strata.is_empty() && record.blocks.is_empty());
        let of = |metric| measured(&record, 0, metric);
        assert!(of(Metric::ServiceP50).unwrap().estimate(0.95).contains(200.0));
        assert!(of(Metric::ServiceP99).is_ok());
        assert!((of(Metric::Throughput).unwrap().value / 5_000.0 - 1.0).abs() < 0.02);
        assert!(matches!(of(Metric::ServiceMean), Err(TooFew::Samples { .. })));
        let result = super::super::analyse_as(record, &scenario(&[GRANT_LANE]));
        let server = &result.variants[0].server;
        assert!((server.main_thread_cpu_us_per_claim.unwrap() - 60.0).abs() < 1e-9);
        assert!((server.commands_per_claim["hget"] - 1.0).abs() < 1e-12);
        assert!(metric_values(&result).iter().any(|value| value.name == MetricName::calls("hset")));
    }
}
