//! Several generators in words: what each of them did, and which one was the limit.

use super::conditions;
use super::document::Block;
use super::format::{TimeUnit, count, figure, maybe, rough, time_us};
use super::words::thread_busy;
use crate::judge::{GeneratorLimit, GeneratorSummary, RunResult, seconds_apart, uncalibrated};
use crate::record::{GeneratorRecord, RunRecord};

/// A table of the generators, and what follows from it; empty where one made the run.
pub(super) fn blocks(result: &RunResult) -> Vec<Block> {
    let record = &result.record;
    if record.generators.is_empty() {
        return Vec::new();
    }
    let rows: Vec<(&GeneratorRecord, &GeneratorSummary)> =
        record.generators.iter().zip(&result.generator_summaries).collect();
    let mut blocks = vec![table(&rows)];
    let otherwise = |generator: &GeneratorRecord| {
        let conditions = conditions::arranged(generator.conditions.as_ref()?);
        Some(Block::Line(format!("Generator {}, {conditions}.", generator.part)))
    };
    blocks.extend(record.generators.iter().filter_map(otherwise));
    blocks.push(Block::Line(limit(&result.generator_summaries)));
    blocks.extend(without_calibration(record).map(Block::Line));
    blocks.extend(apart(record).map(Block::Line));
    blocks
}

/// Of whom nobody knows what they can do at best.
fn without_calibration(record: &RunRecord) -> Option<String> {
    let numbers: Vec<String> = uncalibrated(record).iter().map(u32::to_string).collect();
    let whom = if numbers.len() == 1 { "generator" } else { "generators" };
    (!numbers.is_empty()).then(|| {
        format!(
            "The calibration is of the first generator's machine and says nothing of {whom} {}: how much these can make, and how late \
             they send at best, nobody has measured.",
            numbers.join(", ")
        )
    })
}

/// That seconds of the timeline hold what was not at one time.
fn apart(record: &RunRecord) -> Option<String> {
    seconds_apart(record).map(|apart_s| {
        format!(
            "Seconds of the timeline are each generator's own, and a generator that is done before the others goes on to the next window \
             or block with them: what stands in one second may have been up to {} apart. Events are not.",
            time_us(1e6 * apart_s)
        )
    })
}

fn table(rows: &[(&GeneratorRecord, &GeneratorSummary)]) -> Block {
    let several = rows.iter().any(|(_, summary)| summary.machine > 1);
    let lags = rows.iter().filter_map(|(_, summary)| summary.send_lag_us);
    let unit = TimeUnit::fitting(lags.flat_map(|lag| [lag.p50, lag.p99]));
    let open = rows.iter().any(|(_, summary)| summary.send_lag_us.is_some());
    let cells = |(generator, summary): &(&GeneratorRecord, &GeneratorSummary)| {
        let mut cells = vec![summary.part.to_string()];
        cells.extend(several.then(|| summary.machine.to_string()));
        cells.extend([
            count(generator.claims),
            rough(summary.claims_share),
            summary.busy.map_or_else(|| "-".into(), rough),
            maybe(summary.cpu_us_per_claim),
        ]);
        if open {
            let of = |lag: Option<f64>| lag.map_or_else(|| "-".into(), |us| unit.figure(us));
            cells.push(of(summary.send_lag_us.map(|lag| lag.p50)));
            cells.push(of(summary.send_lag_us.map(|lag| lag.p99)));
        }
        cells.push(figure(generator.late_us as f64 / 1e3));
        cells
    };
    let mut header = vec!["generator"];
    header.extend(several.then_some("machine"));
    header.extend(["claims", "share", "thread busy", "CPU per claim (µs)"]);
    header.extend(open.then_some(["late p50", "late p99"]).into_iter().flatten());
    header.push("began later (ms)");
    let heading = if open { unit.heading("Generators, how late each sent") } else { "Generators".to_owned() };
    Block::figures(&heading, header, rows.iter().map(cells).collect())
}

