//! Where the time inside the functions goes: a bar for each profiled library, its parts one after the other.

use maud::{Markup, html};

use super::super::parts::{Answer, Belief, blocks, figure, figures, maybe, table, value, words};
use crate::judge::{Profile, ProfilePart, ProfileTrust, ProfiledArm, ProfiledFunction, RunResult};
use crate::report::chart::{Bar, Bars, Chart, Segment, Tone};
use crate::report::format::{self, per_claim, round_time_us, share, time_us};
use crate::report::profile::{adding_up, changes, finding, left_over, library, name, rounded, said};
use crate::report::words as wording;
use crate::stats::{CONFIDENCE, Estimate};

/// The chart with its table, what changed between libraries, and whether it adds up.
pub(super) fn section(result: &RunResult, profile: &Profile) -> Markup {
    let behind = html! {
        @for (n, arm) in profile.arms.iter().enumerate() {
            @for (m, function) in arm.functions.iter().enumerate() { (parts(result, (n, arm), (m, function))) }
        }
    };
    html! {
        p {
            "The mean call of each function, its timers taken out."
            @if let Some(left_over) = left_over(profile) { " " (left_over) }
        }
        (figure(&chart(result, profile), &behind))
        (blocks(&changes(profile)))
        (blocks(&[adding_up(profile)]))
    }
}

/// The answer of a profile.
pub(super) fn answer(result: &RunResult, profile: &Profile) -> Answer {
    let functions: Vec<String> = profile.arms.iter().flat_map(|arm| &arm.functions).map(largest).collect();
    let marked = profile.changes.iter().filter(|change| change.change != crate::judge::PartChange::Same);
    let details: Vec<Markup> =
        marked.map(|change| html! { p { (change.function) ": " (said(change)) "." } }).collect();
    let sentence = match functions.concat() {
        none if none.trim().is_empty() => "No function was profiled".to_owned(),
        _ => functions.join(" "),
    };
    Answer { sentence, figure: None, tone: "", details, belief: belief(result, profile) }
}

/// Whether to believe it, and why.
fn belief(result: &RunResult, profile: &Profile) -> Belief {
    let trust = profile.trust(result);
    let reasons: Vec<Markup> = if trust == ProfileTrust::Invalid {
        result.invalid_reasons.iter().map(|reason| html! { (wording::invalid_reason(reason)) }).collect()
    } else {
        profile.findings.iter().map(|found| html! { (finding(found)) }).collect()
    };
    let headline = match trust {
        ProfileTrust::Invalid => "Do not believe any figure on this page. Why:",
        ProfileTrust::Interrupted => "Incomplete: the run was interrupted.",
        ProfileTrust::Doubtful => "Doubtful, because:",
        ProfileTrust::AddsUp => "The parts add up to the server's own time.",
    };
    Belief { level: trust.level(), headline: headline.to_owned(), reasons }
}

fn largest(function: &ProfiledFunction) -> String {
    let part = function.parts.iter().max_by(|a, b| a.us.total_cmp(&b.us));
    part.map_or_else(String::new, |part| {
        format!(
            "{} takes {}, {} of it {}.",
            function.function,
            time_us(function.us),
            share((100.0 * part.share).round() / 100.0),
            name(&part.part)
        )
    })
}

