//! What a run will take, and whether it can answer at all: said before it starts instead of after it has.
//!
//! A comparison refuses to judge where the baseline against itself is not known to half the noise threshold.
//! How well that will be known follows from the number of claims and from how noisy claims are, which past
//! results of the machine tell; without any, a slow machine's figures stand for it.

use std::time::Duration;

use crate::scenario::{
    Amount, Arrivals, BlockShape, Compare, Judged, Metric, Mixing, Mode, Model, ROUND_TRIPS, Scenario,
};
use crate::stats::log_error_of;

use super::control::control_limit;
use super::result::RunResult;

/// What past runs say about the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Experience {
    /// Standard error of ln(median over median) of two sides, times the root of the claims on each: what one
    /// claim contributes where arms take turns claim by claim.
    pub noise_of_claim: f64,
    /// The same, times the root of the number of pairs, where they take turns in blocks.
    pub noise_of_block: f64,
    /// Service time of a claim with nothing else in flight.
    pub service_s: f64,
    /// Creating, interrupting and granting, for each claim.
    pub staging_s: f64,
}

/// A busy two-core machine: +-0.6 % at 99 % for 15,000 claims on each side of a control, twice the 217 us for
/// each staged grant that a quiet one took. Blocks: controls of results/reference/trials/ at 16 in flight
/// came to 0.13 to 0.16.
const SLOW_MACHINE: Experience =
    Experience { noise_of_claim: 0.3, noise_of_block: 0.14, service_s: 550e-6, staging_s: 430e-6 };

/// Starting a cluster and stopping it, creating the first executions, the audit.
const AROUND_S: f64 = 5.0;

/// Claims per second that a generator and servers on one machine are taken to reach with many in flight.
const MOST_PER_S: f64 = 5_000.0;

/// 97.5th percentile of the standard normal distribution: the reach of a 95 % interval.
const REACH: f64 = 1.96;

impl Experience {
    /// Of past results of the same scenario on the same machine; what they do not tell is a slow machine's.
    pub fn of<'a>(past: impl IntoIterator<Item = &'a RunResult>) -> Self {
        let mut experience = SLOW_MACHINE;
        for result in past.into_iter().filter(|result| result.is_usable()) {
            let record = &result.record;
            let apart = record.strata.iter().any(|stratum| stratum.apart);
            let control = result.control.as_ref().and_then(|control| control.ratio);
            let sides = record.strata.iter().filter(|s| s.control || s.sides.len() > record.arms.len());
            let (strata, claims) = sides
                .filter_map(|stratum| stratum.sides.last())
                .fold((0u64, 0u64), |sum, side| (sum.0 + 1, sum.1 + side.service.0.len() as u64));
            if let Some(error) =
                control.as_ref().map(log_error_of).filter(|error| error.is_finite() && *error > 0.0)
            {
                if apart {
                    experience.noise_of_block = error * (strata as f64).sqrt();
                } else {
                    experience.noise_of_claim = error * (claims as f64).sqrt();
                }
            }
            let alone = result.variants.iter().find_map(|variant| variant.service_us.map(|us| us.mean));
            if let Some(us) = alone.filter(|_| !apart) {
                experience.service_s = us / 1e6;
            }
            if record.staging.grants > 0 {
                experience.staging_s = record.staging.duration_s / record.staging.grants as f64;
            }
        }
        experience
    }
}

/// What a run will come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// All claims, those of the warm-up, the control and the counters included; `None` where time alone
    /// decides.
    pub claims: Option<u64>,
    /// How long it will take one generator, roughly; where a recorded trace is replayed, beside that.
    pub length: Duration,
    /// Windows and blocks, the warm-up's included, before each of which several generators wait for each
    /// other.
    pub stretches: u64,
    /// What it cannot answer.
    pub shortfalls: Vec<Shortfall>,
}

