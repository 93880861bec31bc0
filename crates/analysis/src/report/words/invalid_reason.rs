//! Why a run is invalid, in a sentence.

use super::super::format::{count, figure, share, time_us};
use super::super::{faults, redirects};
use super::others::{passed_by, ran_on, used_by};
use crate::record::{InvalidReason, Violation};

/// What to do where others use the servers.
const KEEP_AWAY: &str = "Its counters and times are not the claims' alone: keep other clients and monitors away, or give \
                         --shared, which withholds the servers' figures.";

/// Cause and remedy of what makes a run invalid, in one line.
pub(in super::super) fn invalid_reason(reason: &InvalidReason) -> String {
    match reason {
        InvalidReason::RedirectsDisagree { primary, redirect, met, counted } => {
            redirects::disagree(primary, *redirect, (*met, *counted))
        }
        InvalidReason::CountersDisagree { primary, command, sent, counted } => {
            counters_disagree(primary, command, *sent, *counted)
        }
        InvalidReason::UnexpectedCommands { arm, command, expected, measured } => {
            unexpected_commands(arm, command, *expected, *measured)
        }
        InvalidReason::ServerChanged { primary, detail } => server_changed(primary, detail),
        InvalidReason::ForeignCommands { primary, commands } => ran_on(primary, commands) + KEEP_AWAY,
        InvalidReason::ForeignClients { primary, clients } => used_by(primary, clients) + KEEP_AWAY,
        InvalidReason::PassingClients { primary, connections } => {
            passed_by(primary, *connections) + KEEP_AWAY
        }
        InvalidReason::ConditionChanged { primary, condition, before, after } => {
            condition_changed(primary, condition, before, after)
        }
        InvalidReason::OtherServer { cluster, primary, after, what, asked, found } => {
            other_server(cluster, primary.as_deref(), *after, [what, asked, found].map(String::as_str))
        }
        InvalidReason::Evicted { primary, keys } => evicted(primary, *keys),
        InvalidReason::OutOfMemory { primary, commands } => out_of_memory(primary, *commands),
        InvalidReason::NotInjected { kind, target, failure, .. } => {
            format!("{}.", faults::failure(*kind, *target, failure))
        }
        InvalidReason::StockRanOut { claims } => stock_ran_out(*claims),
        InvalidReason::NeverResumed { executions, of } => never_resumed(*executions, *of),
        InvalidReason::NothingClaimed { arm, planned } => nothing_claimed(arm, *planned),
        InvalidReason::TooManyFailed { arm, failed, sent, limit } => {
            too_many_failed(arm, *failed, *sent, *limit)
        }
        InvalidReason::ExpiredGrantsClaimed { arm, claimed, late } => {
            expired_grants_claimed(arm, *claimed, *late)
        }
        InvalidReason::Stalled { longest_s, share } => stalled(*longest_s, *share),
        InvalidReason::SharedQueue { in_flight, limit } => shared_queue(*in_flight, *limit),
        InvalidReason::SendLag { p99_us, limit_us } => send_lag(*p99_us, *limit_us),
        InvalidReason::AuditViolation { violation: kind, count: n } => {
            audited(&format!("{} {}", count(*n), violation(*kind)))
        }
        InvalidReason::Audit { detail } => audited(detail),
        InvalidReason::DamagedHistogram { histogram, detail } => damaged(histogram, detail),
        InvalidReason::PartOfARun { part, of } => part_of_a_run(*part, *of),
        InvalidReason::BeganLate { part, window, late_us, limit_us } => {
            began_late((*part, *window), *late_us as f64, *limit_us as f64)
        }
        InvalidReason::LateBeginnings { part, share, limit } => late_beginnings(*part, *share, *limit),
        InvalidReason::DoneEarly { part, share, limit } => done_early(*part, *share, *limit),
        InvalidReason::OfGenerator { part, what } => of_generator(*part, what),
        InvalidReason::Infrastructure { detail } => format!("{detail}. Mend this and run again."),
    }
}

