//! What several generators can share: refused before anything is started, each with its reason.

use reclaim_analysis::scenario::{Mixing, Mode, Model, Scenario};

/// Generators that one run may have: more than a server could hear.
pub const MOST_GENERATORS: u32 = 1_024;

/// Why a scenario cannot be shared by this number of generators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotShareable {
    /// Each needs a claim of its own in flight.
    #[error(
        "{concurrency} {} in flight cannot be shared by {of} generators: give --concurrency {of} or more, or an open loop \
         (--rate)",
        if *.concurrency == 1 { "claim" } else { "claims" }
    )]
    TooFewInFlight {
        /// Claims in flight.
        concurrency: u32,
        /// Generators.
        of: u32,
    },
    /// Each makes as many claims as any other, and those with more in flight are done long before the rest.
    #[error(
        "{concurrency} claims in flight cannot be shared evenly by {of} generators: those with more of them would be done long \
         before the others, and the load would be smaller from then on. Give --concurrency a multiple of {of}, or an open loop \
         (--rate)"
    )]
    UnevenInFlight {
        /// Claims in flight.
        concurrency: u32,
        /// Generators.
        of: u32,
    },
    /// Executions go round, and each needs one of its own.
    #[error(
        "population.executions = {executions} cannot be shared by {of} generators: where executions go round, or are a storm, \
         each generator needs one of its own. Give --set population.executions={of} or more"
    )]
    TooFewExecutions {
        /// Executions.
        executions: u32,
        /// Generators.
        of: u32,
    },
    /// No number of generators.
    #[error("{of} generators: a run has 1 to {} of them", MOST_GENERATORS)]
    Count {
        /// As many.
        of: u32,
    },
    /// Something in the scenario is for one generator alone.
    #[error("{scenario}: several generators cannot share {what} yet; run it with one")]
    What {
        /// Its name.
        scenario: String,
        /// What.
        what: &'static str,
    },
}

impl NotShareable {
    /// Checks that so many generators can have so many claims in flight together for all of a window in which
    /// each makes as many claims as any other: each needs one, and none may have over a fifth more than
    /// another. By their numbers alone it is done when a sixth of the window is left then; more than a fifth
    /// would make the run invalid, and machines are not quite alike.
    pub fn check_in_flight(concurrency: u32, of: u32) -> Result<(), Self> {
        let of = of.max(1);
        let (fewest, most) = (u64::from(concurrency / of), u64::from(concurrency.div_ceil(of)));
        if fewest == 0 {
            return Err(Self::TooFewInFlight { concurrency, of });
        }
        if 6 * fewest < 5 * most {
            return Err(Self::UnevenInFlight { concurrency, of });
        }
        Ok(())
    }
}

/// Checks that `of` generators can share the runs of a scenario.
pub fn shareable(scenario: &Scenario, of: u32) -> Result<(), NotShareable> {
    if !(1..=MOST_GENERATORS).contains(&of) {
        return Err(NotShareable::Count { of });
    }
    if of == 1 {
        return Ok(());
    }
    let sdk =
        |variant: &reclaim_analysis::scenario::VariantSpec| variant.path.is_sdk() || variant.sdk.is_some();
    let for_one = [
        (!scenario.faults.is_empty(), "faults that are done to the servers ([[fault]])"),
        (scenario.variants.iter().any(sdk), "claims that FlowFabric's SDK makes"),
    ];
    if let Some((_, what)) = for_one.iter().find(|(found, _)| *found) {
        return Err(NotShareable::What { scenario: scenario.name.clone(), what });
    }
    let executions = scenario.population.executions;
    if scenario.load.mode != Mode::Staged && executions < of {
        return Err(NotShareable::TooFewExecutions { executions, of });
    }
    match scenario.load.model {
        Model::Closed { concurrency } => match NotShareable::check_in_flight(concurrency, of) {
            Err(NotShareable::UnevenInFlight { .. }) if !has_one_window(scenario) => Ok(()),
            checked => checked,
        },
        Model::Open { .. } => Ok(()),
    }
}

