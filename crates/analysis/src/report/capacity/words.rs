//! Limits, reasons and verdicts of probes in words.

use crate::judge::capacity::{Limit, Probe, ProbeLoad, ProbePurpose, ProbeVerdict, Reason};
use crate::report::format::{count, figure, per_claim, rough, time_us};
use crate::report::words;

fn waiting(share: Option<f64>) -> String {
    let said =
        |share| format!("; for each second that they ran they waited {} for a core", time_us(1e6 * share));
    share.map(said).unwrap_or_default()
}

/// What limits, and the evidence.
pub(super) fn limit(limit: &Limit) -> String {
    match limit {
        Limit::Server { primary, busy } => {
            format!("the server: the main thread of {primary} was busy for {} of the window", rough(*busy))
        }
        Limit::ServersOnSharedCores { servers, generator, waited, cores } => format!(
            "the servers' CPU: they used {servers:.1} of the {cores} cores that they share with the generator, which \
             used {generator:.1}{}",
            waiting(*waited)
        ),
        Limit::ServersOnTheirCores { servers, waited, cores } => {
            let of = if *cores == 1 { "one core".to_owned() } else { format!("{cores} cores") };
            format!(
                "the servers' CPU: they used {servers:.2} of the {of} that they were bound to{}",
                waiting(*waited)
            )
        }
        Limit::Quota { held_back } => format!(
            "the CPU quota of a control group, which held threads back for {} in each second",
            time_us(1e6 * held_back)
        ),
        Limit::OtherPrograms { others, cores } => {
            format!("other programs on this machine, which used {others:.1} of its {cores} cores")
        }
        Limit::Host { stolen, cores } => {
            format!("the host of this virtual machine, which took {stolen:.1} of its {cores} cores away")
        }
        Limit::Generator { busy, part } => {
            let which = part.map_or("the load generator".into(), |part| format!("load generator {part}"));
            match busy {
                Some(busy) => format!("{which}, {}", words::thread_busy("whose", &rough(*busy))),
                None => which,
            }
        }
        Limit::ServiceLevel => {
            "the service level itself: it was missed although no main thread and no core was short of time"
                .into()
        }
        Limit::PollingServers => {
            "a server or the service level itself, which of them cannot be told: nothing else was short of time, and a main \
             thread with io-threads before Valkey 9.1 polls while it waits and always looks busy"
                .into()
        }
    }
}

/// What to do where the limit is not the cluster's.
pub(super) fn remedy(limit: Option<&Limit>) -> &'static str {
    match limit {
        Some(limit) if limit.is_busy_generator() => {
            "give more generators (--generators N, or --part K/N on several machines)"
        }
        _ => "give the generator a quiet machine of its own",
    }
}

/// A service level, or what is held against one.
pub(super) fn level(us: f64) -> String {
    if us >= 1_000.0 { format!("{} ms", per_claim((us / 10.0).round() / 100.0)) } else { time_us(us) }
}

/// Milliseconds.
pub(super) fn ms(us: f64) -> String {
    figure(us / 1_000.0)
}

pub(super) fn purpose_word(purpose: ProbePurpose) -> &'static str {
    match purpose {
        ProbePurpose::Required => "required",
        ProbePurpose::Bracket => "bracket",
        ProbePurpose::Bisect => "bisect",
        ProbePurpose::Boundary => "boundary",
        ProbePurpose::Again => "again",
        ProbePurpose::Curve => "curve",
        ProbePurpose::Refine => "refine",
    }
}

pub(super) fn verdict(verdict: ProbeVerdict) -> &'static str {
    match verdict {
        ProbeVerdict::Passed => "passed",
        ProbeVerdict::Failed => "failed",
        ProbeVerdict::Generator => "generator",
        ProbeVerdict::Disturbed => "disturbed",
        ProbeVerdict::Invalid => "INVALID",
    }
}

pub(super) fn offer(probe: &Probe) -> String {
    match probe.offer {
        ProbeLoad::Open { rate_per_s } => format!("{}/s", figure(rate_per_s)),
        ProbeLoad::Closed { concurrency } => format!("{concurrency} in flight"),
    }
}

pub(super) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::ResponseP99 { upper_us, limit_us } => {
            format!("response p99 up to {}, {} are allowed", level(*upper_us), level(*limit_us))
        }
        Reason::Rate { offered_per_s, achieved_per_s } => {
            format!("{} of {} claims per second achieved", figure(*achieved_per_s), figure(*offered_per_s))
        }
        Reason::Errors { errors, claims } => {
            format!("{} of {} claims failed", count(*errors), count(*claims))
        }
        Reason::Backlog { drain_us, .. } => {
            format!("the queue grew: the last claims were done {} after they were due", time_us(*drain_us))
        }
        Reason::SendLag { p99_us, limit_us } => {
            format!("sent late by {} at p99, {} are allowed", time_us(*p99_us), time_us(*limit_us))
        }
        Reason::GeneratorBusy { share } => words::thread_busy("the generator's", &rough(*share)),
        Reason::BeganLate { part, late_us, limit_us } => format!(
            "generator {part} began {} after the first one, {} are allowed",
            time_us(*late_us as f64),
            time_us(*limit_us as f64)
        ),
        Reason::Invalid { why } => words::invalid_reason(why).trim_end_matches('.').to_owned(),
        Reason::TooFew { too_few } => format!("p99 cannot be judged: {too_few}"),
    }
}
