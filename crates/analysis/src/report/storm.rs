//! A storm in words: how long it took, whose time that was, and what had to be claimed twice.

use super::document::Block;
use super::format::{count, figure, time_us, times_us};
use crate::judge::{RunResult, VariantSummary};
use crate::record::RetryCause;

/// How long a storm took: each execution's clock started with the storm's first signal.
pub(super) fn answer(result: &RunResult, variant: &VariantSummary) -> String {
    let executions = u64::from(result.record.scenario.population.executions);
    let Some(resume) = &variant.resume_us else {
        return format!("{}: no execution came back.", variant.name);
    };
    // Results of versions that did not count them have only those whose time is known.
    let held = result.record.storm.as_ref().map_or(resume.count, |storm| storm.held);
    let [half, most, last] = times_us([resume.p50, resume.p99, resume.max]);
    let untimed = held.saturating_sub(resume.count);
    let back = match executions.saturating_sub(held) {
        0 if untimed == 0 => format!("all after {last}"),
        0 => format!("the last after {last}"),
        never => format!("{} NEVER DID; the last of the others after {last}", count(never)),
    };
    let (of_whom, others) = if untimed > 0 {
        (
            format!(" of the {} whose time is known", count(resume.count)),
            format!("; {} more hold one, their claims had no reply", count(untimed)),
        )
    } else {
        Default::default()
    };
    format!(
        "{}: of {} executions that resumed at once, half{of_whom} held a lease after {half}, 99 % of those that came back \
         after {most}, {back}{others}; {} claims per second.",
        variant.name,
        count(executions),
        figure(variant.throughput_per_s)
    )
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