fn of_generator(part: u32, what: &InvalidReason) -> String {
    match what {
        InvalidReason::Stalled { longest_s, share } => generator_stalled(part, *longest_s, *share),
        other => format!("of generator {part}: {}", invalid_reason(other)),
    }
}

fn counters_disagree(primary: &str, command: &str, sent: u64, counted: u64) -> String {
    format!(
        "{primary} counted {} {command} where {} were sent. Someone else uses the cluster, or claims were sent twice: keep \
         other clients away and run again.",
        count(counted),
        count(sent)
    )
}

fn unexpected_commands(arm: &str, command: &str, expected: f64, measured: f64) -> String {
    format!(
        "{arm} sent {} {command} per claim, its definition says {}. This is a mistake in the tool: please report it with \
         this result.",
        figure(measured),
        figure(expected)
    )
}

fn server_changed(primary: &str, detail: &str) -> String {
    format!(
        "{primary} changed during the window: {detail}. Make sure that servers stay up and that nobody resets their \
         counters, and run again."
    )
}

fn condition_changed(primary: &str, condition: &str, before: &str, after: &str) -> String {
    format!(
        "{condition} on {primary} was {before} at the start and {after} at the end of a window. The figures belong to \
         neither: keep the cluster as it is and run again."
    )
}

fn other_server(cluster: &str, of: Option<&str>, after: bool, [what, asked, found]: [&str; 3]) -> String {
    let of = of.map(|primary| format!(" of {primary}")).unwrap_or_default();
    let when = if after { "at the end" } else { "at the start" };
    format!(
        "the cluster of {cluster} is not what was asked for: {what}{of} was {found} {when} and should be {asked}. Give the \
         path of the server itself, settings that it can have, and leave it alone while it is measured."
    )
}

fn evicted(primary: &str, keys: u64) -> String {
    format!(
        "{primary} evicted {} keys, for it reached its maxmemory: executions are lost. Raise maxmemory, or lower \
         population.executions or payload_bytes.",
        count(keys)
    )
}

fn out_of_memory(primary: &str, commands: u64) -> String {
    format!(
        "{primary} refused {} commands, for it was out of memory. Raise maxmemory, or lower population.executions or \
         payload_bytes.",
        count(commands)
    )
}

fn stock_ran_out(claims: u64) -> String {
    format!(
        "{} claims were due when no grant was in stock. Raise population.executions, or lower the rate.",
        count(claims)
    )
}

fn never_resumed(executions: u64, of: u64) -> String {
    format!(
        "{} of {} executions never got their lease back. See how claims ended; a longer load.timeout or fewer workers \
         (load.concurrency) leave each claim more time.",
        count(executions),
        count(of)
    )
}

fn nothing_claimed(arm: &str, planned: u64) -> String {
    if planned == 0 {
        return format!(
            "no claim of {arm} was due in the window. Give the load a higher rate or a longer load.duration."
        );
    }
    format!(
        "none of the {} claims of {arm} succeeded: there is nothing to measure. See how claims ended.",
        count(planned)
    )
}

fn expired_grants_claimed(arm: &str, claimed: u64, late: u64) -> String {
    format!(
        "{} of {} claims of {arm} that came after their grants had run out got their leases. The function library must \
         refuse them.",
        count(claimed),
        count(late)
    )
}

fn too_many_failed(arm: &str, failed: u64, sent: u64, limit: f64) -> String {
    format!(
        "{} of {} claims of {arm} failed, {} may (gate.failed): the times of the others say nothing. See how claims ended.",
        count(failed),
        count(sent),
        share(limit)
    )
}

fn stalled(longest_s: f64, part: f64) -> String {
    format!(
        "nothing was claimed for {} on end, and for {} of the window in all: claims that should have been made then are in no quantile. \
         Find out what stopped the servers, or use an open loop (load.rate), which counts them.",
        time_us(longest_s * 1e6),
        share(part)
    )
}

