//! A run for a plotting program or a spreadsheet: the window second by second, the counter blocks, every
//! sample of the strata. What is not known stays empty.

use super::csv_table::{CsvTable, number};
use super::findings;
use super::words::{self, primary_over_time};
use crate::judge::{RunResult, RunState, own_sides};
use crate::record::{CounterBlock, Samples, Stratum};

const SECOND: [&str; 12] = [
    "t_s",
    "measured_s",
    "claimed",
    "errors",
    "claims_per_s",
    "p50_us",
    "p99_us",
    "response_p50_us",
    "response_p99_us",
    "send_lag_p99_us",
    "stock",
    "tool_resident_bytes",
];

const BLOCK: [&str; 11] = [
    "group",
    "variant",
    "claims",
    "duration_s",
    "steady_claims",
    "steady_duration_s",
    "main_thread_cpu_us",
    "process_cpu_us",
    "net_in_bytes",
    "net_out_bytes",
    "on_control",
];

/// What must be known of a run before its figures are used, in one line, for formats that have no place for
/// it; `None` where they may be used.
pub fn not_for_use(result: &RunResult) -> Option<String> {
    match result.state() {
        RunState::Invalid => {
            let why: Vec<String> = result.invalid_reasons.iter().map(words::invalid_reason).collect();
            Some(format!("INVALID, do not use these figures. {}", why.join(" ")).trim_end().to_owned())
        }
        RunState::Aborted => {
            let why = result.record.aborted.as_ref().map(findings::aborted).unwrap_or_default();
            Some(format!("ABORTED, these figures were measured until then: {why}."))
        }
        RunState::Interrupted => {
            Some("INTERRUPTED, these figures were measured before the run was stopped.".to_owned())
        }
        RunState::ControlFailed | RunState::Judged => None,
    }
}

/// One line per second of the window, a column of CPU for each primary. `measured_s` is how much of the
/// second was measured, empty where the result does not say; the rate is over that, empty where it is unknown
/// or too short, and where workers make the claims, for the pipes to them are in that time. Variants are not
/// told apart, and claims of the control and of the counter blocks are among these.
pub fn csv_timeline(result: &RunResult) -> String {
    let timeline = &result.record.timeline;
    let is_rated = !result.record.has_workers();
    let primaries = timeline.iter().map(|point| point.primary_cpu.len()).max().unwrap_or_default();
    let cpu = (0..primaries).map(|n| format!("cpu {}", primary_over_time(&result.record, n)));
    let mut table = CsvTable::new(SECOND.map(str::to_owned).into_iter().chain(cpu));
    for (n, point) in timeline.iter().enumerate() {
        let unknown = n + 1 == timeline.len() && result.record.last_second_is_unknown();
        let times =
            [point.p50_us, point.p99_us, point.response_p50_us, point.response_p99_us, point.send_lag_p99_us];
        let mut fields = vec![
            point.t_s.to_string(),
            number(Some(point.length_s()).filter(|_| !unknown)),
            point.claimed.to_string(),
            point.errors.to_string(),
            number(result.record.per_sec(n, |point| point.claimed).filter(|_| is_rated)),
        ];
        fields.extend(times.map(number));
        fields.push(point.stock.to_string());
        fields.push(point.tool_resident_bytes.map_or_else(String::new, |bytes| bytes.to_string()));
        fields.extend((0..primaries).map(|n| number(point.primary_cpu.get(n).copied())));
        table.line(fields);
    }
    table.text()
}

/// One line per counter block: what the servers counted while one variant had them for itself. What the
/// servers counted is empty where others used them in the window, and main threads' time where its clock will not
/// do.
pub fn csv_blocks(result: &RunResult) -> String {
    let mut table = CsvTable::new(BLOCK);
    let is_counted = !result.record.server_figures_withheld();
    let bytes = |n: u64| if is_counted { n.to_string() } else { String::new() };
    let is_timed = result.record.main_thread_doubt().is_none();
    let cpu_us = |us: f64, is_known: bool| number(Some(us).filter(|_| is_counted && is_known));
    for block in &result.record.blocks {
        let CounterBlock { counters, steady, .. } = block;
        table.line([
            block.group.to_string(),
            name(result, block.arm).to_owned(),
            block.claims.to_string(),
            number(Some(block.duration_s)),
            steady.map_or_else(String::new, |steady| steady.claims.to_string()),
            number(steady.map(|steady| steady.duration_s)),
            cpu_us(counters.main_thread_cpu_us, is_timed),
            cpu_us(counters.process_cpu_us, true),
            bytes(counters.net_in_bytes),
            bytes(counters.net_out_bytes),
            block.on_control.to_string(),
        ]);
    }
    table.text()
}

