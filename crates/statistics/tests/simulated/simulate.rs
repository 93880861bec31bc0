//! Service times whose truth is known: neighbours resemble each other, arms are mixed at random within
//! strata.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Correlation of neighbouring requests, as measured on real runs.
const PHI: f64 = 0.4;

/// Shape of the service times.
#[derive(Clone, Copy, Debug)]
pub enum Population {
    /// Log-normal, spread 20 %.
    LogNormal,
    /// A fast mode and, for three claims in ten, one 60 % slower.
    Bimodal,
    /// Log-normal, and the machine's speed wanders by about 5 % from stratum to stratum.
    Drifting,
}

/// How the effect itself wanders from stratum to stratum: an autoregression of first order in its logarithm.
#[derive(Clone, Copy, Debug)]
pub struct Drift {
    /// Correlation of neighbouring strata's effects.
    pub persistence: f64,
    /// Standard deviation of the effect, in units of a stratum's own noise.
    pub size: f64,
}

/// Baseline and candidate of each stratum.
pub type Strata = Vec<(Vec<f64>, Vec<f64>)>;

pub struct Simulation {
    rng: ChaCha8Rng,
    latent: [f64; 2],
}

impl Simulation {
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), latent: [0.0; 2] }
    }

    /// Standard normal by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let (radius, angle): (f64, f64) = (self.rng.random(), self.rng.random());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// The next value of an AR(1) series with unit variance.
    fn latent(&mut self, which: usize) -> f64 {
        let innovation = self.normal();
        self.latent[which] = PHI * self.latent[which] + (1.0 - PHI * PHI).sqrt() * innovation;
        self.latent[which]
    }

    fn service_us(&mut self, population: Population) -> f64 {
        match population {
            Population::LogNormal | Population::Drifting => 200.0 * (0.2 * self.latent(0)).exp(),
            Population::Bimodal => {
                // 0.5244 is the 70th percentile of the standard normal.
                let slow = if self.latent(1) > 0.5244 { 1.6 } else { 1.0 };
                slow * 200.0 * (0.08 * self.latent(0)).exp()
            }
        }
    }

    /// Differences of the logarithms, stratum by stratum, of an effect that drifts about `mean`; a stratum's
    /// own noise is 1 %.
    pub fn drifting_effect(&mut self, drift: Drift, strata: usize, mean: f64) -> Vec<f64> {
        let mut effect = self.normal();
        (0..strata)
            .map(|_| {
                let innovation = self.normal();
                effect = drift.persistence * effect + (1.0 - drift.persistence.powi(2)).sqrt() * innovation;
                mean + 0.01 * (drift.size * effect + self.normal())
            })
            .collect()
    }

    /// One series of claims in the order taken.
    pub fn series(&mut self, population: Population, claims: usize) -> Vec<f64> {
        (0..claims).map(|_| self.service_us(population)).collect()
    }

    /// A paired run; the candidate's service times are `slower` times what the baseline would have seen.
    pub fn strata(&mut self, population: Population, strata: usize, each: usize, slower: f64) -> Strata {
        let mut level = 0.0_f64;
        (0..strata)
            .map(|_| {
                if matches!(population, Population::Drifting) {
                    level = 0.9 * level + 0.05 * self.normal();
                }
                let mut order: Vec<bool> = (0..2 * each).map(|i| i % 2 == 0).collect();
                order.shuffle(&mut self.rng);
                let (mut baseline, mut candidate) = (Vec::with_capacity(each), Vec::with_capacity(each));
                for is_candidate in order {
                    let time = level.exp() * self.service_us(population);
                    if is_candidate {
                        candidate.push(slower * time);
                    } else {
                        baseline.push(time);
                    }
                }
                (baseline, candidate)
            })
            .collect()
    }
}

pub fn borrowed(strata: &Strata) -> Vec<(&[f64], &[f64])> {
    strata.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect()
}
