//! A calibration in words and tables.

use super::document::Block;
use super::format::{count, figure, maybe, rough, share, time_us};
use super::{conditions, words};
use crate::judge::{Calibration, CalibrationProblem, FLAT_FROM, LatencySummary, LevelSummary};
use crate::record::{BadHistogram, CalibrationNote, CalibrationRecord, Disturbance};
use crate::scenario::ArrivalsForm;

/// The whole report.
pub(super) fn blocks(calibration: &Calibration) -> Vec<Block> {
    let mut blocks = alarms(calibration);
    blocks.push(Block::Title("calibrate: what the generator itself can do".into()));
    blocks.push(Block::Line(answer(calibration)));
    blocks.extend(levels(&calibration.level_summaries));
    blocks.extend(send_lag(calibration));
    blocks.extend(round_trip(calibration));
    blocks.extend(cpu(calibration));
    blocks.push(origin(&calibration.record));
    blocks
}

/// Why the figures must not be used, and what disturbed them.
fn alarms(calibration: &Calibration) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !calibration.valid {
        blocks.push(Block::Alarm("INVALID: do not use these figures.".into()));
        blocks.push(Block::List {
            heading: "Why".into(),
            items: calibration.problems.iter().map(problem).collect(),
        });
    }
    if !calibration.disturbed.is_empty() {
        let text = "DISTURBED: these are figures of a busy machine.";
        blocks.push(Block::Alarm(text.into()));
        let mut items: Vec<_> =
            calibration.disturbed.iter().map(|what| format!("{}.", disturbance(what))).collect();
        items.push(
            "Stop what else runs and calibrate again: the generator can do more, and be less late.".into(),
        );
        blocks.push(Block::List { heading: "What disturbed it".into(), items });
    }
    blocks
}

/// Where the figures come from.
fn origin(record: &CalibrationRecord) -> Block {
    let (host, valkey) = (&record.host, &record.valkey);
    let mut items = vec![conditions::machine(host)];
    items.extend(record.conditions.as_ref().map(conditions::arranged));
    items.extend([
        format!(
            "server: {} at {}, Valkey {} ({}), {} io-threads{}",
            valkey.provider,
            record.primary,
            valkey.version,
            valkey.allocator,
            valkey.io_threads,
            if valkey.same_machine { ", on this machine" } else { "" }
        ),
        format!(
            "requests: {} sent, {} counted by the server, {} without an answer",
            count(record.sent),
            count(record.counted),
            count(record.failed)
        ),
        format!(
            "calibrated: {} for {:.1} s, seed {}, reclaim-bench {} ({})",
            record.started, record.duration_s, record.seed, record.tool.version, record.tool.commit
        ),
    ]);
    if record.tool.debug_build {
        items.push(words::DEBUG_BUILD.into());
    }
    if !record.complete {
        items.push("narrowed by options: not kept for runs".into());
    }
    Block::List { heading: "Where this was measured".into(), items }
}

/// What the generator can do, as far as it bears on the run.
pub(super) fn note(note: &CalibrationNote) -> String {
    let overhead = note
        .round_trip_overhead_us
        .map(|us| format!("; {} over a bare round trip", time_us(us)))
        .unwrap_or_default();
    let lag = note
        .send_lag
        .map(|lag| {
            format!("; send lag {} at p99 at {} per second", time_us(lag.p99_us), figure(lag.rate_per_sec))
        })
        .unwrap_or_default();
    let disturbed: Vec<_> = note.disturbed.iter().map(disturbance).collect();
    let disturbed = if disturbed.is_empty() {
        String::new()
    } else {
        format!(" on a BUSY MACHINE: {}; calibrate again", disturbed.join("; "))
    };
    format!(
        "generator: reached {} requests per second with {} in flight, {} of CPU each{overhead}{lag} (calibrated {}{disturbed})",
        figure(note.ceiling_per_sec),
        note.in_flight,
        time_us(note.client_cpu_us_per_request),
        note.measured
    )
}

/// Why the figures must not be used, without a full stop.
pub(super) fn problem(problem: &CalibrationProblem) -> String {
    match problem {
        CalibrationProblem::CallsDisagree { primary, sent, counted } => format!(
            "{primary} counted {counted} calls of functions where {sent} were sent: keep other clients away and calibrate again"
        ),
        CalibrationProblem::Unanswered { requests } => format!("{requests} requests had no answer"),
        CalibrationProblem::DamagedHistogram { detail } => BadHistogram(detail.clone()).to_string(),
        CalibrationProblem::InWords(words) => words.clone(),
    }
}

pub(super) fn disturbance(disturbance: &Disturbance) -> String {
    match disturbance {
        Disturbance::OthersBusy { share: busy } => {
            format!("other programs used {} of all cores", rough(*busy))
        }
        Disturbance::CoresStolen { share: stolen } => {
            format!("the machine's host took {} of its cores away", rough(*stolen))
        }
        Disturbance::RoundsDiffer { spread } => {
            format!("turns of the same level were {} apart", rough(*spread))
        }
    }
}