fn generator_stalled(part: u32, longest_s: f64, of_window: f64) -> String {
    format!(
        "generator {part} claimed nothing for {} on end, and for {} of its window in all, while others went on: claims that \
         it should have made then are in no figure. Find out what stopped its machine, or use an open loop (load.rate), \
         which counts them.",
        time_us(longest_s * 1e6),
        share(of_window)
    )
}

fn done_early(part: u32, left: f64, limit: f64) -> String {
    format!(
        "generator {part} was done with its claims when {} of the window was left, {} are allowed: from then on a part of the \
         load was missing. Find out what held the others back, give each as many claims in flight (load.concurrency a \
         multiple of the generators), or use an open loop (load.rate).",
        share(left),
        share(limit)
    )
}

fn send_lag(p99_us: f64, limit_us: f64) -> String {
    format!(
        "the generator sent late: {} at p99, {} are allowed. Lower the rate, or give it a core of its own.",
        time_us(p99_us),
        time_us(limit_us)
    )
}

fn damaged(histogram: &str, detail: &str) -> String {
    format!(
        "the histogram {histogram} is damaged ({detail}). Make the result again or take the original file."
    )
}

fn part_of_a_run(part: u32, of: u32) -> String {
    format!(
        "this is part {part} of {of} of one run, and the others have the rest of its claims. Put all of them together with \
         `reclaim-bench merge`."
    )
}

fn late_beginnings(part: u32, missed: f64, limit: f64) -> String {
    format!(
        "generator {part} began its windows late: {} of their time was over, {} are allowed, and meanwhile a part of the load was \
         missing. Keep its machine free, or have fewer and longer blocks (a smaller compare.strata).",
        share(missed),
        share(limit)
    )
}

fn began_late((part, window): (u32, u32), late_us: f64, limit_us: f64) -> String {
    format!(
        "generator {part} began window {window} {} after the first one, {} are allowed: until then a part of the load was \
         missing. Keep its machine free, and run again.",
        time_us(late_us),
        time_us(limit_us)
    )
}

fn shared_queue(in_flight: f64, limit: f64) -> String {
    format!(
        "claims of all arms waited in one queue: {} in flight on average, and arms that take turns claim by claim \
         need at most {}. Use compare.mixing = \"blocks\", or a lower rate.",
        figure(in_flight),
        figure(limit)
    )
}

fn audited(found: &str) -> String {
    format!(
        "the audit found: {found}. Claims are lost or made twice; keep this result and look at audit.examples."
    )
}

fn violation(violation: Violation) -> &'static str {
    match violation {
        Violation::GrantsUnaccounted => "grants are unaccounted for",
        Violation::GrantsConsumedTwice => "grants were consumed more than once",
        Violation::AttemptLost => "executions lost the attempt of their first claim",
        Violation::WrongLeaseEpoch => "executions have a lease epoch other than their number of claims",
        Violation::WrongState => "executions are in a state that the run did not leave them in",
        Violation::WritesMissing => {
            "executions lack what the claim promises to write (lease record, attempt, indexes, history)"
        }
        Violation::SumOfGrants => "grants are missing from the audit's own sum",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_whose_part_of_the_load_was_missing_is_named_and_the_servers_are_not_blamed() {
        let stalled = InvalidReason::Stalled { longest_s: 3.0, share: 0.23 };
        let alone = invalid_reason(&InvalidReason::OfGenerator { part: 2, what: Box::new(stalled) });
        let said = "generator 2 claimed nothing for 3.00 s on end, and for 23 % of its window in all";
        assert!(alone.starts_with(said) && !alone.contains("servers"), "{alone}");
        let early = invalid_reason(&InvalidReason::DoneEarly { part: 1, share: 0.23, limit: 0.2 });
        let said = "generator 1 was done with its claims when 23 % of the window was left, 20 % are allowed";
        assert!(early.starts_with(said), "{early}");
    }
}
