//! Where the time inside the functions goes, in words and tables.

use super::document::Block;
use super::format::{
    confidence, count, figure, interval_of, maybe, per_claim, share, signed_within, time_us,
};
use super::run_report::{alarms, origin, trust, warnings};
use crate::judge::{
    AddingUp, PROFILE_TOLERANCE, PartChange, Profile, ProfileChange, ProfileFinding, ProfilePart,
    ProfiledArm, ProfiledFunction, ProfiledPart, RunResult,
};
use crate::record::short_sha256;
use crate::stats::CONFIDENCE;

/// Lua's own part, as tables and charts name it.
pub(super) const LUA: &str = "Lua itself";

/// The whole report of a profile.
pub(super) fn blocks(result: &RunResult, profile: &Profile) -> Vec<Block> {
    let mut blocks = alarms(result);
    blocks.push(Block::Title(title(result)));
    blocks.extend(doubts(profile));
    blocks.extend(profile.arms.iter().flat_map(|arm| tables(result, arm)));
    blocks.extend(left_over(profile).map(Block::Line));
    blocks.extend(changes(profile));
    blocks.push(adding_up(profile));
    blocks.push(trust(result));
    blocks.push(origin(result));
    blocks.extend(warnings(result));
    blocks
}

/// What is profiled.
pub(super) fn title(result: &RunResult) -> String {
    format!("{}, inside the functions of the claim path", result.record.label())
}

/// Findings, above every figure.
pub(super) fn doubts(profile: &Profile) -> Option<Block> {
    let items: Vec<String> = profile.findings.iter().map(finding).collect();
    (!items.is_empty()).then(|| Block::List { heading: "DOUBTFUL, because".into(), items })
}

/// A finding in words, with what to do.
pub(super) fn finding(finding: &ProfileFinding) -> String {
    match finding {
        ProfileFinding::NothingMeasured { arm } => format!(
            "{arm}: no counter block was measured, so there is nothing to show. Let it run to its end, or give it more \
             claims."
        ),
        ProfileFinding::DoesNotAddUp { arm, sum } => format!(
            "{arm}: all parts together are {}, the server says {}: {} apart, {} are allowed. Was the server waiting \
             for a core? Profile again on a quiet machine.",
            time_us(sum.parts_us),
            time_us(sum.server_us),
            share(rounded(sum.short.abs())),
            share(PROFILE_TOLERANCE)
        ),
        ProfileFinding::TimersExplainTooLittle { arm, sum } => format!(
            "{arm}: without its timers it would take {}, the plain library takes {}: {} apart, {} are allowed. What \
             instrumentation added is not understood, so shares are rough.",
            time_us(sum.parts_us),
            time_us(sum.server_us),
            share(rounded(sum.short.abs())),
            share(PROFILE_TOLERANCE)
        ),
        ProfileFinding::CountsDisagree { arm, command, inside, server } => format!(
            "{arm}: the library counted {} {command} per claim, the server {}: the library calls the server in a way \
             that is not instrumented.",
            per_claim(*inside),
            per_claim(*server)
        ),
        ProfileFinding::Raised { arm, function, raised } => format!(
            "{arm}: {} calls of {function} raised an error; their time is in no figure.",
            count(*raised)
        ),
    }
}

/// To a tenth of a per cent.
pub(super) fn rounded(share: f64) -> f64 {
    (1_000.0 * share).round() / 1_000.0
}

/// The tables of one arm.
fn tables(result: &RunResult, arm: &ProfiledArm) -> Vec<Block> {
    let of_library = library(result, arm);
    let table = |function: &ProfiledFunction| {
        let mut rows: Vec<Vec<String>> = function.parts.iter().map(row).collect();
        rows.push(vec![
            "all of it".into(),
            "-".into(),
            "-".into(),
            figure(function.us),
            "-".into(),
            share(1.0),
        ]);
        let intervals = function.parts.iter().filter_map(|part| part.interval.as_ref());
        let interval = format!("{} interval", confidence(intervals, CONFIDENCE));
        Block::Matrix {
            heading: format!(
                "{}{of_library}, µs per call, {} calls",
                function.function,
                count(function.calls)
            ),
            header: ["what", "calls", "each", "time", &interval, "share"].map(str::to_owned).into(),
            rows,
        }
    };
    arm.functions.iter().map(table).collect()
}

