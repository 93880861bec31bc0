//! What a run will take, and whether it can answer at all: said before it starts instead of after it has.
//!
//! A comparison refuses to judge where the baseline against itself is not known to half the noise threshold.
//! How well that will be known follows from the number of claims and from how noisy claims are, which past
//! results of the machine tell; without any, a slow machine's figures stand for it.

use std::time::Duration;

use crate::scenario::{
    Amount, Arrivals, BlockShape, Compare, HumanDuration, Judged, LoadSection, Metric, Mixing, Mode, Model,
    ROUND_TRIPS, Scenario,
};
use crate::stats::{log_error_of, normal_quantile};

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
    /// Service time of a claim under the load that is asked for, a simulated network's share of it included; `None`
    /// where no past run tells.
    pub service_s: Option<f64>,
    /// Creating, interrupting and granting, for each claim.
    pub staging_s: f64,
}

/// A busy two-core machine: +-0.6 % at 99 % for 15,000 claims on each side of a control, twice the 217 us for
/// each staged grant that a quiet one took. Blocks: controls of results/reference/trials/ at 16 in flight
/// came to 0.13 to 0.16.
const SLOW_MACHINE: Experience =
    Experience { noise_of_claim: 0.3, noise_of_block: 0.14, service_s: None, staging_s: 430e-6 };

/// Service time of a claim there with nothing else in flight and no simulated network.
const SLOW_CLAIM_S: f64 = 550e-6;

/// Starting a cluster and stopping it, creating the first executions, the audit.
const AROUND_S: f64 = 5.0;

/// Claims per second that a generator and servers on one machine are taken to reach with many in flight.
const MOST_PER_S: f64 = 5_000.0;

impl Experience {
    /// From the usable past results that were made under the load of `scenario`; all are of scenarios of this
    /// name and of the same machine. What they do not tell is taken from a slow machine.
    pub fn from_past<'a>(past: impl IntoIterator<Item = &'a RunResult>, scenario: &Scenario) -> Self {
        let mut experience = SLOW_MACHINE;
        let load = offered(&scenario.file().load);
        let says = |result: &&RunResult| result.is_usable() && offered(&result.record.scenario.load) == load;
        for result in past.into_iter().filter(says) {
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
                experience.service_s = Some(us / 1e6);
            }
            if record.staging.grants > 0 {
                experience.staging_s = record.staging.duration_s / record.staging.grants as f64;
            }
        }
        experience
    }
}

/// What claims meet, whatever their number: how they are offered, and through which network. Not how many there are,
/// which is what one would like to know.
fn offered(load: &LoadSection) -> LoadSection {
    LoadSection {
        claims: None,
        duration: None,
        warmup: 0,
        timeout: HumanDuration::default(),
        // Files of earlier versions need not say it.
        concurrency: Some(load.in_flight()),
        ..load.clone()
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
    let claims = window.map(|claims| scenario.claims_in_all(claims));
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

/// Windows and blocks of a run with `claims` claims in all: each filling of the stock is a window, or a few
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
    match scenario.load.model {
        // Only its file knows how long a trace lasts.
        Model::Open { arrivals: Arrivals::Trace { .. }, .. } => 0.0,
        Model::Open { rate_per_sec, .. } => 1.0 / rate_per_sec,
        Model::Closed { concurrency } => {
            let network_s = ROUND_TRIPS * scenario.load.added_rtt.as_secs_f64();
            let service_s = experience.service_s.unwrap_or(SLOW_CLAIM_S + network_s);
            (service_s / f64::from(concurrency)).max(1.0 / MOST_PER_S)
        }
    }
}

fn shortfalls(
    scenario: &Scenario,
    compare: &Compare,
    claims: u64,
    experience: &Experience,
) -> Vec<Shortfall> {
    let each = compared(scenario, compare, claims);
    let mut shortfalls = Vec::new();
    if compare.is_controlled() {
        shortfalls.extend(too_noisy(scenario, compare, claims, experience));
    }
    for &metric in &compare.metrics {
        let Judged::ByInterval { min_claims } = metric.row().judged else { continue };
        if each < min_claims {
            let needed = claims_for(scenario, compare, min_claims);
            shortfalls.push(Shortfall::TooFewForTail { metric, each: min_claims, needed });
        }
    }
    shortfalls
}

/// Compared claims of each arm, out of `claims` over all arms: all strata, or blocks, have the same number of
/// claims, and what is left over is not made. The smallest plan has one on each side; with fewer there is
/// none.
fn compared(scenario: &Scenario, compare: &Compare, claims: u64) -> u64 {
    let sides = match compare.mixing {
        Mixing::Claims => u64::from(compare.strata),
        Mixing::Blocks => 1,
    };
    if claims < sides * scenario.variants.len() as u64 {
        return 0;
    }
    match compare.mixing {
        Mixing::Claims => scenario.side_claims(compare, claims) * u64::from(compare.strata),
        Mixing::Blocks => {
            let shape = scenario.block_shape(compare, claims);
            u64::from(shape.groups) * shape.claims
        }
    }
}

/// The fewest claims over all arms with which `each` claims of every arm are compared.
fn claims_for(scenario: &Scenario, compare: &Compare, each: u64) -> u64 {
    let arms = scenario.variants.len() as u64;
    // Fewer than there are strata are left over.
    let tried = each..=each + u64::from(compare.strata);
    tried.map(|own| own * arms).find(|&all| compared(scenario, compare, all) >= each).unwrap_or(each * arms)
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
    let reach_of_one = normal_quantile(f64::midpoint(1.0, compare.confidence));
    let (noise, units) = match compare.mixing {
        Mixing::Claims => (experience.noise_of_claim, compared(scenario, compare, claims)),
        Mixing::Blocks => {
            (experience.noise_of_block, u64::from(scenario.block_shape(compare, claims).groups))
        }
    };
    let reach = reach_of_one * noise / (units.max(1) as f64).sqrt();
    if reach <= limit {
        return None;
    }
    let units = (reach_of_one * noise / limit).powi(2).ceil() as u64;
    let (needed, groups) = match compare.mixing {
        Mixing::Claims => (rounded_up(claims_for(scenario, compare, units)), None),
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
mod tests;
