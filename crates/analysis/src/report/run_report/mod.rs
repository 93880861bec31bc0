//! What a report says, in the order in which a reader needs it: may I use this, what is the answer, the
//! figures behind it, why to believe them, where they come from.

mod answer;
mod claim_end;
mod exact;
mod next_run;
mod origin;
mod worth;

use answer::answer;
pub(super) use answer::{savings, service_level, uncompared};
pub(super) use claim_end::claim_end;
pub(super) use exact::{but_for_defined, defined};
pub(super) use next_run::next_run;
pub(super) use origin::{origin, surroundings, trust};
pub(super) use worth::of_which_load;

use super::document::Block;
use super::format::{
    TimeUnit, confidence, count, difference_within, figure, maybe, per_claim, share, time_us,
};
use super::{faults, findings, generators, ramp, servers, steps, storm, words};
use crate::judge::{self, Clock, Comparison, LatencySummary, RunResult};
use crate::record::{MainThreadDoubt, Outcomes, RunRecord};
use crate::scenario::{Mode, VariantPath};
use crate::stats::{CONFIDENCE, Latencies};

/// The whole report.
pub(super) fn blocks(result: &RunResult) -> Vec<Block> {
    let record = &result.record;
    let mut blocks: Vec<Block> = gate(result).map(Block::Line).into_iter().collect();
    blocks.extend(alarms(result));
    blocks.push(Block::Title(format!("{}: {}", record.label(), record.scenario.summary)));
    blocks.extend(simulated_network(record));
    blocks.extend(servers::head(record));
    blocks.push(Block::Line(answer(result)));
    blocks.extend(savings(result));
    blocks.extend(next_run(result));
    blocks.extend(service_level(result));
    blocks.extend(faults::level(result));
    blocks.extend(storm::producer(result));
    blocks.extend(faults::blocks(result));
    blocks.extend(latencies(result));
    blocks.extend(steps::waterfall(result));
    blocks.extend(ramp::blocks(&result.record));
    blocks.push(costs(result));
    blocks.extend(defined(result).map(Block::Line));
    blocks.extend(outcomes(result));
    blocks.extend(storm::retries(result));
    blocks.extend(comparisons(result));
    blocks.extend(worth::blocks(result));
    blocks.extend(generators::blocks(result));
    blocks.push(trust(result));
    blocks.push(origin(result));
    blocks.extend(warnings(result));
    blocks
}

/// What the scenario's gate says, where it is enforced; before anything else, for the exit code follows from
/// it.
pub(super) fn gate(result: &RunResult) -> Option<String> {
    let record = &result.record;
    let gate = result.gate();
    findings::gate(&gate, record.was_interrupted())
}

/// What bears on how the figures are read.
pub(super) fn warnings(result: &RunResult) -> Option<Block> {
    let items: Vec<String> = result.warnings.iter().map(words::warning).collect();
    (!items.is_empty()).then(|| Block::List { heading: "Keep in mind".into(), items })
}

/// Said above every figure: none of them is of the network that is there.
pub(super) fn simulated_network(record: &RunRecord) -> Option<Block> {
    let added = record.added_rtt.as_ref()?;
    let given = Latencies::readable(&added.given).map_or(String::new(), |given| {
        format!(
            " ({} at the median, {} at p99)",
            time_us(given.quantile_us(0.5)),
            time_us(given.quantile_us(0.99))
        )
    });
    Some(Block::Line(words::simulated_network(&format!(
        " for {}{given}; all times below contain it.",
        time_us(added.asked_us)
    ))))
}

pub(super) fn alarms(result: &RunResult) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !result.valid {
        blocks.push(Block::Alarm("INVALID: do not use these figures.".into()));
        let items = result.invalid_reasons.iter().map(words::invalid_reason).collect();
        blocks.push(Block::List { heading: "Why".into(), items });
    }
    if let Some(aborted) = &result.record.aborted {
        let text = format!("ABORTED: {}. What follows was measured until then.", findings::aborted(aborted));
        blocks.push(Block::Alarm(text));
    } else if result.record.partial {
        let text = "INTERRUPTED: what follows was measured before the run was stopped.";
        blocks.push(Block::Alarm(text.into()));
    }
    blocks
}

