//! Which functions of the library a scenario calls: it can be run on every release that has these.

use crate::flowfabric::{
    ClaimExecution, CreateExecution, DelayExecution, DeliverSignal, ExpireSuspension, FUNCTIONS,
    IssueClaimGrant, IssueReclaimGrant, LibraryVersion, MarkLeaseExpired, PromoteDelayed, RenewLease,
    Request as _, ResumeExecution, RevokeLease, SuspendExecution,
};
use reclaim_analysis::scenario::Scenario;

/// Their names, in the order of [`FUNCTIONS`].
pub fn functions_called(scenario: &Scenario) -> Vec<&'static str> {
    // Whatever is interrupted was created and claimed before.
    let mut called =
        vec![LibraryVersion::WHAT, CreateExecution::WHAT, IssueClaimGrant::WHAT, ClaimExecution::WHAT];
    let mix = scenario.interruption;
    for (weight, functions) in [
        (mix.signal, [SuspendExecution::WHAT, DeliverSignal::WHAT]),
        (mix.timeout, [SuspendExecution::WHAT, ExpireSuspension::WHAT]),
        (mix.operator, [SuspendExecution::WHAT, ResumeExecution::WHAT]),
        (mix.delay, [DelayExecution::WHAT, PromoteDelayed::WHAT]),
    ] {
        if weight > 0.0 {
            called.extend(functions);
        }
    }
    if scenario.variants.iter().any(|variant| variant.path.is_lease_reclaim()) {
        called.extend([RevokeLease::WHAT, RenewLease::WHAT, MarkLeaseExpired::WHAT, IssueReclaimGrant::WHAT]);
    }
    called.extend(scenario.variants.iter().flat_map(|variant| variant.path.functions()));
    FUNCTIONS.into_iter().filter(|function| called.contains(function)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::scenario::{SHIPPED, parse};

    fn called(name: &str) -> Vec<&'static str> {
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).unwrap();
        functions_called(&parse(name, shipped.text).unwrap())
    }

    #[test]
    fn a_scenario_calls_what_its_variants_and_interruptions_need() {
        assert!(!called("lane-ab").contains(&"ff_issue_grant_and_claim"));
        assert!(called("claim-paths").contains(&"ff_issue_grant_and_claim"));
        let duet = called("library-duet");
        assert!(duet.contains(&"ff_deliver_signal") && !duet.contains(&"ff_delay_execution"), "{duet:?}");
        let every = SHIPPED.iter().flat_map(|shipped| called(shipped.name));
        let every: std::collections::BTreeSet<_> = every.collect();
        assert_eq!(every.len(), FUNCTIONS.len(), "each function is called by some scenario");
    }
}
