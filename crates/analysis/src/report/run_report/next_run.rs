//! What one more run would say, from this one and those before it.

use super::super::document::Block;
use super::super::format::{share, signed_percent};
use crate::judge::{Comparison, RunResult, WithRunsBefore};

/// A line for each candidate, by the first metric of the scenario; none where nothing may be judged or too few
/// runs were made. Of a build that no commit names there never are enough: one line says so.
pub(in crate::report) fn next_run(result: &RunResult) -> Vec<Block> {
    if !result.valid || result.is_vetoed() {
        return Vec::new();
    }
    let by_first_metric = result.by_first_metric();
    let (several, compared) = (by_first_metric.len() > 1, !by_first_metric.is_empty());
    let line = |one: &Comparison| {
        let who = several.then(|| format!("{} against {}: ", one.candidate, one.baseline));
        Some(who.unwrap_or_default() + &sentence(one, one.with_runs_before.as_ref()?))
    };
    let lines: Vec<Block> =
        by_first_metric.into_iter().filter_map(|(_, one)| line(one).map(Block::Line)).collect();
    let alone = lines.is_empty() && compared && !result.record.partial;
    if alone && !result.record.tool.names_its_build() {
        return vec![Block::Line(format!(
            "No run before it is held beside this one: no commit names the build that made it ({}), so that nobody knows which \
             runs were made by the same.",
            result.record.tool.commit
        ))];
    }
    lines
}

fn sentence(comparison: &Comparison, all: &WithRunsBefore) -> String {
    let [lowest, highest, low, high] =
        [all.lowest, all.highest, all.next_run.low, all.next_run.high].map(signed_percent);
    let title = comparison.metric.row().title;
    let confidence = share(all.next_run.confidence);
    let said = format!(
        "This run and the {} before it that measured the same say {title} {lowest} to {highest} %; one more would lie between \
         {low} and {high} % ({confidence}).",
        all.runs - 1
    );
    match all.disagreement() {
        Some(beyond) => format!(
            "{said} They are apart by {:.1} % or so more than their own intervals allow: that of one run does not hold for \
             the next.",
            100.0 * beyond
        ),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::judge::spoilt_fixture::interrupted;
    use crate::judge::{analyse, note_runs_before};
    use crate::record::{RatioBefore, RunBefore, RunRecord};
    use crate::scenario::Metric;

    fn said(ratios: &[f64]) -> Option<String> {
        let mut record = record(&[GRANT_LANE, HGET_LANE], 1);
        let before = |&ratio: &f64| RunBefore {
            started: "2026-01-02T03:04:05Z".into(),
            seed: 1,
            ratios: vec![RatioBefore {
                baseline: "grant-lane".into(),
                candidate: "hget-lane".into(),
                metric: Metric::ServiceP50,
                ratio,
                log_error: 0.004,
            }],
        };
        record.runs_before = ratios.iter().map(before).collect();
        match next_run(&analyse(record).unwrap()).as_slice() {
            [] => None,
            [Block::Line(line)] => Some(line.clone()),
            more => panic!("{more:?}"),
        }
    }

    /// Judge leaves them out and this says why: both must agree on which commits name a build.
    #[test]
    fn a_build_that_no_commit_names_is_said_to_have_no_runs_before() {
        for (commit, is_named) in [("0123456", true), ("0123456-dirty", false), ("unknown", false)] {
            let run = |seed, change: fn(&mut RunRecord)| {
                let mut record = record(&[GRANT_LANE, HGET_LANE], seed);
                record.tool.commit = commit.into();
                change(&mut record);
                analyse(record).unwrap()
            };
            let (before, mut now) = ([run(2, |_| ())], run(1, |_| ()));
            let told = |now: &RunResult| format!("{:?}", next_run(now));
            assert_eq!(told(&now).contains("no commit names the build"), !is_named, "{}", told(&now));
            note_runs_before(&mut now, &before);
            assert_eq!(now.record.runs_before.is_empty(), !is_named, "{commit}");
            let mut stopped = run(1, interrupted);
            note_runs_before(&mut stopped, &before);
            assert_eq!(next_run(&stopped), []);
        }
    }

    #[test]
    fn the_next_run_is_told_of_by_those_before() {
        assert_eq!(said(&[1.2]), None);
        insta::assert_snapshot!(said(&[1.2, 1.21, 1.19]).unwrap());
        insta::assert_snapshot!(said(&[1.1, 1.3, 1.19]).unwrap());
    }
}