/// One line per sample of the strata, in the order taken within its side; `side` is `ruler` for bare round
/// trips.
pub fn csv_strata(result: &RunResult) -> String {
    let mut table =
        CsvTable::new(["stratum", "control", "side", "variant", "sample", "service_us", "on_control"]);
    let own = own_sides(&result.record);
    for (position, stratum) in result.record.strata.iter().enumerate() {
        for (n, side) in stratum.sides.iter().enumerate() {
            let earlier = stratum.sides[..n].iter().filter(|other| other.arm == side.arm).count();
            let (place, variant) = ((n.to_string(), earlier >= own), name(result, side.arm));
            samples(&mut table, (position, stratum), place, variant, &side.service);
        }
        if let Some(ruler) = &stratum.ruler {
            samples(&mut table, (position, stratum), ("ruler".to_owned(), false), "", ruler);
        }
    }
    table.text()
}

fn samples(
    table: &mut CsvTable,
    (position, stratum): (usize, &Stratum),
    (side, on_control): (String, bool),
    variant: &str,
    of: &Samples,
) {
    let (position, control) = (position.to_string(), stratum.control.to_string());
    let on_control = on_control.to_string();
    for (n, us) in of.iter_us().enumerate() {
        let (n, us) = (n.to_string(), format!("{us:.1}"));
        table.line([&position, &control, &side, variant, &n, &us, &on_control]);
    }
}