/// Something that a comparison asks for and this many claims cannot give.
#[derive(Clone, Debug, PartialEq)]
pub enum Shortfall {
    /// The control would not be known to half the noise threshold, and so refuse to judge.
    TooNoisy {
        /// Claims over all arms.
        claims: u64,
        /// The noise threshold.
        threshold: f64,
        /// Half the interval that is to be expected.
        reach: f64,
        /// What it may be.
        limit: f64,
        /// Claims that it takes.
        needed: u64,
        /// Groups of blocks that it takes, where `compare.strata` allows fewer: more claims alone would make
        /// longer blocks.
        groups: Option<u64>,
    },
    /// A tail needs more claims than there are.
    TooFewForTail {
        /// The metric.
        metric: Metric,
        /// Claims of each arm that it takes.
        each: u64,
        /// Claims over all arms.
        needed: u64,
    },
}

/// What a run of `scenario` will come to.
pub fn forecast(scenario: &Scenario, experience: &Experience) -> Forecast {
    let window = scenario.window_claims();
    let shortfalls = match (&scenario.compare, window) {
        (Some(compare), Some(claims)) if scenario.load.mode == Mode::Staged => {
            shortfalls(scenario, compare, claims, experience)
        }
        _ => Vec::new(),
    };
    let claims = window.map(|claims| claims + scenario.claims_beside(claims));
    let length_s = AROUND_S
        + match (claims, scenario.load.amount) {
            (_, Amount::Duration(time)) if scenario.load.mode != Mode::Staged => time.as_secs_f64(),
            (Some(claims), _) => {
                claims as f64 * (experience.staging_s + seconds_per_claim(scenario, experience))
            }
            (None, _) => 0.0,
        };
    let stretches = stretches(scenario, claims);
    Forecast { claims, length: Duration::from_secs_f64(length_s), stretches, shortfalls }
}

/// Windows and blocks of a run with so many claims in all: each filling of the stock is a window, or a few
/// blocks.
fn stretches(scenario: &Scenario, claims: Option<u64>) -> u64 {
    const WARMUP_AND_WINDOW: u64 = 2;
    let (Some(claims), Mode::Staged) = (claims, scenario.load.mode) else { return WARMUP_AND_WINDOW };
    let arms = scenario.variants.len() as u64;
    let fillings = claims.div_ceil(u64::from(scenario.population.executions.max(1)));
    let compared = scenario.compare.as_ref().zip(scenario.window_claims()).map_or(0, |(compare, window)| {
        if compare.mixing == Mixing::Blocks {
            scenario.blocks(compare, window)
        } else {
            fillings + u64::from(compare.counter_blocks) * arms
        }
    });
    1 + compared.max(fillings)
}

fn seconds_per_claim(scenario: &Scenario, experience: &Experience) -> f64 {
    let network = ROUND_TRIPS * scenario.load.added_rtt.as_secs_f64();
    match scenario.load.model {
        // Only its file knows how long a trace lasts.
        Model::Open { arrivals: Arrivals::Trace { .. }, .. } => 0.0,
        Model::Open { rate_per_sec, .. } => 1.0 / rate_per_sec,
        Model::Closed { concurrency } => {
            ((experience.service_s + network) / f64::from(concurrency)).max(1.0 / MOST_PER_S)
        }
    }
}

fn shortfalls(
    scenario: &Scenario,
    compare: &Compare,
    claims: u64,
    experience: &Experience,
) -> Vec<Shortfall> {
    let arms = scenario.variants.len() as u64;
    let each = claims / arms.max(1);
    let mut shortfalls = Vec::new();
    if compare.is_controlled() {
        shortfalls.extend(too_noisy(scenario, compare, claims, experience));
    }
    for &metric in &compare.metrics {
        let Judged::ByInterval { min_claims } = metric.row().judged else { continue };
        if each < min_claims {
            shortfalls.push(Shortfall::TooFewForTail { metric, each: min_claims, needed: min_claims * arms });
        }
    }
    shortfalls
}

