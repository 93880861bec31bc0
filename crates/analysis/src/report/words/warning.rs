//! What is to be kept in mind about a run, in a sentence.

use super::super::format::{count, difference, figure, part_of, share, time_us};
use super::super::{faults, faults_met};
use super::others::{monitored, passed_by, ran_on, used_by, visited};
use super::{DEBUG_BUILD, thread_busy};
use crate::record::{MainThreadDoubt, SEND_LAG_SHARE, UntimedP99, Warning};
use crate::scenario::Metric;

/// What is said where a cluster may be shared and is.
const WITHHELD: &str = "Figures of the servers are withheld; times are those of a shared cluster.";

/// What is said where claims leave by the scheduler's leave.
const NO_REAL_TIME: &str = "the generator had no real-time priority, so that claims left when the scheduler got round to it: run \
                            it as root or with CAP_SYS_NICE.";

/// Cause and remedy of a warning, in one line.
pub(in super::super) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::DebugBuild => format!("the tool was {DEBUG_BUILD}."),
        Warning::SharedMachine { cores } => shared_machine(*cores),
        Warning::Errors { arm, errors, sent } => errors_of(arm, *errors, *sent),
        Warning::Unreplicated { arm, claims, of } => unreplicated(arm, *claims, *of),
        Warning::Untimed { arm, claims, of, p99 } => untimed(arm, [*claims, *of], p99),
        Warning::Stall { longest_s, share } => stall(*longest_s, *share),
        Warning::DoneEarly { part, share } => done_early(*part, *share),
        Warning::LateSends { p99_us, limit_us } => late_sends(*p99_us, *limit_us),
        Warning::GeneratorBusy { share } => generator_busy(*share),
        Warning::GeneratorCeiling { requests_per_sec, ceiling_per_sec } => {
            generator_ceiling(*requests_per_sec, *ceiling_per_sec)
        }
        Warning::BusyMachine { share } => busy_machine(*share),
        Warning::WiderBesideOthers { share: wider } => wider_beside_others(*wider),
        Warning::EffectChanged { candidate, metric, first, second } => {
            effect_changed(candidate, *metric, [*first, *second])
        }
        Warning::UnlikeBefore { arm, now_us, low_us, high_us, runs } => {
            unlike_before(arm, *now_us, [*low_us, *high_us], *runs)
        }
        Warning::CoresStolen { share } => cores_stolen(*share),
        Warning::Throttled { periods, seconds } => throttled(*periods, *seconds),
        Warning::ForeignCommands { primary, commands } => ran_on(primary, commands) + WITHHELD,
        Warning::ForeignClients { primary, clients } => used_by(primary, clients) + WITHHELD,
        Warning::PassingClients { primary, connections } => passed_by(primary, *connections) + WITHHELD,
        Warning::Visited { processes, commands } => visited(processes, *commands),
        Warning::Monitored { primary, clients } => monitored(primary, clients),
        Warning::Forked { primary, times } => forked(primary, *times),
        Warning::ConnectionsLost { primary, connections } => connections_lost(primary, *connections),
        Warning::Swapping { pages } => swapping(*pages),
        Warning::LostByServer { grants, executions } => faults_met::lost_by_server(*grants, *executions),
        Warning::FaultOutlastedLoad { kind, by_s, .. } => faults::outlasted_load(*kind, *by_s),
        Warning::LeftOver { keys } => left_over(*keys),
        Warning::NotSent { arm, claims } => not_sent(arm, *claims),
        Warning::EmptyStock { arm, claims } => empty_stock(arm, *claims),
        Warning::RulersUnanswered { round_trips } => rulers_unanswered(*round_trips),
        Warning::NoRealTime => NO_REAL_TIME.into(),
        Warning::OfGenerator { part, what } => format!("of generator {part}: {}", self::warning(what)),
        Warning::LevelShifted { arm, share } => level_shifted(arm, *share),
        Warning::Interrupted => "interrupted: this is what was measured until then.".into(),
        Warning::NoBaseline { name } => format!("no arm is named {name}: nothing is compared."),
        Warning::NotMeasured { metric, arm } => not_measured(metric, arm),
        Warning::OtherDefinition { metric } => other_definition(*metric),
        Warning::MainThreadTimes { why } => main_thread_times(*why).into(),
        Warning::BlocksWithoutRate { blocks, of } => blocks_without_rate(*blocks, *of),
        Warning::Note { text } => format!("{text}."),
    }
}

fn shared_machine(cores: u32) -> String {
    format!(
        "generator and servers share {cores} cores: differences between variants hold, absolute figures are those of a busy \
         machine. Use --nodes for a cluster elsewhere."
    )
}

fn busy_machine(busy: f64) -> String {
    format!(
        "other programs took {} of the machine during the window. Stop them for quieter figures.",
        share(busy)
    )
}

fn wider_beside_others(wider: f64) -> String {
    format!(
        "programs that run beside a comparison change the median's effect by up to {} of it, as trials showed: its interval is wider \
         by that on either side. That of a tail is not, and may be of no use.",
        share(wider)
    )
}

