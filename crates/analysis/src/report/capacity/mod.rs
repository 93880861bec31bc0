//! What a capacity search has found: the rate, what limits it, the probes behind it, and primaries for more.

mod closed_loop;
mod knee;
mod probe_csv;
mod remarks;
mod words;

use self::words::{level, limit, ms, offer, purpose_word, reason, verdict};
use super::document::Block;
use super::format::{count, figure, maybe, rough, share, time_us};
use super::run_report::surroundings;
use crate::judge::capacity::{
    Capacity, ChangedLevel, Goes, Limit, NextStep, ProbeLoad, ProbePurpose, Reason, SearchOutcome, Stopped,
};
use crate::record::Tool;

pub(super) use knee::knee;
pub(super) use probe_csv::{csv, last};

/// The whole report.
pub(super) fn blocks(capacity: &Capacity) -> Vec<Block> {
    let scenario = &capacity.plan.scenario;
    let mut blocks = Vec::new();
    if let Some(alarm) = alarm(capacity) {
        blocks.push(Block::Alarm(alarm));
    }
    blocks.push(Block::Title(format!("{}: {}", scenario.name, scenario.summary)));
    blocks.push(Block::Line(answer(capacity)));
    blocks.extend(limit_line(capacity));
    blocks.extend(required(capacity));
    blocks.extend(probes(capacity));
    blocks.extend(again(capacity));
    blocks.extend(failures(capacity));
    blocks.extend(balance(capacity));
    blocks.extend(sizing(capacity));
    blocks.extend(closed_loop::blocks(capacity));
    blocks.extend(origin(capacity));
    blocks.extend(remarks::block(capacity));
    blocks
}

/// Where the probes were made, when, and by what.
fn origin(capacity: &Capacity) -> Option<Block> {
    let (environment, tool) = (capacity.environment.as_ref()?, capacity.tool.as_ref()?);
    let mut items = surroundings(environment);
    items.extend(capacity.calibration.as_ref().map(super::calibration::note));
    if let Some(generators) = capacity.generators {
        items.push(format!("generators: {generators}, which made each probe together"));
    }
    let lasted_s: f64 = capacity.probes.iter().map(|probe| probe.duration_s).sum();
    items.push(format!(
        "search: {} probes in {lasted_s:.0} s, seed {}, reclaim-bench {}",
        capacity.probes.len(),
        capacity.plan.seed,
        builds(tool, &capacity.tools)
    ));
    items.extend(capacity.goes.as_ref().map(in_goes));
    Some(Block::List { heading: "Where this was measured".into(), items })
}

/// The tool, or all of them where several made the probes.
fn builds(first: &Tool, all: &[Tool]) -> String {
    let named = |tool: &Tool| format!("{} ({})", tool.version, tool.commit);
    if all.is_empty() {
        return named(first);
    }
    let all: Vec<String> = all.iter().map(named).collect();
    format!("{}: some probes by one, some by another", all.join(", "))
}

/// What a search that somebody went on with on another day cannot know.
fn in_goes(goes: &Goes) -> String {
    let last_day = goes.last_began.get(..10).unwrap_or(&goes.last_began);
    format!(
        "the search was made in {} goes, the last one on {last_day}: what the machine did otherwise in one of them is in no \
         interval",
        goes.count
    )
}

fn alarm(capacity: &Capacity) -> Option<String> {
    match (capacity.conclusion, capacity.plan.stopped) {
        (SearchOutcome::Invalid, _) => Some("INVALID: a probe could not be made, twice in a row.".into()),
        (_, Some(Stopped::Interrupted)) => {
            Some("INTERRUPTED: what follows was measured before the search was stopped.".into())
        }
        (SearchOutcome::NotConverged, Some(Stopped::OutOfTime)) => {
            Some("NOT CONVERGED: the time given with --within was used up first.".into())
        }
        _ => None,
    }
}

/// The answer in one or two sentences.
pub(super) fn answer(capacity: &Capacity) -> String {
    let level = level(capacity.plan.policy.slo_us);
    let (low, high) = (capacity.sustained_per_s, capacity.failed_per_s);
    match (capacity.conclusion, low, high) {
        (SearchOutcome::Found, Some(low), Some(high)) => found(capacity, low, high, &level),
        (SearchOutcome::LowerBound, Some(low), Some(high)) => format!(
            "At least {} claims per second are sustained with a response time within {level} at p99. That {} are not \
             does not show what the cluster can do: {}.",
            figure(low),
            figure(high),
            words::remedy(capacity.limit.as_ref())
        ),
        (SearchOutcome::Unlimited, Some(low), _) => {
            format!("{} claims per second, the most that can be offered, are sustained.", figure(low))
        }
        (SearchOutcome::NothingSustained, _, Some(high)) => format!(
            "Not even {} claims per second keep the response time within {level} at p99. Choose a lower --rate-from, or \
             a service level above one claim's own time.",
            figure(high)
        ),
        (_, Some(low), Some(high)) => format!(
            "Not known yet: between {} claims per second, which passed, and {}, which did not (response time within \
             {level} at p99).",
            figure(low),
            figure(high)
        ),
        (_, Some(low), None) => {
            format!("Not known yet: {} claims per second passed, the highest rate tried so far.", figure(low))
        }
        (_, None, Some(high)) => {
            format!(
                "Not known yet: {} claims per second did not pass, the lowest rate tried so far.",
                figure(high)
            )
        }
        (_, None, None) if capacity.probes.is_empty() => "Not known: no probe was made.".into(),
        (_, None, None) => "Not known: no probe so far says anything about the cluster.".into(),
    }
}

