//! The scenario of a search at one load, and how long a probe of it takes.

use std::time::Duration;

use reclaim_analysis::judge::capacity::ProbeLoad;
use reclaim_analysis::scenario::{
    ArrivalsForm, HumanDuration, InvalidScenario, ModelForm, Scenario, ScenarioFile, stock_for,
};

/// How many claims a probe makes, and how long they take by their schedule. A closed loop has none.
pub(super) struct ProbeSize {
    claims: u64,
    window: Duration,
}

impl ProbeSize {
    /// Of a probe of `base` with this load.
    pub(super) fn for_load(base: &ScenarioFile, offer: ProbeLoad) -> Self {
        match offer {
            ProbeLoad::Open { rate_per_s } => {
                let claims = claims_at(base, rate_per_s);
                Self { claims, window: Duration::from_secs_f64(claims as f64 / rate_per_s) }
            }
            ProbeLoad::Closed { .. } => Self { claims: base.capacity().curve_claims, window: Duration::ZERO },
        }
    }
}

/// What a probe took beside its window, for each claim: creating, staging, reading back, removing.
#[derive(Clone, Copy)]
pub(super) struct ProbePace {
    per_claim: Duration,
}

impl ProbePace {
    /// Before anything was measured: what small virtual machines took.
    pub(super) const FIRST: Self = Self { per_claim: Duration::from_micros(800) };

    /// As a probe took in fact.
    pub(super) fn measured(amount: &ProbeSize, took: Duration) -> Self {
        Self { per_claim: took.saturating_sub(amount.window).div_f64(amount.claims.max(1) as f64) }
    }

    /// How long a probe takes, as the one before it went.
    pub(super) fn expected(self, amount: &ProbeSize) -> Duration {
        amount.window + self.per_claim.mul_f64(amount.claims as f64)
    }
}

fn claims_at(base: &ScenarioFile, rate_per_s: f64) -> u64 {
    let section = base.capacity();
    section.claims.max((rate_per_s * section.window.0.as_secs_f64()).ceil() as u64)
}

/// The scenario at one load.
pub(super) fn at_load(base: &ScenarioFile, offer: ProbeLoad) -> Result<Scenario, InvalidScenario> {
    let (mut file, section) = (base.clone(), base.capacity());
    let load = &mut file.load;
    load.duration = None;
    let executions = match offer {
        ProbeLoad::Open { rate_per_s } => {
            let claims = claims_at(base, rate_per_s);
            (load.model, load.concurrency) = (ModelForm::Open, None);
            (load.rate, load.claims) = (Some(rate_per_s), Some(claims));
            if let Some(ArrivalsForm::Burst(burst)) = &mut load.arrivals {
                // The same bursts, more or less often.
                burst.every = HumanDuration(Duration::from_secs_f64(f64::from(burst.size) / rate_per_s));
            }
            stock_for(claims)
        }
        ProbeLoad::Closed { concurrency } => {
            (load.model, load.concurrency) = (ModelForm::Closed, Some(concurrency));
            (load.rate, load.arrivals, load.claims) = (None, None, Some(section.curve_claims));
            section.curve_claims
        }
    };
    // All of the window in one go, and the warm-up before it: nothing is staged between claims.
    file.population.executions = u32::try_from(executions + load.warmup).unwrap_or(u32::MAX);
    Scenario::try_from(&file)
}
