//! What a report says, in the order in which a reader needs it: may I use this, what is the answer, the figures behind
//! it, why to believe them, where they come from.

mod exact;
mod worth;

use super::calibration;
use super::document::Block;
use super::format::{
    TimeUnit, bytes, count, difference, difference_within, figure, maybe, per_claim, share, time_us,
};
use super::{conditions, findings, ramp, steps, storm, words};
use crate::judge::{self, Comparison, GatePolicy, LatencySummary, RunResult, VariantSummary, Verdict};
use crate::record::{Environment, Outcomes, RunRecord, short_sha256};
use crate::scenario::{Direction, Metric, Mode, VariantPath};
use crate::stats::{CONFIDENCE, Estimate, Latencies};

/// The whole report.
pub(super) fn blocks(result: &RunResult) -> Vec<Block> {
    let record = &result.record;
    let gate = judge::gate(result, &GatePolicy::from_scenario(&record.scenario));
    let mut blocks: Vec<Block> = findings::gate(&gate, record.partial && record.aborted.is_none())
        .map(Block::Line)
        .into_iter()
        .collect();
    blocks.extend(alarms(result));
    blocks.push(Block::Title(format!("{}: {}", record.label(), record.scenario.summary)));
    blocks.extend(simulated_network(record));
    blocks.push(Block::Line(answer(result)));
    blocks.extend(savings(result));
    blocks.extend(service_level(result));
    blocks.extend(storm::producer(result));
    blocks.extend(latencies(result));
    blocks.extend(steps::waterfall(result));
    blocks.extend(ramp::blocks(&result.record));
    blocks.push(costs(result));
    blocks.extend(outcomes(result));
    blocks.extend(storm::retries(result));
    blocks.extend(comparisons(result));
    blocks.extend(worth::block(result));
    blocks.push(trust(result));
    blocks.push(origin(result));
    if !result.warnings.is_empty() {
        let items = result.warnings.iter().map(words::warning).collect();
        blocks.push(Block::List { heading: "Keep in mind".into(), items });
    }
    blocks
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
    Some(Block::Line(format!(
        "SIMULATED NETWORK: the tool held every reply of a claim back for {}{given}; all times below contain it.",
        time_us(added.asked_us)
    )))
}

