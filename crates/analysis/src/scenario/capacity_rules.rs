//! What `[capacity]` may say, and which scenarios a search can work with.

use std::time::Duration;

use super::capacity::CapacitySection;
use super::checker::Checker;
use super::choices::Mode;
use super::error::{InvalidScenario, KeyProblem};
use super::file::ScenarioFile;
use super::load_section::{ArrivalsForm, IN_FLIGHT};

impl ScenarioFile {
    /// The section, or what holds without it.
    pub fn capacity(&self) -> CapacitySection {
        self.capacity.clone().unwrap_or_default()
    }
}

/// Whether the search can work with a scenario that is valid by itself.
pub(super) fn suits(file: &ScenarioFile) -> Result<(), InvalidScenario> {
    let mut problems = Vec::new();
    let mut require = |good: bool, key: &str, what: &str| {
        if !good {
            problems.push(KeyProblem { key: key.to_owned(), what: what.to_owned() });
        }
    };
    require(
        file.slo.as_ref().is_some_and(|slo| slo.response_p99.is_some()),
        "slo.response_p99",
        "missing; a capacity is the rate that keeps a service level, such as --set slo.response_p99=5ms",
    );
    require(
        file.slo.as_ref().is_none_or(|slo| slo.abort.is_none()),
        "slo.abort",
        "the search finds out itself where the level is missed: leave it out",
    );
    require(
        file.variants.len() == 1,
        "variant",
        "the capacity of one way of claiming is searched at a time: keep one [[variant]]",
    );
    require(
        file.variants.iter().all(|variant| variant.server.is_none()),
        "variant",
        "the capacity of one cluster is searched at a time: leave out server, and give the binary with --valkey-server",
    );
    require(
        file.load.mode == Mode::Staged,
        "load.mode",
        "the search probes with stocked grants: use mode = \"staged\"",
    );
    require(
        file.load.contenders == 1,
        "load.contenders",
        "a lost race is no claim that was sustained: use 1",
    );
    require(
        !matches!(file.load.arrivals, Some(ArrivalsForm::Ramp(_) | ArrivalsForm::Trace(_))),
        "load.arrivals",
        "a probe offers one rate all the time: use \"poisson\", \"constant\" or bursts",
    );
    require(
        file.faults.is_empty(),
        "fault",
        "a rate that a failing cluster carries is no capacity: leave the faults out",
    );
    require(file.sweep.is_none(), "sweep", "the capacity of one setting is searched at a time: leave it out");
    require(
        file.grant.unconsumed == 0.0,
        "grant.unconsumed",
        "late claims are no load that can be sustained: use 0",
    );
    if problems.is_empty() { Ok(()) } else { Err(InvalidScenario(problems)) }
}

/// Highest rate that a search offers and sizes for, in claims per second.
pub const HIGHEST_SEARCHED_PER_S: f64 = 1e6;

pub(super) fn check(file: &ScenarioFile, checker: &mut Checker) {
    let Some(capacity) = &file.capacity else { return };
    let rate = |checker: &mut Checker, key: &str, rate: f64| {
        checker.require((1.0..=HIGHEST_SEARCHED_PER_S).contains(&rate), key, || {
            format!("{rate} is not a rate: use claims per second, 1 to {HIGHEST_SEARCHED_PER_S}")
        });
    };
    rate(checker, "capacity.start_rate", capacity.start_rate);
    for (n, target) in capacity.targets.iter().enumerate() {
        rate(checker, &format!("capacity.targets[{n}]"), *target);
    }
    checker.within("capacity.claims", capacity.claims, 1_000..=1_000_000);
    checker.within("capacity.curve_claims", capacity.curve_claims, 100..=1_000_000);
    let (low, high) = (Duration::from_millis(100), Duration::from_hours(1));
    checker.lasting("capacity.window", capacity.window, low, high);
    checker.within("capacity.resolution", capacity.resolution, 0.01..=0.5);
    checker.within("capacity.precision", capacity.precision, 0.01..=0.5);
    checker.within("capacity.refinements", capacity.refinements, 0..=600);
    checker.within("capacity.utilisation", capacity.utilisation, 0.05..=0.95);
    for (n, pair) in capacity.concurrency.windows(2).enumerate() {
        checker.require(pair[0] < pair[1], &format!("capacity.concurrency[{}]", n + 1), || {
            format!("{} after {}: list the levels in ascending order, each once", pair[1], pair[0])
        });
    }
    for (n, level) in capacity.concurrency.iter().enumerate() {
        checker.within(&format!("capacity.concurrency[{n}]"), *level, IN_FLIGHT);
    }
}