/// What Lua's own part holds beside Lua; `None` where no function was profiled.
pub(super) fn left_over(profile: &Profile) -> Option<String> {
    let functions = || profile.arms.iter().flat_map(|arm| &arm.functions);
    functions().next()?;
    let of_timers = format!("{LUA} is what is left over, with what the timers do not explain in it");
    let unexplained_us = functions().filter_map(|function| function.unexplained_us).reduce(f64::max);
    Some(unexplained_us.map_or_else(
        || format!("{of_timers}."),
        |us| {
            let us = time_us(us);
            format!("{of_timers}: {us} of a call at most, by which its interval is wider on either side.")
        },
    ))
}

/// Which library an arm runs, where there are several.
pub(super) fn library(result: &RunResult, arm: &ProfiledArm) -> String {
    let variants = &result.record.scenario.variants;
    let variant = variants.iter().find(|variant| variant.name == arm.arm);
    let of_arm = result.record.arm(&arm.arm);
    let sha256 =
        of_arm.and_then(|record| record.library.as_ref()).map(|library| short_sha256(&library.sha256));
    match (variant.and_then(|variant| variant.library.as_ref()), sha256) {
        (Some(library), Some(sha256)) => format!(" of {library} ({sha256})"),
        (Some(library), None) => format!(" of {library}"),
        (None, _) => String::new(),
    }
}

fn row(part: &ProfiledPart) -> Vec<String> {
    vec![
        name(&part.part).to_owned(),
        part.calls.map_or_else(|| "-".into(), per_claim),
        maybe(part.each_us),
        figure(part.us),
        part.interval.as_ref().map_or_else(|| "-".into(), interval_of),
        share(rounded(part.share)),
    ]
}

/// A part's name.
pub(super) fn name(part: &ProfilePart) -> &str {
    match part {
        ProfilePart::Command { command } => command,
        ProfilePart::Lua => LUA,
    }
}

/// Both libraries side by side.
pub(super) fn changes(profile: &Profile) -> Vec<Block> {
    let mut tables: Vec<Block> = Vec::new();
    let mut rest = profile.changes.as_slice();
    while let Some(first) = rest.first() {
        let same = |change: &ProfileChange| {
            (&change.function, &change.base, &change.candidate)
                == (&first.function, &first.base, &first.candidate)
        };
        let (these, others) = rest.split_at(rest.iter().take_while(|change| same(change)).count());
        let marked = these.iter().filter(|change| change.change != PartChange::Same);
        let said: Vec<String> = marked.map(said).collect();
        let nothing =
            format!("{}: no part became dearer or cheaper as far as this run can show.", first.function);
        let line =
            if said.is_empty() { nothing } else { format!("{}: {}.", first.function, said.join("; ")) };
        tables.push(Block::Line(line));
        tables.push(Block::Table {
            heading: format!("{}, {} against {} (µs per call)", first.function, first.candidate, first.base),
            header: vec![
                "what",
                "base calls",
                "candidate calls",
                "base time",
                "candidate time",
                "difference",
                "so",
            ],
            rows: these.iter().map(change_row).collect(),
            words: vec![6],
        });
        rest = others;
    }
    tables
}

/// A marked part in words.
pub(super) fn said(change: &ProfileChange) -> String {
    let what = name(&change.part);
    let calls = |calls: Option<f64>| per_claim(calls.unwrap_or(0.0));
    let us = change.candidate_us - change.base_us;
    match change.change {
        PartChange::MoreCalls | PartChange::FewerCalls => format!(
            "{what}: {} instead of {} calls ({}{})",
            calls(change.candidate_calls),
            calls(change.base_calls),
            if us < 0.0 { "-" } else { "+" },
            time_us(us.abs())
        ),
        PartChange::Dearer => format!("{what} became {} dearer", time_us(us)),
        PartChange::Cheaper => format!("{what} became {} cheaper", time_us(-us)),
        PartChange::Same => format!("{what} is the same"),
    }
}

fn change_row(change: &ProfileChange) -> Vec<String> {
    let calls = |calls: Option<f64>| calls.map_or_else(|| "-".into(), per_claim);
    vec![
        name(&change.part).to_owned(),
        calls(change.base_calls),
        calls(change.candidate_calls),
        figure(change.base_us),
        figure(change.candidate_us),
        change.difference.as_ref().map_or_else(|| "-".into(), signed_within),
        match change.change {
            PartChange::MoreCalls => "▲ more calls",
            PartChange::FewerCalls => "▼ fewer calls",
            PartChange::Dearer => "▲ dearer",
            PartChange::Cheaper => "▼ cheaper",
            PartChange::Same => "",
        }
        .to_owned(),
    ]
}