fn chart(result: &RunResult, profile: &Profile) -> Chart {
    let key = key(profile);
    let tone =
        |title: &str| key.iter().find(|(name, _)| name == title).map_or(Tone::Neutral, |(_, tone)| *tone);
    let bar = |arm: &ProfiledArm, function: &ProfiledFunction| {
        let label = format!("{}{}", function.function, library(result, arm));
        let mut from = 0.0;
        let segments = function.parts.iter().map(|part| {
            let (begin, what) = (from, name(&part.part));
            from += part.us.max(0.0);
            let tip = format!("{what}: {}, {} of the function", time_us(part.us), share(part.share));
            Segment { from: begin, to: from, tone: tone(what), tip }
        });
        Bar { segments: segments.collect(), figure: time_us(function.us), label }
    };
    let functions =
        || profile.arms.iter().flat_map(|arm| arm.functions.iter().map(move |function| (arm, function)));
    let said = functions().map(|(arm, function)| {
        let parts: Vec<_> =
            function.parts.iter().map(|part| format!("{} {}", name(&part.part), time_us(part.us))).collect();
        format!("{}{}: {}", function.function, library(result, arm), parts.join(", "))
    });
    Chart {
        title: "Where the time inside the functions goes".into(),
        description: said.collect::<Vec<_>>().join("; "),
        plot: Box::new(Bars {
            rows: functions().map(|(arm, function)| bar(arm, function)).collect(),
            axis: Some("time of one call".into()),
            format: round_time_us,
            key,
        }),
    }
}

/// A colour for each command of any function, the same wherever it occurs; Lua's own part is neutral.
fn key(profile: &Profile) -> Vec<(String, Tone)> {
    let mut commands: Vec<&str> = Vec::new();
    let parts = profile.arms.iter().flat_map(|arm| &arm.functions).flat_map(|function| &function.parts);
    for part in parts {
        if let ProfilePart::Command { command } = &part.part
            && !commands.contains(&command.as_str())
        {
            commands.push(command);
        }
    }
    let named = commands.into_iter().enumerate().map(|(n, command)| (command.to_owned(), Tone::Nth(n)));
    named.chain([(crate::report::profile::LUA.to_owned(), Tone::Neutral)]).collect()
}

fn parts(
    result: &RunResult,
    (n, arm): (usize, &ProfiledArm),
    (m, function): (usize, &ProfiledFunction),
) -> Markup {
    let place = |p: usize, key: &str| format!("/profile/arms/{n}/functions/{m}/parts/{p}/{key}");
    let rows: Vec<Vec<Markup>> = function
        .parts
        .iter()
        .enumerate()
        .map(|(p, part)| {
            let end = |of: fn(&Estimate) -> f64, key: &str| {
                let key = format!("interval/{key}");
                maybe(format::figure, part.interval.as_ref().map(of), &place(p, &key))
            };
            vec![
                html! { (name(&part.part)) },
                maybe(per_claim, part.calls, &place(p, "calls")),
                maybe(format::figure, part.each_us, &place(p, "each_us")),
                value(&format::figure(part.us), part.us, &place(p, "us")),
                end(|interval| interval.low, "low"),
                end(|interval| interval.high, "high"),
                value(&share(rounded(part.share)), part.share, &place(p, "share")),
            ]
        })
        .collect();
    let columns = [
        words("part"),
        figures("calls"),
        figures("each (µs)"),
        figures("time (µs)"),
        figures("low"),
        figures("high"),
        figures("share"),
    ];
    let intervals = function.parts.iter().filter_map(|part| part.interval.as_ref());
    let confidence = format::confidence(intervals, CONFIDENCE);
    let caption = format!("{}{}, per call, {confidence} intervals", function.function, library(result, arm));
    table(&caption, &columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::profile_fixture::{Truth, profiled};

    fn result(partial: bool) -> RunResult {
        let mut record = profiled(&[Truth::default()]);
        record.partial = partial;
        analyse(record).unwrap()
    }

    #[test]
    fn a_profile_that_was_interrupted_says_so() {
        let believed = |partial: bool| {
            let result = result(partial);
            belief(&result, result.profile.as_ref().unwrap()).headline
        };
        let headline = believed(false);
        assert!(headline.contains("add up"), "{headline}");
        let headline = believed(true);
        assert!(headline.contains("interrupted"), "{headline}");
    }

    #[test]
    fn parts_have_their_intervals_as_in_text() {
        let result = result(false);
        let page = section(&result, result.profile.as_ref().unwrap()).into_string();
        for end in ["low", "high"] {
            let place = format!("data-from=\"/profile/arms/0/functions/0/parts/0/interval/{end}\"");
            assert!(page.contains(&place), "{place}: {page}");
        }
    }
}