pub(super) fn answer(calibration: &Calibration) -> String {
    let ceiling =
        calibration.ceiling_per_sec.map(|per_sec| format!("up to {} requests per second", figure(per_sec)));
    let lag = worst_lag(calibration).map(|(rate, p99)| {
        format!("send lag at most {} at p99 up to {} per second", time_us(p99), figure(rate))
    });
    let overhead = calibration
        .round_trip_summary
        .map(|summary| format!("{} over a bare round trip", time_us(summary.overhead_us.estimate)));
    let said: Vec<String> = [ceiling, overhead, lag].into_iter().flatten().collect();
    format!("With a function that does nothing: {}.", said.join("; "))
}

/// The highest rate and the largest p99 of all rates.
fn worst_lag(calibration: &Calibration) -> Option<(f64, f64)> {
    let cells = || calibration.send_lag_summaries.iter();
    let rate = cells().map(|cell| cell.rate_per_sec).max_by(f64::total_cmp)?;
    let p99 = cells().filter_map(|cell| Some(cell.send_lag_us?.p99)).max_by(f64::total_cmp)?;
    Some((rate, p99))
}

fn levels(levels: &[LevelSummary]) -> Option<Block> {
    let rows: Vec<_> = levels
        .iter()
        .map(|level| {
            let of = |quantile: fn(&LatencySummary) -> f64| maybe(level.service_us.as_ref().map(quantile));
            vec![
                count(level.in_flight.into()),
                count(level.connections.into()),
                figure(level.per_sec),
                of(|t| t.p50),
                of(|t| t.p99),
                figure(level.client_cpu_us),
                share((level.client_share * 1_000.0).round() / 1_000.0),
            ]
        })
        .collect();
    let header = vec!["in flight", "connections", "requests/s", "p50", "p99", "CPU each", "thread busy"];
    (!rows.is_empty())
        .then(|| Block::figures("Closed loop (µs; medians over rounds in random order)", header, rows))
}

fn send_lag(calibration: &Calibration) -> Option<Block> {
    let rows: Vec<_> = calibration
        .send_lag_summaries
        .iter()
        .map(|cell| {
            let of = |quantile: fn(&LatencySummary) -> f64| maybe(cell.send_lag_us.as_ref().map(quantile));
            let arrivals = if cell.arrivals == ArrivalsForm::Constant { "constant" } else { "poisson" };
            vec![
                figure(cell.rate_per_sec),
                arrivals.to_owned(),
                figure(cell.achieved_per_sec),
                of(|t| t.p50),
                of(|t| t.p99),
                of(|t| t.p999),
                of(|t| t.max),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| Block::Table {
        heading: "Open loop: send lag, how late requests were sent (µs)".into(),
        header: vec!["rate", "arrivals", "achieved", "p50", "p99", "p99.9", "max"],
        rows,
        words: vec![1],
    })
}

fn round_trip(calibration: &Calibration) -> Option<Block> {
    let summary = calibration.round_trip_summary?;
    let overhead = summary.overhead_us;
    Some(Block::Line(format!(
        "One in flight: {} through the client, {} on a bare socket, both medians; the client adds {} [{}, {}] µs.",
        time_us(summary.client_p50_us.estimate),
        time_us(summary.bare_p50_us.estimate),
        figure(overhead.estimate),
        figure(overhead.low),
        figure(overhead.high)
    )))
}

fn cpu(calibration: &Calibration) -> Option<Block> {
    let items: Vec<String> = calibration
        .cpu
        .iter()
        .map(|trend| {
            format!(
                "{} connection{}, {} to {} virtual workers: at most {:.2} times that of {}; dearest over cheapest {:.2}",
                trend.connections,
                if trend.connections == 1 { "" } else { "s" },
                trend.from,
                count(trend.to.into()),
                trend.growth,
                trend.from,
                trend.spread
            )
        })
        .collect();
    let heading = format!("CPU per request from {FLAT_FROM} virtual workers on");
    (!items.is_empty()).then_some(Block::List { heading, items })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::assess;
    use crate::judge::fixtures::calibration_record;
    use crate::record::Histogram;

    #[test]
    fn a_calibration_that_must_not_be_used_says_each_reason() {
        let mut record = calibration_record();
        (record.counted, record.failed) = (200_001, 2);
        record.levels[1].service = Histogram(Some("AAAA".into()));
        let mut broken = assess(record);
        broken.problems.push(CalibrationProblem::InWords("of another version".into()));
        let said: Vec<String> = broken.problems.iter().map(problem).collect();
        let [counted, unanswered, damaged, before] = &said[..] else { panic!("{said:?}") };
        assert_eq!(
            counted,
            "127.0.0.1:7000 counted 200001 calls of functions where 200000 were sent: keep other clients away and \
             calibrate again"
        );
        assert_eq!([unanswered, before], ["2 requests had no answer", "of another version"]);
        assert!(damaged.starts_with("a histogram of the result is damaged ("), "{damaged}");
        let why = Block::List { heading: "Why".into(), items: said.clone() };
        assert!(blocks(&broken).contains(&why));
        assert!(!blocks(&assess(calibration_record())).iter().any(|block| matches!(block, Block::Alarm(_))));
    }
}