/// What a clock of a run's claims measures. A storm has one signal for all of its executions.
pub(super) fn clock_title(clock: Clock, record: &RunRecord) -> String {
    match (clock, record.scenario.load.mode) {
        (Clock::Service, _) => {
            format!("Service time, from sending a claim {}", claim_end(record, "to holding the lease"))
        }
        (Clock::Response, _) => "Response time, from when a claim was due".to_owned(),
        (Clock::SendLag, _) => "Send lag, how late claims were sent".to_owned(),
        (Clock::Resume, Mode::Storm) => {
            format!("Time to resume, from the storm's first signal {}", claim_end(record, "to the lease"))
        }
        (Clock::Resume, Mode::Staged | Mode::Churn) => {
            format!("Time to resume, from the signal {}", claim_end(record, "to the lease"))
        }
    }
}

fn latencies(result: &RunResult) -> Vec<Block> {
    let table = |(n, clock): (usize, Clock)| {
        let heading = clock_title(clock, &result.record);
        let all = result.variants.iter().filter_map(|variant| clock.summary(variant));
        let unit = TimeUnit::fitting(all.flat_map(|times| [times.p50, times.max]));
        let rows: Vec<_> = result
            .variants
            .iter()
            .enumerate()
            // The first table names every variant, also one without a single success.
            .filter(|(_, variant)| n == 0 || clock.summary(variant).is_some())
            .map(|(position, variant)| {
                let times = clock.summary(variant);
                let of = |quantile: fn(&LatencySummary) -> f64| {
                    times.map_or_else(|| "-".into(), |times| unit.figure(quantile(times)))
                };
                vec![
                    variant.name.clone(),
                    count(times.map_or(0, |times| times.count)),
                    result.own_rate_per_s(position).map_or_else(|| "-".into(), figure),
                    of(|t| t.p50),
                    of(|t| t.p90),
                    of(|t| t.p99),
                    of(|t| t.p999),
                    of(|t| t.max),
                ]
            })
            .collect();
        let header = vec!["variant", "claims", "claims/s", "p50", "p90", "p99", "p99.9", "max"];
        (!rows.is_empty()).then(|| Block::figures(&unit.heading(&heading), header, rows))
    };
    Clock::ALL.into_iter().enumerate().filter_map(table).collect()
}

fn costs(result: &RunResult) -> Block {
    let rows = result
        .variants
        .iter()
        .enumerate()
        .map(|(position, variant)| {
            let server = &variant.server;
            let commands = server.commands_per_claim.iter().filter(|(_, n)| **n > 0.0);
            let which: Vec<_> = commands.map(|(name, n)| format!("{name} {}", per_claim(*n))).collect();
            let arm = result.record.arms.get(position);
            let sent = arm.and_then(|arm| judge::wire_per_claim(arm, |wire| wire.commands));
            vec![
                variant.name.clone(),
                server.round_trips_per_claim.map_or_else(|| "-".into(), per_claim),
                sent.map_or_else(|| "-".into(), per_claim),
                if which.is_empty() { "-".into() } else { which.join(", ") },
                maybe(server.bytes_in_per_claim),
                maybe(server.bytes_out_per_claim),
                maybe(server.main_thread_cpu_us_per_claim),
            ]
        })
        .collect();
    Block::Table {
        heading: "Cost of one claim".into(),
        header: vec![
            "variant",
            "round trips",
            "commands",
            "which",
            "request bytes",
            "reply bytes",
            "server CPU (µs)",
        ],
        rows,
        words: vec![3],
    }
}

/// Only where something else than a success happened.
pub(super) fn outcomes(result: &RunResult) -> Option<Block> {
    let rows: Vec<Vec<String>> = result
        .variants
        .iter()
        .filter(|variant| variant.outcomes.planned() != variant.outcomes.claimed)
        .flat_map(|variant| {
            named(&variant.outcomes)
                .into_iter()
                .map(|(outcome, n)| vec![variant.name.clone(), outcome, count(n)])
        })
        .collect();
    (!rows.is_empty()).then(|| Block::Table {
        heading: "How claims ended".into(),
        header: vec!["variant", "outcome", "claims"],
        rows,
        words: vec![1],
    })
}