/// Why the parts can be believed: they come to what the server says.
pub(super) fn adding_up(profile: &Profile) -> Block {
    let items = profile.arms.iter().flat_map(|arm| {
        let timers: f64 = arm.functions.iter().map(|function| function.timers_us).sum();
        let added = arm
            .added_us
            .as_ref()
            .map_or_else(String::new, |added| format!("; it added {} to a call", signed_within(added)));
        [
            format!(
                "{}: calls, Lua, timers and {} around the function come to {}",
                arm.arm,
                time_us(arm.around_us),
                against(&arm.instrumented, "that the server counted for the instrumented function")
            ),
            format!(
                "{}: without its timers {}",
                arm.arm,
                against(&arm.without_timers, "of the plain library in the same run")
            ),
            format!(
                "{}: a timer takes {}, those of a call {}{added}",
                arm.arm,
                time_us(arm.timer_us),
                time_us(timers)
            ),
        ]
    });
    Block::List { heading: "Does it add up?".into(), items: items.collect() }
}

fn against(sum: &AddingUp, what: &str) -> String {
    format!(
        "{} of the {} {what}: {} apart",
        figure(sum.parts_us),
        time_us(sum.server_us),
        share(rounded(sum.short.abs()))
    )
}

#[cfg(test)]
mod tests {
    use crate::judge::profile_fixture::{Truth, profiled};
    use crate::judge::{RunResult, analyse};
    use crate::record::RunRecord;

    fn result(truths: &[Truth], change: impl FnOnce(&mut RunRecord)) -> RunResult {
        let mut record = profiled(truths);
        change(&mut record);
        analyse(record).unwrap()
    }

    #[test]
    fn a_profile_reads_well() {
        insta::assert_snapshot!("profile", crate::report::text(&result(&[Truth::default()], |_| ()), None));
        let mut candidate = Truth::default();
        candidate.commands.insert("HGET", (1, 3.0));
        candidate.commands.insert("ZREM", (1, 10.0));
        let duet = result(&[Truth::default(), candidate], |_| ());
        insta::assert_snapshot!("profile_duet", crate::report::markdown(&duet));
    }

    #[test]
    fn lua_is_said_to_be_what_is_left_over() {
        let mut earlier = result(&[Truth::default()], |_| ());
        let said = |result: &RunResult| super::left_over(result.profile.as_ref().unwrap());
        let now = said(&earlier).unwrap();
        assert!(now.contains("in it: 0.01 µs of a call") && now.contains("interval is wider"), "{now}");
        for function in earlier.profile.as_mut().unwrap().arms.iter_mut().flat_map(|arm| &mut arm.functions) {
            function.unexplained_us = None;
        }
        assert!(
            said(&earlier).unwrap().ends_with("do not explain in it."),
            "earlier versions did not widen it"
        );
        let nothing = result(&[Truth::default()], |record| {
            record.blocks.iter_mut().for_each(|block| block.inside = None);
        });
        assert_eq!(said(&nothing), None);
    }

    #[test]
    fn findings_stand_above_every_figure() {
        let doubtful = result(&[Truth::default()], |record| {
            for block in record.blocks.iter_mut().filter(|block| block.arm == 1) {
                block.counters.fcall_us += block.counters.fcall_us / 2;
                block.counters.calls.insert("exists".to_owned(), block.claims);
                block.inside.as_mut().unwrap().functions.values_mut().for_each(|sums| sums.left -= 1);
            }
        });
        let text = crate::report::markdown(&doubtful);
        let (above, _) = text.split_once("Lua itself").unwrap();
        for word in ["apart, 10 % are allowed", "0 exists per claim, the server 1", "raised an error"] {
            assert!(above.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn a_stored_profile_prints_the_same() {
        let first = result(&[Truth::default(), Truth::default()], |_| ());
        let stored: RunResult =
            serde_json::from_str(&crate::json::ToJsonFile::to_json_file(&first).unwrap()).unwrap();
        assert_eq!(crate::report::text(&stored, None), crate::report::text(&first, None));
    }
}