/// Whether claims that are dealt out evenly go through one window. A block's rate is the sum of the
/// generators', each over its own time; a storm's executions and those that go round are shared as its workers
/// are done.
fn has_one_window(scenario: &Scenario) -> bool {
    let in_blocks = scenario.compare.as_ref().is_some_and(|compare| compare.mixing == Mixing::Blocks);
    scenario.load.mode == Mode::Staged && !in_blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::scenario::{Draft, Shipped};

    fn shipped(name: &str, more: &str) -> Scenario {
        let text = Shipped::find(name).unwrap().text;
        Draft::new(name, &format!("{text}{more}")).check().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_one_generator_alone_can_do_is_refused_by_name() {
        let of = |name| shareable(&shipped(name, ""), 2).map_err(|error| error.to_string());
        for (name, part) in [("failover", "faults"), ("worker-paths", "FlowFabric's SDK")] {
            let Some(shipped) = Shipped::find(name) else { panic!("{name} is not shipped") };
            let said = of(shipped.name).unwrap_err();
            assert!(said.contains(part) && said.contains("several generators"), "{name}: {said}");
            assert!(shareable(&super::tests::shipped(name, ""), 1).is_ok());
        }
    }

    #[test]
    fn executions_that_go_round_and_storms_need_one_for_each_generator() {
        for name in ["steady", "storm"] {
            let mut scenario = shipped(name, "");
            assert_eq!(shareable(&scenario, 8), Ok(()), "{name}");
            scenario.population.executions = 7;
            let said = shareable(&scenario, 8).unwrap_err().to_string();
            assert!(said.starts_with("population.executions = 7 cannot be shared by 8 generators"), "{said}");
            assert_eq!(shareable(&scenario, 7), Ok(()));
            scenario.load.mode = Mode::Staged;
            assert_eq!(shareable(&scenario, 8), Ok(()), "what nobody claims is nobody's");
        }
        assert_eq!(shareable(&shipped("grant-expiry", ""), 8), Ok(()));
    }

    #[test]
    fn every_generator_needs_a_claim_in_flight() {
        use crate::load::fixtures::scenario;
        use reclaim_analysis::scenario::VariantPath::GrantLane;
        let mut one = scenario(&[GrantLane]);
        let of = |scenario: &Scenario, of| shareable(scenario, of).map_err(|error| error.to_string());
        let said = of(&one, 2).unwrap_err();
        assert!(said.starts_with("1 claim in flight cannot be shared by 2 generators"), "{said}");
        one.load.model = Model::Closed { concurrency: 8 };
        assert_eq!(of(&one, 8), Ok(()));
        assert!(of(&one, 9).unwrap_err().starts_with("8 claims in flight"));
        assert!(of(&one, 0).is_err() && of(&one, MOST_GENERATORS + 1).is_err());
    }

    #[test]
    fn claims_in_flight_that_cannot_be_shared_evenly_are_refused_where_there_is_one_window() {
        use crate::load::fixtures::scenario;
        use reclaim_analysis::scenario::VariantPath::GrantLane;
        let mut one = scenario(&[GrantLane]);
        one.load.model = Model::Closed { concurrency: 3 };
        let said = shareable(&one, 2).unwrap_err().to_string();
        assert!(said.starts_with("3 claims in flight cannot be shared evenly by 2 generators"), "{said}");
        assert!(said.contains("a multiple of 2"), "{said}");
        // Five and four are the limit itself, and no machine is just like another.
        one.load.model = Model::Closed { concurrency: 9 };
        assert_eq!(shareable(&one, 2), Err(NotShareable::UnevenInFlight { concurrency: 9, of: 2 }));
        one.load.model = Model::Closed { concurrency: 11 };
        assert_eq!((shareable(&one, 2), shareable(&one, 1)), (Ok(()), Ok(())));
        one.load.model = Model::Closed { concurrency: 3 };
        one.load.mode = Mode::Churn;
        assert_eq!(shareable(&one, 2), Ok(()), "there it is said alone");
        let mut compared = shipped("lane-ab", "");
        compared.load.model = Model::Closed { concurrency: 3 };
        compared.compare.as_mut().unwrap().mixing = Mixing::Blocks;
        assert_eq!(shareable(&compared, 2), Ok(()), "each has its own time in a block");
    }
}