fn name(result: &RunResult, arm: u32) -> &str {
    result.record.arms.get(arm as usize).map_or("", |arm| arm.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, TWIN, by_workers, record};
    use crate::judge::spoilt_fixture::{aborted, interrupted};
    use crate::record::{InvalidReason, RunRecord, Warning};

    /// Fields of every line; names with commas are none of these fixtures' business.
    fn rows(csv: &str) -> Vec<Vec<&str>> {
        csv.lines().map(|line| line.split(',').collect()).collect()
    }

    #[test]
    fn the_last_second_is_exported_as_the_part_that_was_measured() {
        let mut record = record(&[GRANT_LANE], 1);
        record.window = Some(crate::record::WindowTotals::default());
        let last = record.timeline.last_mut().unwrap();
        (last.claimed, last.part_s) = (1_000, Some(0.25));
        let lines = csv_timeline(&analyse(record).unwrap());
        let rows = rows(&lines);
        let last = rows.last().unwrap();
        assert_eq!(rows[0][..5], ["t_s", "measured_s", "claimed", "errors", "claims_per_s"]);
        assert_eq!(last[..5], ["30", "0.250000", "1000", "0", "4000.000000"]);
        assert_eq!((rows[1][1], rows[1][4].parse::<f64>()), ("1.000000", rows[1][2].parse::<f64>()));
    }

    #[test]
    fn a_rate_that_holds_the_pipe_to_a_worker_stays_empty_and_the_count_does_not() {
        let mut piped = record(&[GRANT_LANE], 1);
        let plain = csv_timeline(&analyse(piped.clone()).unwrap());
        by_workers(&mut piped);
        let piped = csv_timeline(&analyse(piped).unwrap());
        let [plain, piped] = [&plain, &piped].map(|csv| rows(csv)[1].clone());
        assert!(piped[2] == plain[2] && !plain[4].is_empty() && piped[4].is_empty(), "{piped:?}");
    }

    /// As reports leave it out.
    #[test]
    fn what_servers_counted_for_others_too_stays_empty() {
        let mut shared = record(&[GRANT_LANE, HGET_LANE], 1);
        let own = csv_blocks(&analyse(shared.clone()).unwrap());
        shared
            .warnings
            .push(Warning::ForeignClients { primary: "127.0.0.1:7000".into(), clients: Vec::new() });
        let shared = csv_blocks(&analyse(shared).unwrap());
        let [own, shared] = [&own, &shared].map(|csv| rows(csv)[1].clone());
        assert!(own[6..10].iter().all(|field| !field.is_empty()), "{own:?}");
        assert!(shared[6..10].iter().all(|field| field.is_empty()), "{shared:?}");
        assert_eq!((own[..6].to_vec(), own[10]), (shared[..6].to_vec(), shared[10]));
    }

    #[test]
    fn figures_that_must_not_be_used_or_are_not_all_say_so_in_one_line() {
        let said = |change: fn(&mut RunRecord)| {
            let mut record = record(&[GRANT_LANE], 1);
            change(&mut record);
            not_for_use(&analyse(record).unwrap())
        };
        assert_eq!(said(|_| ()), None);
        let invalid = said(|record| record.invalid_reasons.push(InvalidReason::StockRanOut { claims: 12 }));
        let invalid = invalid.unwrap();
        assert!(invalid.starts_with("INVALID, do not use these figures. 12 claims"), "{invalid}");
        let interrupted = said(interrupted).unwrap();
        assert!(interrupted.starts_with("INTERRUPTED, "), "{interrupted}");
        assert!(said(aborted).unwrap().starts_with("ABORTED, "));
    }

    /// Two clusters of one server differ: whoever groups by variant must be able to leave the control's out.
    #[test]
    fn samples_on_the_cluster_of_a_control_say_so() {
        let mut record = crate::judge::server_fixture::server_duet(&[GRANT_LANE, TWIN], 1);
        for stratum in &mut record.strata {
            let again = stratum.sides[0].clone();
            stratum.sides.push(again);
        }
        let csv = csv_strata(&analyse(record).unwrap());
        let rows = rows(&csv);
        let on = |side: &str| {
            let mut found: Vec<&str> = rows[1..]
                .iter()
                .filter(|row| row[1] == "false" && row[2] == side)
                .map(|row| row[6])
                .collect();
            found.dedup();
            found
        };
        assert_eq!(
            (rows[0][6], on("0"), on("1"), on("2")),
            ("on_control", vec!["false"], vec!["false"], vec!["true"])
        );
    }

    #[test]
    fn every_line_has_the_fields_of_its_header_and_nothing_is_left_out() {
        let mut record = record(&[GRANT_LANE, HGET_LANE], 1);
        record.timeline = crate::judge::fixtures::record(&[GRANT_LANE], 1).timeline;
        record.timeline[3].primary_cpu = vec![0.5, 0.25];
        let (blocks, samples) = (record.blocks.len(), 120 * 2 * 100);
        let result = analyse(record).unwrap();
        for (csv, lines) in
            [(csv_timeline(&result), 30), (csv_blocks(&result), blocks), (csv_strata(&result), samples)]
        {
            let rows = rows(&csv);
            assert_eq!(rows.len(), lines + 1);
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{}", rows[0].join(","));
        }
        let timeline = csv_timeline(&result);
        assert_eq!(
            timeline.lines().last().unwrap().split(',').nth(1),
            Some(""),
            "an old result does not say"
        );
        assert!(
            timeline.starts_with("t_s,measured_s,claimed")
                && timeline.contains(",cpu 127.0.0.1:7000,cpu primary 1\n")
        );
        let strata = csv_strata(&result);
        assert!(strata.contains("\n0,false,1,hget-lane,0,") && strata.contains("\n1,true,1,grant-lane,99,"));
        let mean = |variant: &str| {
            let of = rows(&strata)
                .into_iter()
                .filter(|row| row[3] == variant && row[1] == "false")
                .map(|row| row[5].parse::<f64>().unwrap())
                .collect::<Vec<_>>();
            of.iter().sum::<f64>() / of.len() as f64
        };
        assert!((mean("hget-lane") / mean("grant-lane") - 1.2).abs() < 0.02);
    }
}