/// The rate with its interval; where there is none, the bracket and why.
fn found(capacity: &Capacity, low: f64, high: f64, level: &str) -> String {
    let (low, high) = (figure(low), figure(high));
    if let Some(boundary) = capacity.boundary {
        let rate = boundary.rate_per_s;
        return format!(
            "About {} claims per second ({} interval {} to {}) keep the response time within {level} at p99: there the \
             line through {} probes near the boundary meets the level. Best of three, {low} passed and {high} did not.",
            figure(rate.estimate),
            share(rate.confidence),
            figure(rate.low),
            figure(rate.high),
            boundary.probes,
        );
    }
    let why = capacity.no_boundary.as_ref().map(|reason| format!(" No interval: {reason}."));
    format!(
        "{low} claims per second are sustained with a response time within {level} at p99; {high} are not.{}",
        why.unwrap_or_default()
    )
}

pub(super) fn limit_line(capacity: &Capacity) -> Option<Block> {
    let text = limit(capacity.limit.as_ref()?);
    Some(Block::Line(format!("Limited by {text}.")))
}

fn required(capacity: &Capacity) -> Option<Block> {
    let required = capacity.required?;
    let rate = figure(required.rate_per_s);
    Some(Block::Line(match required.sustained {
        Some(true) => format!("The required {rate} claims per second are sustained."),
        Some(false) => format!("The required {rate} claims per second are NOT sustained."),
        None if matches!(capacity.next, NextStep::Probe { purpose: ProbePurpose::Required, .. }) => format!(
            "Whether the required {rate} claims per second are sustained is not known yet: the search was stopped before \
             two probes of that rate agreed."
        ),
        None => format!(
            "Whether the required {rate} claims per second are sustained could not be found out: they are too near to the \
             limit, or what limits is not the cluster."
        ),
    }))
}