/// Whether the control would not be known well enough, and what it takes.
fn too_noisy(
    scenario: &Scenario,
    compare: &Compare,
    claims: u64,
    experience: &Experience,
) -> Option<Shortfall> {
    let arms = scenario.variants.len() as u64;
    let limit = control_limit(compare.noise_threshold);
    let (noise, units) = match compare.mixing {
        Mixing::Claims => (experience.noise_of_claim, claims / arms.max(1)),
        Mixing::Blocks => {
            (experience.noise_of_block, u64::from(scenario.block_shape(compare, claims).groups))
        }
    };
    let reach = REACH * noise / (units.max(1) as f64).sqrt();
    if reach <= limit {
        return None;
    }
    let units = (REACH * noise / limit).powi(2).ceil() as u64;
    let (needed, groups) = match compare.mixing {
        Mixing::Claims => (rounded_up(units * arms), None),
        Mixing::Blocks => {
            let more = (units > u64::from(compare.strata)).then(|| rounded_up(units));
            let load = &scenario.load;
            let smallest = BlockShape::smallest(&load.model, load.added_rtt.as_secs_f64());
            let needed = rounded_up(more.unwrap_or(units) * arms * smallest);
            (needed.max(claims), more)
        }
    };
    Some(Shortfall::TooNoisy { claims, threshold: compare.noise_threshold, reach, limit, needed, groups })
}