/// Which of them was the limit, if one was.
fn limit(generators: &[GeneratorSummary]) -> String {
    let worst = generators.iter().find_map(|summary| Some((summary, summary.limit?)));
    let Some((generator, limit)) = worst else {
        return "No generator was the limit: each thread had time to spare, and none sent too late.".into();
    };
    let why = match limit {
        GeneratorLimit::Busy => thread_busy("its", &rough(generator.busy.unwrap_or_default())),
        GeneratorLimit::Late => {
            let p99_us = generator.send_lag_us.map_or(0.0, |lag| lag.p99);
            format!("its claims were sent {} late at p99", time_us(p99_us))
        }
    };
    format!("Generator {} was the limit: {why}.", generator.part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, calibration_note, generator, record, spread};
    use crate::record::{Conditions, WindowTotals};

    fn analysed(change: impl FnOnce(&mut [GeneratorRecord])) -> RunResult {
        let mut record = record(&[GRANT_LANE], 1);
        record.generators = (1..=2).map(generator).collect();
        change(&mut record.generators);
        analyse(record).unwrap()
    }

    #[test]
    fn each_generator_has_a_row_and_the_limit_is_named() {
        let idle = blocks(&analysed(|_| ()));
        let Block::Table { header, rows, .. } = &idle[0] else { panic!("{idle:?}") };
        assert_eq!(
            header.join(" | "),
            "generator | claims | share | thread busy | CPU per claim (µs) | began later (ms)"
        );
        assert_eq!(rows[1], ["2", "1,500", "50 %", "20 %", "1,333", "0.00"]);
        assert!(matches!(&idle[1], Block::Line(text) if text.starts_with("No generator was the limit")));
        let busy = blocks(&analysed(|all| all[1].used.thread_cpu_s = 9.0));
        let limit = "Generator 2 was the limit: its thread was busy for 90 % of the window.";
        assert_eq!(busy[1], Block::Line(limit.into()));
    }

    #[test]
    fn one_whose_machine_was_arranged_otherwise_says_how() {
        let found = blocks(&analysed(|all| all[1].conditions = Some(Conditions::default())));
        let Block::Line(text) = &found[1] else { panic!("{found:?}") };
        assert!(text.starts_with("Generator 2, threads and cores: placed by the scheduler"), "{text}");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn an_open_loop_and_several_machines_have_their_columns() {
        let blocks = blocks(&analysed(|all| {
            all[0].host.boot = Some("a".into());
            all[1].host.boot = Some("b".into());
            for one in all {
                one.send_lag = spread(1_500, 20.0, 3);
            }
        }));
        let Block::Table { heading, header, rows, .. } = &blocks[0] else { panic!("{blocks:?}") };
        assert_eq!(heading, "Generators, how late each sent (µs)");
        assert_eq!(
            header[1..],
            [
                "machine",
                "claims",
                "share",
                "thread busy",
                "CPU per claim (µs)",
                "late p50",
                "late p99",
                "began later (ms)"
            ]
        );
        assert_eq!(rows[1][..2], ["2", "2"]);
    }

    #[test]
    fn a_calibration_is_not_said_of_machines_elsewhere() {
        let said = |boot: &str| {
            let mut record = record(&[GRANT_LANE], 1);
            record.environment.host.boot = Some("here".into());
            record.generators = (1..=3).map(generator).collect();
            for one in &mut record.generators {
                one.host.boot = Some(if one.part == 1 { "here" } else { boot }.into());
            }
            record.calibration = Some(calibration_note());
            format!("{:?}", blocks(&analyse(record).unwrap()))
        };
        assert!(said("elsewhere").contains("says nothing of generators 2, 3:"), "{}", said("elsewhere"));
        assert!(!said("here").contains("calibration"), "{}", said("here"));
    }

    #[test]
    fn seconds_that_are_apart_are_told() {
        let said = |active_s: f64, late_in: u32| {
            let mut record = record(&[GRANT_LANE], 1);
            record.generators = (1..=2).map(generator).collect();
            record.generators[1].late_in = late_in;
            record.window = Some(WindowTotals { active_s, ..WindowTotals::default() });
            format!("{:?}", blocks(&analyse(record).unwrap()))
        };
        assert!(said(11.5, 4).contains("up to 1.50 s apart"), "{}", said(11.5, 4));
        assert!(!said(10.4, 4).contains("apart"), "{}", said(10.4, 4));
        assert!(!said(11.5, 1).contains("apart"), "in one window all begin at once: {}", said(11.5, 1));
    }

    #[test]
    fn one_generator_has_no_table() {
        assert_eq!(blocks(&analyse(record(&[GRANT_LANE], 1)).unwrap()), []);
    }
}