/// The latency-versus-throughput curve: every open-loop probe, by rate.
pub(super) fn probes(capacity: &Capacity) -> Option<Block> {
    let mut rows: Vec<(f64, Vec<String>)> = capacity
        .probes
        .iter()
        .zip(&capacity.purposes)
        .filter_map(|(probe, purpose)| {
            let ProbeLoad::Open { rate_per_s } = probe.offer else { return None };
            let row = vec![
                figure(rate_per_s),
                figure(probe.achieved_per_s),
                probe.response_p50_us.map_or_else(|| "-".into(), ms),
                probe.response_p99_us.map_or_else(|| "-".into(), |p99| ms(p99.estimate)),
                probe.response_p99_us.map_or_else(|| "-".into(), |p99| ms(p99.high)),
                probe.send_lag_p99_us.map_or_else(|| "-".into(), ms),
                probe.busiest_primary().map_or_else(|| "-".into(), rough),
                probe.resources.generator_share().map_or_else(|| "-".into(), rough),
                maybe(probe.cpu_us_per_claim),
                purpose.map_or("-", purpose_word).to_owned(),
                verdict(probe.verdict).to_owned(),
            ];
            Some((rate_per_s, row))
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    (!rows.is_empty()).then(|| Block::Table {
        heading: "Probes by rate (claims/s; ms from when a claim was due; p99 of sending late in ms; CPU in µs/claim)"
            .into(),
        header: vec![
            "offered",
            "achieved",
            "p50",
            "p99",
            "p99 upper bound",
            "sent late",
            "busiest primary",
            "generator",
            "CPU",
            "purpose",
            "verdict",
        ],
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        words: vec![9, 10],
    })
}

fn again(capacity: &Capacity) -> Option<Block> {
    if !capacity.walked_again && capacity.differences.is_empty() {
        return None;
    }
    let (marginal, others): (Vec<_>, Vec<_>) = capacity.differences.iter().partition(|d| d.marginal);
    let each = |differences: &[&ChangedLevel]| {
        let words = differences.iter().map(|difference| {
            let word = |passed: bool| if passed { "passed" } else { "failed" };
            format!(
                "{} {} first and {} again",
                figure(difference.rate_per_s),
                word(difference.first),
                word(difference.again)
            )
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let mut text = if others.is_empty() && !capacity.walked_again {
        "Walked again in random order, as far as that went: no difference away from the boundary.".to_owned()
    } else if others.is_empty() {
        "Walked again in random order, every level away from the boundary said the same: no sign that the past of the \
         cluster matters."
            .to_owned()
    } else {
        format!(
            "HYSTERESIS: walked again in random order, {}. The cluster's state, or the machine, changed with time.",
            each(&others)
        )
    };
    if !marginal.is_empty() {
        text = format!("{text} At the boundary, where a verdict may turn by chance, {}.", each(&marginal));
    }
    Some(Block::Line(text))
}

/// Why probes did not pass, where it is more than what the table shows: p99 beyond the level, and the limit
/// named above.
fn failures(capacity: &Capacity) -> Option<Block> {
    let items: Vec<String> = capacity
        .probes
        .iter()
        .filter_map(|probe| {
            let reasons: Vec<_> = probe.reasons.iter().map(reason).collect();
            let kind = |limit: &Option<Limit>| limit.as_ref().map(std::mem::discriminant);
            let named = probe.limit.as_ref().filter(|_| kind(&probe.limit) != kind(&capacity.limit));
            if named.is_none() && matches!(probe.reasons[..], [] | [Reason::ResponseP99 { .. }]) {
                return None;
            }
            let named = named.map(|named| format!("; limited by {}", limit(named)));
            Some(format!("{}: {}{}", offer(probe), reasons.join("; "), named.unwrap_or_default()))
        })
        .collect();
    let heading = "Why probes did not pass, where it was not p99 alone";
    (!items.is_empty()).then(|| Block::List { heading: heading.into(), items })
}

fn balance(capacity: &Capacity) -> Option<Block> {
    let total: u64 = capacity.balance.iter().map(|primary| primary.claims).sum();
    let rows: Vec<_> = capacity
        .balance
        .iter()
        .map(|primary| {
            let part = if total > 0 { rough(primary.claims as f64 / total as f64) } else { "-".into() };
            vec![
                primary.addr.clone(),
                count(u64::from(primary.partitions)),
                count(primary.claims),
                part,
                primary.busy.map_or_else(|| "-".into(), rough),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| {
        Block::figures(
            "Each primary at the sustained rate",
            vec!["primary", "partitions", "claims", "share", "main thread busy"],
            rows,
        )
    })
}

fn sizing(capacity: &Capacity) -> Vec<Block> {
    let Some(basis) = capacity.sizing_basis else { return Vec::new() };
    let rows = capacity
        .sizing
        .iter()
        .map(|row| {
            vec![
                figure(row.rate_per_s),
                row.primaries.map_or_else(|| "none will do".into(), |n| count(u64::from(n))),
                row.busiest.map_or_else(|| "-".into(), rough),
                row.hottest_share.map_or_else(|| "-".into(), |hottest| format!("{hottest:.2}")),
            ]
        })
        .collect();
    let grants = match capacity.grant_cpu_us {
        Some(us) => format!("Issuing a grant costs another {} on the same threads", time_us(us)),
        None => "Issuing grants comes on top".into(),
    };
    vec![
        Block::figures(
            &format!("Primaries needed, main threads at most {} busy", share(basis.utilisation)),
            vec!["claims/s", "primaries", "busiest primary", "hottest / mean"],
            rows,
        ),
        Block::Line(format!(
            "The table is for claims alone, {} of main-thread CPU each as measured at the sustained rate. {grants}; so do \
             creating, suspending and signalling executions.",
            time_us(basis.cpu_us_per_claim)
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::capacity::CapacityPlan;
    use crate::judge::capacity::simulated::{Simulated, policy};

    /// A search of two probes, after a change.
    fn said(change: impl FnOnce(&mut Capacity)) -> String {
        let first = Simulated::serving(2_000.0).run(ProbeLoad::Open { rate_per_s: 500.0 }, 1);
        let scenario = first.record.scenario.clone();
        let plan = CapacityPlan { scenario, seed: 1, policy: policy(), stopped: None };
        let mut capacity = Capacity::conclude(plan, Vec::new(), Some(&first));
        change(&mut capacity);
        match origin(&capacity) {
            Some(Block::List { items, .. }) => items.join("\n"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_search_that_was_gone_on_with_says_so_and_who_made_it() {
        let once = said(|_| ());
        assert!(once.ends_with("seed 1, reclaim-bench 0.1.0 (0123456)"), "{once}");
        let later = said(|capacity| {
            capacity.goes = Some(Goes { count: 3, last_began: "2026-01-05T09:00:00.123Z".into() });
        });
        let goes = "made in 3 goes, the last one on 2026-01-05: what the machine did otherwise in one of them is in no interval";
        assert!(later.ends_with(goes), "{later}");
        let others = said(|capacity| {
            capacity.tools.extend(capacity.tool.clone());
            capacity.tools.push(Tool { commit: "fedcba9".into(), ..capacity.tools[0].clone() });
        });
        let builds = "reclaim-bench 0.1.0 (0123456), 0.1.0 (fedcba9): some probes by one, some by another";
        assert!(others.ends_with(builds), "{others}");
    }
}