/// Outcomes that happened, by name.
fn named(outcomes: &Outcomes) -> Vec<(String, u64)> {
    let refused = outcomes.refused.iter().map(|(code, n)| (format!("refused: {code}"), *n));
    let redirected = outcomes.redirected.iter().map(|(kind, n)| (format!("redirected: {}", kind.code()), *n));
    [
        ("claimed", outcomes.claimed),
        ("expired", outcomes.expired),
        ("lost race", outcomes.lost_race),
        ("ambiguous", outcomes.ambiguous),
        ("timed out", outcomes.timed_out),
        ("failed", outcomes.failed),
        ("dropped", outcomes.dropped),
        ("no grant in stock", outcomes.empty_stock),
    ]
    .into_iter()
    .map(|(name, n)| (name.to_owned(), n))
    .chain(refused)
    .chain(redirected)
    .filter(|(_, n)| *n > 0)
    .collect()
}

fn comparisons(result: &RunResult) -> Vec<Block> {
    let Some(first) = result.comparisons.first() else { return Vec::new() };
    let rows = result
        .comparisons
        .iter()
        .map(|comparison| {
            let (what, [baseline, value]) = words::measured(comparison);
            vec![
                comparison.candidate.clone(),
                what,
                baseline,
                value,
                comparison.ratio.as_ref().map_or_else(|| "-".into(), difference_within),
                verdict_cell(comparison, result),
            ]
        })
        .collect();
    let mut blocks = vec![Block::Table {
        heading: format!("Compared with {} ({} intervals)", first.baseline, compared_at(&[result])),
        header: vec!["variant", "metric", "baseline", "value", "difference", "verdict"],
        rows,
        words: vec![1, 5],
    }];
    blocks.extend(exact::blocks(result));
    blocks.extend(other_work(result));
    blocks
}

/// The confidence of the intervals of runs of one scenario: what this asks for where no comparison has one.
pub(super) fn compared_at(results: &[&RunResult]) -> String {
    let asked = results.iter().find_map(|result| result.record.scenario.compare.as_ref());
    let comparisons = results.iter().flat_map(|result| &result.comparisons);
    confidence(
        comparisons.filter_map(|one| one.ratio.as_ref()),
        asked.map_or(CONFIDENCE, |compare| compare.confidence),
    )
}

/// The verdict of a comparison, and why it is none.
pub(super) fn verdict_cell(comparison: &Comparison, result: &RunResult) -> String {
    words::with_why(words::verdict(comparison), result.undecided(comparison).as_ref())
}

/// Variants that do other work than the rest; a reader must not miss that.
pub(super) fn other_work(result: &RunResult) -> Vec<Block> {
    fused(result).into_iter().chain(lease_reclaim(result)).chain(headline_seen(result)).collect()
}

/// What a worker of FlowFabric's SDK sees of what carrying the lane saves.
fn headline_seen(result: &RunResult) -> impl Iterator<Item = Block> {
    let within = |of: &judge::SavedShare| {
        format!("{} [{:.1}, {:.1}]", share(of.value), 100.0 * of.interval[0], 100.0 * of.interval[1])
    };
    judge::headline_seen(result).into_iter().map(move |seen| {
        Block::Line(format!(
            "Carrying lane_id saves {} of a claim on the wire; of what a worker by {} waits for, {}.",
            within(&seen.on_the_wire),
            seen.variant,
            within(&seen.by_the_worker)
        ))
    })
}

/// A reclaim beside resumes: it closes one attempt and starts another.
fn lease_reclaim(result: &RunResult) -> Option<Block> {
    let reclaim = result.variants.iter().find(|variant| variant.path.is_lease_reclaim())?;
    result.variants.iter().any(|variant| variant.path.resumes()).then(|| {
        Block::Line(format!(
            "{} takes executions whose lease was lost, closes their attempt and starts a new one; a resume goes on with \
             the attempt that there is.",
            reclaim.name
        ))
    })
}

/// `fused` does work that the other variants leave to the producer.
fn fused(result: &RunResult) -> Option<Block> {
    let fused = result.variants.iter().find(|variant| variant.path == VariantPath::Fused)?;
    // A main thread that polls is as busy without a grant.
    let polling = result.record.main_thread_doubt() == Some(MainThreadDoubt::Polling);
    let grant = match result.record.staging.grant_cpu_us.filter(|_| !polling) {
        // Staging issues many at once, and a server spends a read and a write on all of them together.
        Some(us) => {
            format!(
                "which costs {} of server CPU per grant issued in pipelines, as this run did",
                time_us(us)
            )
        }
        None => "which this run did not measure".into(),
    };
    Some(Block::Line(format!(
        "{} issues its grant itself. The other variants leave that to the producer, {grant}: compare {} with claim \
         plus grant.",
        fused.name, fused.name
    )))
}
