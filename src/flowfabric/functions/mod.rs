//! One type per function used: its arguments by name, its keys in the order of the library's comments, its
//! reply as an outcome.

mod claim;
mod create;
mod delay;
mod inside;
mod issue_claim_grant;
mod lease;
#[cfg(test)]
mod order_tests;
mod reclaim;
mod signal;
mod suspend;
mod version;

pub use claim::{ClaimExecution, ClaimResumedExecution, ClaimedLease, FusedLease, IssueGrantAndClaim};
pub use create::{CreateExecution, CreateOutcome};
pub use delay::{DelayExecution, PromoteDelayed, PromoteOutcome};
pub use inside::ReadInside;
pub(crate) use inside::{DO_NOTHING, READ_INSIDE, do_nothing};
pub use issue_claim_grant::IssueClaimGrant;
pub use lease::{MarkLeaseExpired, MarkOutcome, RenewLease, RevokeLease};
pub use reclaim::{IssueReclaimGrant, MAX_RECLAIMS_PER_EXECUTION, ReclaimExecution};
pub use signal::{DeliverSignal, MAX_SIGNALS_PER_EXECUTION, SignalOutcome};
pub use suspend::{
    ExpireOutcome, ExpireSuspension, ResumeExecution, ResumeOutcome, ResumeTrigger, SuspendExecution,
    SuspendOutcome, Suspension,
};
pub use version::LibraryVersion;

use super::request::Request;

/// Functions that not every release has, with the first one that does. The others stand in all of ff-script 0.1.1, 0.2.0,
/// 0.3.4, 0.4.0, 0.5.0, 0.6.1, 0.8.1, 0.9.0, 0.10.0, 0.11.0, 0.12.0, 0.13.0, 0.14.1 and 0.15.0, as published: found by
/// looking for their registrations in `src/flowfabric.lua` of each.
const SINCE: [(&str, &str); 1] = [(IssueGrantAndClaim::WHAT, "0.13")];

/// The release of FlowFabric that brought a function; `None` for one that has always been there.
pub fn release_of(function: &str) -> Option<&'static str> {
    SINCE.iter().find(|(known, _)| *known == function).map(|(_, release)| *release)
}

/// Names of all functions used here. A run needs those that its scenario calls.
pub const FUNCTIONS: [&str; 17] = [
    CreateExecution::WHAT,
    IssueClaimGrant::WHAT,
    ClaimExecution::WHAT,
    ClaimResumedExecution::WHAT,
    IssueGrantAndClaim::WHAT,
    SuspendExecution::WHAT,
    DelayExecution::WHAT,
    DeliverSignal::WHAT,
    ExpireSuspension::WHAT,
    ResumeExecution::WHAT,
    PromoteDelayed::WHAT,
    RevokeLease::WHAT,
    RenewLease::WHAT,
    MarkLeaseExpired::WHAT,
    IssueReclaimGrant::WHAT,
    ReclaimExecution::WHAT,
    LibraryVersion::WHAT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_library_registers_every_function_used() {
        for function in FUNCTIONS {
            let registered = format!("register_function('{function}'");
            assert!(ff_script::LIBRARY_SOURCE.contains(&registered), "{function} is not registered");
        }
    }
}
