//! A storm in words: how long it took, whose time that was, and what had to be claimed twice.

use super::document::Block;
use super::format::{count, figure, time_us, times_us};
use crate::judge::{LatencySummary, RunResult, VariantSummary};
use crate::record::RetryCause;

/// How many executions of a storm came back.
pub(super) struct Back {
    /// Executions in the storm.
    executions: u64,
    /// Those that hold a lease.
    held: u64,
    /// Executions with a measured time to resume; all quantiles are over these.
    timed: u64,
    /// Whether the storm was ended before its time.
    ended_early: bool,
}

impl Back {
    /// Of a run with these times to resume.
    pub(super) fn from_result(result: &RunResult, resume: &LatencySummary) -> Self {
        let record = &result.record;
        let (executions, held) = record.storm_counts(resume.count);
        Self { executions, held, timed: resume.count, ended_early: record.partial }
    }

    /// Whose times all figures are, where they are not those of every execution.
    pub(super) fn of_whom(&self) -> Option<String> {
        let which = match (self.untimed(), self.without_lease()) {
            (0, 0) => return None,
            (0, _) => "that came back",
            _ => "whose time is known",
        };
        Some(format!("the {} of {} {which}", count(self.timed), count(self.executions)))
    }

    /// What became of the others.
    fn others(&self) -> String {
        let ended = if self.ended_early { "had none when the run was ended" } else { "NEVER DID" };
        [(self.without_lease(), ended), (self.untimed(), "more hold one, their claims had no reply")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("; {} {what}", count(n)))
            .collect::<Vec<_>>()
            .concat()
    }

    fn untimed(&self) -> u64 {
        self.held.saturating_sub(self.timed)
    }

    fn without_lease(&self) -> u64 {
        self.executions.saturating_sub(self.held)
    }
}

/// How long a storm took: each execution's clock started with the storm's first signal.
pub(super) fn answer(result: &RunResult, variant: &VariantSummary) -> String {
    let name = &variant.name;
    let Some(resume) = &variant.resume_us else {
        return format!("{name}: no execution came back.");
    };
    let back = Back::from_result(result, resume);
    let [half, most, last] = times_us([resume.p50, resume.p99, resume.max]);
    let said = match back.of_whom() {
        None => format!(
            "{name}: of {} executions that resumed at once, half held a lease after {half}, 99 % after {most}, all after \
             {last}",
            count(back.executions)
        ),
        Some(whom) => format!(
            "{name}: executions resumed at once; of {whom}, half held a lease after {half}, 99 % after {most}, the last after \
             {last}{}",
            back.others()
        ),
    };
    format!("{said}; {} claims per second.", figure(variant.throughput_per_s))
}

/// Until when the times above hold the producer's time as well.
pub(super) fn producer(result: &RunResult) -> Option<Block> {
    let storm = result.record.storm.as_ref()?;
    let text = match (storm.last_signal_us, storm.signals_answered_us) {
        (Some(sent), Some(answered)) => format!(
            "The producer sent its last signal {} after the first, and had all answers after {}: until then executions \
             waited for their signal as well, from then on for the scanner and for claims alone.",
            time_us(sent),
            time_us(answered)
        ),
        _ => "The producer had not sent all signals when the storm ended.".to_owned(),
    };
    Some(Block::Line(text))
}

/// Claims that came to nothing and were made again.
pub(super) fn retries(result: &RunResult) -> Option<Block> {
    let storm = result.record.storm.as_ref()?;
    let mut rows: Vec<Vec<String>> = storm
        .retries
        .iter()
        .map(|(cause, n)| {
            let what = match cause {
                RetryCause::Unanswered => "claimed again: no reply",
                RetryCause::Redirected => "claimed again: redirected",
                RetryCause::GrantGone => "claimed again: the grant was gone",
            };
            vec![what.to_owned(), count(*n)]
        })
        .collect();
    if storm.given_up > 0 {
        rows.push(vec!["given up on".to_owned(), count(storm.given_up)]);
    }
    (!rows.is_empty()).then(|| Block::Table {
        heading: "Executions that did not get their lease at once".into(),
        header: vec!["what happened", "times"],
        rows,
        words: vec![0],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, record, scenario, spread};
    use crate::record::StormRecord;
    use crate::scenario::Mode;

    /// The answer of a storm in which the times of 6,000 are known.
    fn said(executions: u64, held: u64, partial: bool) -> String {
        let mut storm = record(&[GRANT_LANE], 1);
        (storm.scenario.load.mode, storm.partial) = (Mode::Storm, partial);
        storm.arms[0].resume = spread(6_000, 900_000.0, 2);
        storm.storm = Some(StormRecord { executions, held, ..StormRecord::default() });
        let result = analyse_as(storm, &scenario(&[GRANT_LANE]));
        answer(&result, &result.variants[0])
    }

    #[test]
    fn quantiles_are_said_of_those_alone_whose_time_is_known() {
        let whole = said(6_000, 6_000, false);
        assert!(
            whole.contains("of 6,000 executions that resumed at once, half held a lease after"),
            "{whole}"
        );
        assert!(whole.contains(", all after ") && !whole.contains("came back"), "{whole}");
        let back = "the 6,000 of 6,100 that came back";
        for (said, whom, others) in [
            (said(6_100, 6_000, false), back, "; 100 NEVER DID;"),
            (said(6_100, 6_000, true), back, "; 100 had none when the run was ended;"),
            (
                said(6_003, 6_002, false),
                "the 6,000 of 6,003 whose time is known",
                "; 1 NEVER DID; 2 more hold",
            ),
        ] {
            assert!(said.contains(&format!("; of {whom}, half held a lease after ")), "{said}");
            assert!(said.contains(", the last after ") && said.contains(others), "{said}");
            assert!(!said.contains("all after"), "{said}");
        }
    }
}