/// To two digits that count, upwards: it is an estimate.
fn rounded_up(claims: u64) -> u64 {
    let step = 10u64.pow(claims.max(1).ilog10().saturating_sub(1));
    claims.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use super::*;
    use crate::scenario::{Draft, Override, SHIPPED, Shipped, parse};

    fn lane_ab(changes: &[(&str, &str)]) -> Scenario {
        let text = Shipped::find("lane-ab").unwrap().text;
        let change = |(key, value): &(&str, &str)| Override {
            shown: "--set".into(),
            key: (*key).into(),
            value: Some((*value).into()),
        };
        let changes: Vec<_> = changes.iter().map(change).collect();
        Draft::new("lane-ab", text).with(&changes).check().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_shipped_scenario_can_answer_what_it_asks() {
        for shipped in SHIPPED {
            let scenario = parse(shipped.name, shipped.text).unwrap();
            let forecast = forecast(&scenario, &SLOW_MACHINE);
            assert_eq!(forecast.shortfalls, [], "{}", shipped.name);
        }
    }

    #[test]
    fn what_cannot_be_judged_is_told_with_what_it_would_take() {
        let of = |changes: &[(&str, &str)]| forecast(&lane_ab(changes), &SLOW_MACHINE).shortfalls;
        let few = of(&[("load.claims", "2000"), ("compare.strata", "50")]);
        let [
            Shortfall::TooNoisy { claims: 2_000, threshold, reach, limit, needed: 3_100, groups: None },
            tail,
        ] = &few[..]
        else {
            panic!("{few:?}");
        };
        assert_eq!((*threshold, *limit), (0.03, 0.015));
        assert!((reach - 0.0186).abs() < 1e-4, "{reach}");
        let metric = Metric::ServiceP99;
        assert_eq!(*tail, Shortfall::TooFewForTail { metric, each: 5_000, needed: 10_000 });
        assert_eq!(of(&[("load.claims", "10000")]), []);
    }

    #[test]
    fn what_is_asked_for_is_enough() {
        for (in_flight, claims, strata, threshold) in [
            ("64", "20000", "100", "0.03"),
            ("16", "60000", "100", "0.03"),
            ("16", "60000", "12", "0.06"),
            ("4", "4000", "20", "0.1"),
            ("2", "20000", "10", "0.02"),
            ("1", "2000", "50", "0.03"),
        ] {
            let asked = |claims: &str, strata: &str| {
                let changes = [
                    ("load.concurrency", in_flight),
                    ("load.claims", claims),
                    ("compare.strata", strata),
                    ("compare.noise_threshold", threshold),
                    ("compare.metrics", "[\"service_p50\"]"),
                ];
                forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls
            };
            let [Shortfall::TooNoisy { needed, groups, .. }] = asked(claims, strata)[..] else {
                panic!("{in_flight} in flight: {:?}", asked(claims, strata));
            };
            let groups = groups.map_or_else(|| strata.to_owned(), |groups| groups.to_string());
            assert_eq!(
                asked(&needed.to_string(), &groups),
                [],
                "{in_flight} in flight, {needed} in {groups}"
            );
        }
    }

    #[test]
    fn what_readme_asks_with_several_in_flight_can_be_answered() {
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains("--concurrency 64 --claims 45000 --set compare.noise_threshold=0.06"));
        let changes =
            [("load.concurrency", "64"), ("load.claims", "45000"), ("compare.noise_threshold", "0.06")];
        assert_eq!(forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls, []);
    }

    #[test]
    fn where_more_claims_would_only_make_longer_blocks_more_groups_are_asked_for() {
        let changes = [("load.concurrency", "16"), ("load.claims", "60000")];
        let few = forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls;
        let more = matches!(few[..], [Shortfall::TooNoisy { needed: 60_000, groups: Some(340), .. }]);
        assert!(more, "{few:?}");
    }

    #[test]
    fn the_length_on_an_unknown_machine_is_that_of_a_busy_one() {
        let of_reference = ("load.claims", "20000");
        let own = forecast(&lane_ab(&[of_reference, ("compare.control", "own")]), &SLOW_MACHINE);
        assert_eq!(own.claims, Some(61_000));
        // Staged in 430 us each, claimed in 550 us each, and what is around it.
        assert!((own.length.as_secs_f64() - 64.8).abs() < 0.1, "{own:?}");
        let shared = forecast(&lane_ab(&[of_reference, ("compare.control", "shared")]), &SLOW_MACHINE);
        assert_eq!(shared.claims, Some(31_000));
        // The warm-up, eight fillings of 4,000 executions, and 40 counter blocks.
        assert_eq!(shared.stretches, 1 + 8 + 40);
        let queued = [("load.concurrency", "64"), ("load.claims", "40000")];
        assert_eq!(forecast(&lane_ab(&queued), &SLOW_MACHINE).stretches, 1 + 78 * 3);
        let servers = parse("server-duet", Shipped::find("server-duet").unwrap().text).unwrap();
        // 20,000, half as many of the control's, the counter blocks' 4,000, and the warm-up of three
        // clusters.
        assert_eq!(forecast(&servers, &SLOW_MACHINE).claims, Some(20_000 + 10_000 + 4_000 + 3_000));
    }

    #[test]
    fn claims_of_a_trace_are_not_taken_for_one_a_second() {
        let text = "schema = 1\nname = \"t\"\nsummary = \"s\"\n[population]\nexecutions = 2000\n[load]\nmodel = \"open\"\n\
                    claims = 1000\narrivals = { trace = \"x.txt\" }\n[[variant]]\nname = \"a\"\npath = \"grant-lane\"\n";
        let replayed = forecast(&parse("t.toml", text).unwrap(), &SLOW_MACHINE);
        // Staged in 430 us each, and what is around it.
        assert!((replayed.length.as_secs_f64() - 5.43).abs() < 0.01, "{replayed:?}");
    }

    #[test]
    fn past_runs_of_the_machine_say_how_noisy_and_how_fast_it_is() {
        let arms = [GRANT_LANE, HGET_LANE];
        let past = analyse_as(record(&arms, 1), &scenario(&arms));
        let known = Experience::of([&past]);
        // Log-normal with a spread of 12 %: a median's error is 1.2533 x 0.12, a difference of two is 1.41
        // times that.
        assert!((known.noise_of_claim - 0.21).abs() < 0.07, "{known:?}");
        assert!((known.service_s - 201e-6).abs() < 5e-6, "{known:?}");
        assert_eq!(Experience::of([]), SLOW_MACHINE);
        let mut invalid = past.clone();
        invalid.valid = false;
        assert_eq!(Experience::of([&invalid]), SLOW_MACHINE);
    }
}
