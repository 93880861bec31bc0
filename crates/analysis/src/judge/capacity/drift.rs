//! Whether the machine's speed changed during a search, by what the same work cost at different times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::ProbeLoad;
use super::probe::{Probe, ProbeVerdict};

/// The machine's speed changed if the same work at the same rate cost this much more CPU at another time.
const DRIFTED: f64 = 1.15;

/// How far apart the costs of the same work were.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Claims per second.
    pub rate_per_s: f64,
    /// Least main-thread CPU per claim of a probe, in µs.
    pub least_us: f64,
    /// Most, in µs.
    pub most_us: f64,
}

impl Drift {
    /// Most over least.
    pub fn ratio(&self) -> f64 {
        self.most_us / self.least_us
    }

    /// Whether that is more than one probe differs from the next by itself: the machine's speed changed.
    pub fn is_notable(&self) -> bool {
        self.ratio() > DRIFTED
    }

    /// Of the rate at which the costs are furthest apart; `None` where no rate was probed twice.
    pub(super) fn among(probes: &[Probe]) -> Option<Self> {
        let measured = |probe: &Probe| match (probe.offer, probe.cpu_us_per_claim) {
            (ProbeLoad::Open { rate_per_s }, Some(us))
                if probe.verdict != ProbeVerdict::Invalid && us > 0.0 =>
            {
                Some((rate_per_s, us))
            }
            _ => None,
        };
        let mut costs: Vec<(f64, f64)> = probes.iter().filter_map(measured).collect();
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        costs
            .chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq())
            .filter(|same| same.len() > 1)
            .map(|same| {
                let all = same.iter().map(|(_, us)| *us);
                let ends = (all.clone().fold(f64::INFINITY, f64::min), all.fold(0.0, f64::max));
                Self { rate_per_s: same[0].0, least_us: ends.0, most_us: ends.1 }
            })
            .max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
    }
}