fn effect_changed(candidate: &str, metric: Metric, halves: [f64; 2]) -> String {
    let [first, second] = halves.map(difference);
    format!(
        "{} of {candidate} differed by {first} in the first half of the run and by {second} in the second: what was claimed again and \
         again, or the machine, was no longer the same. A shorter or longer run would say another figure.",
        metric.row().title
    )
}

fn unlike_before(arm: &str, now_us: f64, before_us: [f64; 2], runs: u64) -> String {
    let [low, high] = before_us.map(time_us);
    format!(
        "a median claim of {arm} took {}, and {low} to {high} in the {runs} runs before it here: the machine is in another state, which \
         changes what variants differ by as well. Repeat the run before its figures are held against theirs.",
        time_us(now_us)
    )
}

fn errors_of(arm: &str, errors: u64, sent: u64) -> String {
    format!(
        "{} of {} claims of {arm} failed; their times are kept apart. See its outcomes in result.json.",
        count(errors),
        count(sent)
    )
}

/// Which clocks have no time of these claims, and what each of their p99 would be: a storm's time to resume is
/// an execution's, which another claim may have ended.
fn untimed(arm: &str, [claims, of]: [u64; 2], p99: &[UntimedP99]) -> String {
    let clocks: Vec<&str> = p99.iter().map(|one| clock_of(one.metric)).collect();
    let each = p99.iter().map(|one| {
        let with = one.with_late_us.map_or_else(|| "longer than any that is known".to_owned(), time_us);
        format!("{} {with} instead of {}", super::metric_label(one.metric), time_us(one.known_us))
    });
    format!(
        "{} of {} claims of {arm} are in no quantile of {}, for their replies were lost, or servers refused them or sent them elsewhere. \
         Taken for later than all others they make {}.",
        count(claims),
        count(of),
        clocks.join(" or "),
        each.collect::<Vec<_>>().join(", ")
    )
}

/// The clock that a quantile is of: what stands before the quantile in a metric's title.
fn clock_of(metric: Metric) -> &'static str {
    if metric.is_of_resuming() {
        return "time to resume";
    }
    let title = metric.row().title;
    title.split_once(',').map_or(title, |(clock, _)| clock)
}

fn stall(longest_s: f64, part: f64) -> String {
    format!(
        "nothing was claimed for {} on end, and for {} of the window in all. A closed loop waits then: only as many claims as it has \
         workers show that time.",
        time_us(longest_s * 1e6),
        share(part)
    )
}

fn done_early(part: u32, left: f64) -> String {
    format!(
        "generator {part} was done with its claims when {} of the window was left: for that time the rate is one of a smaller load. \
         Give each generator as many claims in flight, on machines that are alike.",
        share(left)
    )
}

fn late_sends(p99_us: f64, limit_us: f64) -> String {
    format!(
        "claims were sent {} late at p99, {} the median response time is {}: response times hold some of the \
         generator's own. Set an [slo] to say how late is too late, or run `reclaim-bench calibrate` to know what is the \
         machine's.",
        time_us(p99_us),
        part_of(SEND_LAG_SHARE),
        time_us(limit_us)
    )
}

fn generator_busy(busy: f64) -> String {
    format!(
        "{}: it may be the limit, not the cluster. Lower the rate or the concurrency.",
        thread_busy("the generator's", &share(busy))
    )
}

fn generator_ceiling(requests_per_sec: f64, ceiling_per_sec: f64) -> String {
    format!(
        "the run sent {} requests per second; with a function that does nothing the generator reached {} with as many in \
         flight. It may be the limit, not the cluster: lower the rate or the concurrency.",
        figure(requests_per_sec),
        figure(ceiling_per_sec)
    )
}

fn cores_stolen(stolen: f64) -> String {
    format!(
        "the host of this virtual machine took {} of its cores away during the window: tails and rates are the host's as \
         well. Measure when it is less busy, or elsewhere.",
        share(stolen)
    )
}

fn throttled(periods: u64, seconds: f64) -> String {
    format!(
        "a control group's CPU quota was used up in {} periods of the window and held threads back for {} in all: times are \
         the quota's. Raise it, or measure where there is none.",
        count(periods),
        time_us(1e6 * seconds)
    )
}

fn forked(primary: &str, times: u64) -> String {
    format!(
        "{primary} forked {} times in the window, to save or to rewrite its log, which slows it down. Switch off save and \
         appendonly for figures of the claim path alone.",
        count(times)
    )
}

fn connections_lost(primary: &str, connections: u64) -> String {
    let broke = if connections == 1 {
        "1 connection".to_owned()
    } else {
        format!("{} connections", count(connections))
    };
    format!(
        "{broke} to {primary} broke while claims were made. What was under way on them has no reply; it was opened anew where it could \
         be. Look for time limits of the server and of what lies in between, and for its limit of clients."
    )
}

fn swapping(pages: u64) -> String {
    format!(
        "the machine moved {} pages of memory to or from disk in the window: times are the disk's as well. Leave it more \
         memory.",
        count(pages)
    )
}