fn alarms(result: &RunResult) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !result.valid {
        blocks.push(Block::Alarm("INVALID: do not use these figures.".into()));
        let items = result.invalid_reasons.iter().map(words::fault).collect();
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

/// The answer to what was asked, in one sentence.
fn answer(result: &RunResult) -> String {
    if let Some(reason) = result.control.as_ref().and_then(findings::failed_control) {
        return format!("No verdict, because the control failed: {reason}.");
    }
    let headline: Vec<&Comparison> = result
        .comparisons
        .iter()
        .filter(|comparison| comparison.metric == result.comparisons[0].metric)
        .collect();
    match headline.as_slice() {
        [] if result.record.scenario.load.mode == Mode::Storm => {
            result.variants.iter().map(|variant| storm::answer(result, variant)).collect::<Vec<_>>().join(" ")
        }
        [] => result.variants.iter().map(alone).collect::<Vec<_>>().join(" "),
        [one] => pair(one),
        several => {
            let each = several.iter().map(|comparison| {
                let by = comparison.ratio.map(|ratio| format!(" ({})", difference(ratio.estimate)));
                format!("{} {}{}", comparison.candidate, words::verdict(comparison), by.unwrap_or_default())
            });
            format!(
                "Against {}, {}: {}.",
                several[0].baseline,
                several[0].metric.row().title,
                each.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// Whether each variant kept the scenario's service level, and at which load.
pub(super) fn service_level(result: &RunResult) -> Option<Block> {
    let bound = result.record.scenario.slo.as_ref()?.response_p99.0;
    let each: Vec<String> = judge::service_levels(result, bound)
        .map(|level| {
            let word = if level.kept() { "kept" } else { "MISSED" };
            format!("{word} by {} ({})", level.variant.name, time_us(level.p99_us))
        })
        .collect();
    let offered = result
        .record
        .offered
        .filter(|offered| offered.schedule_s > 0.0)
        .map(|offered| format!(", with {} claims per second offered", figure(offered.rate_per_s())));
    (!each.is_empty()).then(|| {
        Block::Line(format!(
            "Service level, {} at p99{}: {}.",
            time_us(bound.as_secs_f64() * 1e6),
            offered.unwrap_or_default(),
            each.join(", ")
        ))
    })
}

/// One variant without another to compare it with.
pub(super) fn alone(variant: &VariantSummary) -> String {
    let Some(service) = &variant.service_us else {
        return format!("{}: no claim succeeded.", variant.name);
    };
    let response = variant
        .response_us
        .as_ref()
        .map(|response| format!("; {} at p99 from when it was due", time_us(response.p99)));
    let resume = variant.resume_us.as_ref().map(|resume| {
        format!(
            "; from signal to lease {} at the median, {} at p99",
            time_us(resume.p50),
            time_us(resume.p99)
        )
    });
    format!(
        "{}: {} claims per second, {} at the median and {} at p99 from sending a claim to holding the lease{}{}.",
        variant.name,
        figure(variant.throughput_per_s),
        time_us(service.p50),
        time_us(service.p99),
        response.unwrap_or_default(),
        resume.unwrap_or_default()
    )
}

fn pair(comparison: &Comparison) -> String {
    let Comparison { baseline, candidate, .. } = comparison;
    let title = comparison.metric.row().title;
    let values =
        format!("{} against {}", figure(comparison.candidate_value), figure(comparison.baseline_value));
    let within = comparison.ratio.as_ref().map(difference_within).unwrap_or_default();
    match comparison.verdict {
        Verdict::NoChange => format!("{candidate} and {baseline} do not differ: {title} {within}."),
        Verdict::Inconclusive => match &comparison.too_few {
            Some(reason) => format!("{candidate} against {baseline}: {title} cannot be judged, {reason}."),
            None => format!("This run cannot tell {candidate} from {baseline}: {title} {within}."),
        },
        Verdict::Regression | Verdict::Improvement => {
            format!(
                "{candidate} {} than {baseline}: {title} {within}, {values} {}.",
                match words::verdict(comparison) {
                    word @ ("costs more" | "costs less") => word.to_owned(),
                    word => format!("is {word}"),
                },
                words::unit(comparison.metric.row().unit)
            )
        }
    }
}

/// What the faster arm saves, in time and in round trips: the part of the answer that another machine can repeat.
fn savings(result: &RunResult) -> Vec<Block> {
    if result.control.as_ref().is_some_and(|control| !control.passed) {
        return Vec::new();
    }
    let of = |metric: Metric| result.comparisons.iter().filter(move |c| c.metric == metric);
    of(Metric::ServiceP50)
        .filter_map(|time| {
            let trips = of(Metric::ServiceP50RoundTrips)
                .find(|trips| (&trips.baseline, &trips.candidate) == (&time.baseline, &time.candidate))?;
            saving(result, time, trips).map(Block::Line)
        })
        .collect()
}

fn saving(result: &RunResult, time: &Comparison, trips: &Comparison) -> Option<String> {
    if !matches!(time.verdict, Verdict::Regression | Verdict::Improvement) {
        return None;
    }
    let (time_saved, trips_saved) = (time.difference?, trips.difference?);
    let path = |name: &str| result.variants.iter().find(|variant| variant.name == name).map(|v| v.path);
    let slower_candidate = time_saved.estimate > 0.0;
    let (faster, slower, longest) = if slower_candidate {
        (&time.baseline, &time.candidate, time.candidate_value)
    } else {
        (&time.candidate, &time.baseline, time.baseline_value)
    };
    let who = match (path(faster), path(slower)) {
        (Some(VariantPath::GrantLane), Some(VariantPath::HgetLane)) => "carrying lane_id".to_owned(),
        _ => faster.clone(),
    };
    let within = |saved: &Estimate, digits: usize| {
        let [low, high] = if slower_candidate { [saved.low, saved.high] } else { [-saved.high, -saved.low] };
        format!("{:.digits$} [{low:.digits$}, {high:.digits$}]", saved.estimate.abs())
    };
    let digits = usize::from(time_saved.estimate.abs() < 10.0);
    Some(format!(
        "{who} saves {} µs, {} round trips of {} µs, {:.0} % of a claim by {slower}.",
        within(&time_saved, digits),
        within(&trips_saved, 2),
        figure(time.baseline_value / trips.baseline_value),
        100.0 * time_saved.estimate.abs() / longest
    ))
}

type Clock = fn(&VariantSummary) -> Option<&LatencySummary>;

fn latencies(result: &RunResult) -> Vec<Block> {
    // A storm has one clock for all of its executions.
    let resume = match result.record.scenario.load.mode {
        Mode::Storm => "Time to resume, from the storm's first signal to the lease",
        Mode::Staged | Mode::Churn => "Time to resume, from the signal to the lease",
    };
    let clocks: [(&str, Clock); 4] = [
        ("Service time, from sending a claim to holding the lease", |v| v.service_us.as_ref()),
        ("Response time, from when a claim was due", |v| v.response_us.as_ref()),
        ("Send lag, how late claims were sent", |v| v.send_lag_us.as_ref()),
        (resume, |v| v.resume_us.as_ref()),
    ];
    let table = |(n, (heading, clock)): (usize, (&str, Clock))| {
        let unit = TimeUnit::of(result.variants.iter().filter_map(clock).map(|times| times.p50));
        let rows: Vec<_> = result
            .variants
            .iter()
            // The first table names every variant, also one without a single success.
            .filter(|variant| n == 0 || clock(variant).is_some())
            .map(|variant| {
                let times = clock(variant);
                let of = |quantile: fn(&LatencySummary) -> f64| {
                    times.map_or_else(|| "-".into(), |times| unit.figure(quantile(times)))
                };
                vec![
                    variant.name.clone(),
                    count(times.map_or(0, |times| times.count)),
                    figure(variant.throughput_per_s),
                    of(|t| t.p50),
                    of(|t| t.p90),
                    of(|t| t.p99),
                    of(|t| t.p999),
                    of(|t| t.max),
                ]
            })
            .collect();
        let header = vec!["variant", "claims", "claims/s", "p50", "p90", "p99", "p99.9", "max"];
        (!rows.is_empty()).then(|| Block::figures(&format!("{heading} ({})", unit.name), header, rows))
    };
    clocks.into_iter().enumerate().filter_map(table).collect()
}

fn costs(result: &RunResult) -> Block {
    let rows = result
        .variants
        .iter()
        .enumerate()
        .map(|(position, variant)| {
            let server = &variant.server;
            let commands = server.commands_per_claim.iter().filter(|(_, n)| **n > 0.0);
            let wire = result.record.arms.get(position).map(|arm| arm.wire).filter(|wire| wire.claims > 0);
            let sent = wire.map(|wire| wire.commands as f64 / wire.claims as f64);
            vec![
                variant.name.clone(),
                per_claim(server.round_trips_per_claim),
                sent.map_or_else(|| "-".into(), per_claim),
                commands.map(|(name, n)| format!("{name} {}", per_claim(*n))).collect::<Vec<_>>().join(", "),
                figure(server.bytes_in_per_claim),
                figure(server.bytes_out_per_claim),
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
    let redirected = outcomes.redirected.iter().map(|(kind, n)| (format!("redirected: {kind:?}"), *n));
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
    let confidence = first.ratio.map_or(CONFIDENCE, |ratio| ratio.confidence);
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
        heading: format!("Compared with {} ({} intervals)", first.baseline, share(confidence)),
        header: vec!["variant", "metric", "baseline", "value", "difference", "verdict"],
        rows,
        words: vec![1, 5],
    }];
    blocks.extend(exact::blocks(result));
    blocks.extend(fused(result));
    blocks
}

pub(super) fn verdict_cell(comparison: &Comparison, result: &RunResult) -> String {
    let word = words::verdict(comparison);
    let vetoed = result.control.as_ref().is_some_and(|control| !control.passed);
    let threshold = result.record.scenario.compare.as_ref().map_or(0.0, |compare| compare.noise_threshold);
    // Either direction: whether it is beyond the band, not whether that is good.
    let beyond = |ratio: &Estimate| {
        let change = judge::verdict(ratio, Direction::LowerIsBetter, threshold);
        matches!(change, Verdict::Regression | Verdict::Improvement)
    };
    match (comparison.verdict, &comparison.too_few, comparison.detectable) {
        (Verdict::Inconclusive, Some(reason), _) => format!("{word}: {reason}"),
        (Verdict::Inconclusive, _, _) if vetoed => format!("{word}: the control failed"),
        (Verdict::Inconclusive, None, _) if comparison.ratio.as_ref().is_some_and(beyond) => {
            format!("{word}: may be chance, p = {:.3}", comparison.p_value.unwrap_or_default())
        }
        (Verdict::Inconclusive, None, Some(size)) => {
            format!("{word} (smallest detectable change: {})", share(size))
        }
        _ => word.to_owned(),
    }
}

/// `fused` does work that the other variants leave to the producer; a reader must not miss that.
pub(super) fn fused(result: &RunResult) -> Option<Block> {
    let fused = result.variants.iter().find(|variant| variant.path == VariantPath::Fused)?;
    let grant = match result.record.staging.grant_cpu_us {
        Some(us) => format!("which costs {} of server CPU per grant in this run", time_us(us)),
        None => "which this run did not measure".into(),
    };
    Some(Block::Line(format!(
        "{} issues its grant itself. The other variants leave that to the producer, {grant}: compare {} with claim \
         plus grant.",
        fused.name, fused.name
    )))
}

/// Why the figures can be believed.
pub(super) fn trust(result: &RunResult) -> Block {
    let audit = &result.record.audit;
    let mut items = Vec::new();
    if let Some(control) = &result.control {
        let ratio = control.ratio.as_ref().map(|ratio| difference_within(ratio) + ", ").unwrap_or_default();
        let word = if control.passed { "passed" } else { "failed" };
        items.push(format!("control (the baseline against itself): {ratio}{word}"));
    }
    let violations = audit.violations();
    items.push(if audit.executions_checked == 0 {
        "audit: NOT MADE, the executions were not read back".to_owned()
    } else { format!(
        "audit: {} grants issued, {} claimed, {} expired, {} left over, {} lost, {} claimed twice; {} executions read \
         back{}, {}",
        count(audit.grants_issued),
        count(audit.claimed),
        count(audit.expired),
        count(audit.outstanding),
        count(audit.lost),
        count(audit.double_claims),
        count(audit.executions_checked),
        if audit.contracts_checked == 0 {
            String::new()
        } else {
            format!(" ({} with all that a claim writes)", count(audit.contracts_checked))
        },
        if violations == 0 { "no violation".to_owned() } else { format!("{} violations", count(violations)) }
    ) });
    items.extend(audit.examples.iter().map(|example| format!("violation: {example}")));
    let staging = &result.record.staging;
    // What a killed run had done in its window stands nowhere but in the claims.
    let so_far = result.record.partial && result.record.scenario.load.mode != Mode::Staged;
    if staging.grants > 0 && !so_far {
        let made = format!(
            "{} executions, {} interruptions, {} grants",
            count(staging.executions),
            count(staging.interruptions),
            count(staging.grants)
        );
        items.push(match result.record.scenario.load.mode {
            Mode::Staged => format!("before the window: {made} in {:.1} s", staging.duration_s),
            // Much of it happens in the window itself.
            Mode::Churn | Mode::Storm => {
                format!("in all: {made}; getting ready took {:.1} s", staging.duration_s)
            }
        });
    }
    items.extend(memory(&result.record));
    Block::List { heading: "Checks".into(), items }
}

/// Whether the tool itself grows: a window of a minute or more says so.
fn memory(record: &RunRecord) -> Option<String> {
    const MINUTE: usize = 60;
    let known: Vec<(f64, u64)> =
        record.timeline.iter().filter_map(|point| Some((point.t_s, point.tool_resident_bytes?))).collect();
    let (_, end) = *known.last().filter(|_| known.len() >= MINUTE)?;
    let (at, begin) = known[MINUTE / 2];
    Some(format!("memory of the tool: {} after {at:.0} s, {} at the end", bytes(begin), bytes(end)))
}

/// Where the figures come from.
pub(super) fn origin(result: &RunResult) -> Block {
    let record = &result.record;
    let mut items = surroundings(&record.environment);
    items.extend(record.arms.iter().filter_map(|arm| {
        let library = arm.library.as_ref()?;
        let section = record.scenario.variants.iter().find(|variant| variant.name == arm.name);
        let source = section.and_then(|variant| variant.library.as_ref());
        Some(format!(
            "library of {}: {}, sha256 {}{}",
            arm.name,
            library.version,
            short_sha256(&library.sha256),
            source.map(|source| format!(", from {source}")).unwrap_or_default()
        ))
    }));
    items.extend(record.calibration.as_ref().map(calibration::note));
    items.extend(record.generator.and_then(|used| used.real_time).map(|given| {
        let had = if given { "real-time priority (SCHED_RR)" } else { "no real-time priority" };
        format!("open loop: the generator's threads had {had}")
    }));
    items.push(format!(
        "run: {} for {:.1} s, seed {}, plan {}, reclaim-bench {} ({})",
        record.started,
        record.duration_s,
        record.seed,
        short_sha256(&record.plan_sha256),
        record.tool.version,
        record.tool.commit
    ));
    Block::List { heading: "Where this was measured".into(), items }
}

/// Machine, cluster and library.
pub(super) fn surroundings(environment: &Environment) -> Vec<String> {
    let (host, valkey, library) = (&environment.host, &environment.valkey, &environment.library);
    let mut items = vec![conditions::machine(host)];
    items.extend(environment.conditions.as_ref().map(conditions::arranged));
    items.extend([
        format!(
            "cluster: Valkey {} ({}, {} io-thread{}), {} primaries, {} replicas, {}{}; {} partitions, busiest primary \
             {:.2} of the mean",
            valkey.version,
            valkey.allocator,
            valkey.io_threads,
            if valkey.io_threads == 1 { "" } else { "s" },
            valkey.primaries,
            valkey.replicas,
            valkey.provider,
            match (valkey.same_machine, valkey.tls == Some(true)) {
                (true, true) => " on this machine over TLS",
                (true, false) => " on this machine",
                (false, true) => " over TLS",
                (false, false) => "",
            },
            valkey.partitions,
            valkey.hottest_share
        ),
        format!("library: {} {}, sha256 {}", library.name, library.version, short_sha256(&library.sha256)),
    ]);
    items
}
