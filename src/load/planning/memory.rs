//! What a run must hold at once: the generator its plan and its schedule before the first claim, the servers
//! the population.

use std::mem::size_of;
use std::time::Duration;

use super::plan::claims_wanted;
use super::planned::PlannedClaim;
use reclaim_analysis::record::Purpose;
use reclaim_analysis::scenario::{Mode, Model, Scenario};

/// Bytes that the plan and the schedule of a scenario take, without which no claim can be made. `trace` is
/// what the scenario replays, if it does.
pub fn memory_needed(scenario: &Scenario, trace: &[Duration]) -> u64 {
    let load = &scenario.load;
    // A circulating closed loop decides as it goes.
    let scheduled = matches!(load.model, Model::Open { .. });
    let planned = load.mode == Mode::Staged;
    let mut claims = if scheduled || planned { claims_wanted(scenario, trace) } else { 0 };
    let mut each = if scheduled { size_of::<Duration>() } else { 0 };
    if planned {
        claims += scenario.claims_beside(claims);
        each += size_of::<PlannedClaim>() + size_of::<(u8, Purpose)>();
    }
    claims.saturating_mul(each as u64)
}

/// What an execution takes on its server beside its payload, in bytes: its keys, its entries in indexes, and
/// a waitpoint. Measured with FlowFabric 0.15 on Valkey 9.1 (a test compares it with the servers').
const EXECUTION_BYTES: u64 = 15_000;

/// Bytes that the population of a scenario takes on all primaries together, at least.
pub fn server_memory_needed(scenario: &Scenario) -> u64 {
    let population = &scenario.population;
    u64::from(population.executions).saturating_mul(EXECUTION_BYTES + u64::from(population.payload_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::scenario;
    use reclaim_analysis::scenario::VariantPath::GrantLane;
    use reclaim_analysis::scenario::{Amount, Arrivals};

    #[test]
    fn a_day_at_a_high_rate_does_not_fit_and_a_minute_does() {
        let mut scenario = scenario(&[GrantLane]);
        scenario.load.mode = Mode::Churn;
        scenario.load.model = Model::Open { rate_per_sec: 100_000.0, arrivals: Arrivals::Poisson };
        scenario.load.amount = Amount::Duration(Duration::from_hours(24));
        let day = memory_needed(&scenario, &[]);
        assert!((130..150).contains(&(day / 1_000_000_000)), "{day}");
        scenario.load.amount = Amount::Duration(Duration::from_mins(1));
        assert!(memory_needed(&scenario, &[]) < 100_000_000);
        scenario.load.model = Model::Closed { concurrency: 8 };
        assert_eq!(memory_needed(&scenario, &[]), 0);
    }

    #[test]
    fn a_staged_plan_counts_every_claim() {
        let mut scenario = scenario(&[GrantLane]);
        scenario.load.amount = Amount::Claims(100_000_000);
        assert!(memory_needed(&scenario, &[]) > 2_000_000_000);
    }
}