fn left_over(keys: u64) -> String {
    format!("{}. Run `reclaim-bench clean` on the cluster.", super::left_over(keys))
}

fn level_shifted(arm: &str, at: f64) -> String {
    format!(
        "latency of {arm} shifted {} of the way through; percentiles mix both levels. Use a longer load.warmup or a quieter \
         machine.",
        share(at)
    )
}

fn not_measured(metric: &str, arm: &str) -> String {
    // A name that this version does not know stays as it is.
    let known = metric.parse().map(|name| super::counted_label(&name));
    let metric = known.unwrap_or_else(|_| metric.to_owned());
    format!("{metric} was to be judged, but this run has no values of it for {arm}.")
}

fn other_definition(metric: Metric) -> String {
    let label = super::metric_label(metric);
    let what = match metric {
        Metric::ServerCpu => "that of the control's cluster was in the baseline's",
        _ => {
            "in an open loop's blocks it was the rate of the schedule, in a server duet that of the control's cluster was in the baseline's"
        }
    };
    format!(
        "{label} was something else in the version that made this result ({what}), and is left out. Measure again to have it."
    )
}

fn main_thread_times(why: MainThreadDoubt) -> &'static str {
    match why {
        MainThreadDoubt::Polling => {
            "with io-threads a server's main thread polls while it waits, and before 9.1 a server says its CPU time alone, in which \
             that counts as work: server CPU per claim is left out, and shares of time for which main threads ran are too high. \
             Measure Valkey 9.1 or later, or without io-threads."
        }
        MainThreadDoubt::UnlikeClocks => {
            "the servers' main threads were timed by two clocks, with io-threads by the time in which they did not wait and without by \
             CPU time, which cannot be held against each other: server CPU per claim is left out. Give all servers io-threads, or \
             none."
        }
    }
}

fn blocks_without_rate(blocks: u64, of: u64) -> String {
    format!(
        "{} of {} blocks are in no rate (claims per second): unlike the others they have no part in which all claims were in flight, \
         with one generator at least. Make blocks longer (load.claims), or have fewer claims in flight.",
        count(blocks),
        count(of)
    )
}

fn not_sent(arm: &str, claims: u64) -> String {
    format!("{} planned claims of {arm} were not sent before the end.", count(claims))
}

fn empty_stock(arm: &str, claims: u64) -> String {
    format!("{} claims of {arm} found no grant in stock.", count(claims))
}

fn rulers_unanswered(round_trips: u64) -> String {
    format!(
        "{} bare round trips had no answer: figures in round trips are of the others.",
        count(round_trips)
    )
}

fn unreplicated(arm: &str, claims: u64, of: u64) -> String {
    format!(
        "{} of {} claims of {arm} were acknowledged by too few replicas when wait_timeout was over: a failover then could have \
         lost them. Their times are among the others.",
        count(claims),
        count(of)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_without_a_time_are_said_with_the_p99_that_they_would_make() {
        let p99 = |metric, with_late_us| UntimedP99 { metric, known_us: 900.0, with_late_us };
        let said = |p99| warning(&Warning::Untimed { arm: "a".into(), claims: 30, of: 6_030, p99 });
        let both = said(vec![p99(Metric::ServiceP99, Some(950.0)), p99(Metric::ResponseP99, None)]);
        let clocks = "30 of 6,030 claims of a are in no quantile of service time or response time, for ";
        assert!(both.starts_with(clocks), "{both}");
        let each = "they make service p99 950.0 µs instead of 900.0 µs, response p99 longer than any that is known instead of 900.0 µs.";
        assert!(both.ends_with(each), "{both}");
        // A storm's executions have their time to resume all the same.
        let storm = said(vec![p99(Metric::ServiceP99, Some(950.0))]);
        assert!(storm.contains("in no quantile of service time, for "), "{storm}");
        let churn = said(vec![p99(Metric::ServiceP99, None), p99(Metric::ResumeP99, None)]);
        assert!(churn.contains("in no quantile of service time or time to resume, for "), "{churn}");
    }

    #[test]
    fn what_broke_and_what_polled_is_said_with_what_follows() {
        let lost = |connections| warning(&Warning::ConnectionsLost { primary: "a:1".into(), connections });
        assert!(lost(1).starts_with("1 connection to a:1 broke while"), "{}", lost(1));
        assert!(lost(1_200).starts_with("1,200 connections to a:1"), "{}", lost(1_200));
        for why in [MainThreadDoubt::Polling, MainThreadDoubt::UnlikeClocks] {
            let said = warning(&Warning::MainThreadTimes { why });
            assert!(said.contains("server CPU per claim is left out") && said.ends_with('.'), "{said}");
        }
    }

    #[test]
    fn a_metric_that_was_something_else_says_what() {
        let said = |metric| warning(&Warning::OtherDefinition { metric });
        assert!(
            said(Metric::Throughput).contains("the rate of the schedule"),
            "{}",
            said(Metric::Throughput)
        );
        assert!(
            said(Metric::ServerCpu).starts_with("server CPU was something else"),
            "{}",
            said(Metric::ServerCpu)
        );
    }
}
