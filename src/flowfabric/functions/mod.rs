//! One type per function used: its arguments by name, its keys in the order of the library's comments, its reply as an
//! outcome.

mod claim;
mod create;
mod delay;
mod grant;
#[cfg(test)]
mod order_tests;
mod signal;
mod suspend;
mod version;

pub use claim::{ClaimExecution, ClaimResumedExecution, ClaimedLease, FusedLease, IssueGrantAndClaim};
pub use create::{CreateExecution, CreateOutcome};
pub use delay::{DelayExecution, PromoteDelayed, PromoteOutcome};
pub use grant::IssueClaimGrant;
pub use signal::{DeliverSignal, MAX_SIGNALS_PER_EXECUTION, SignalOutcome};
pub use suspend::{
    ExpireOutcome, ExpireSuspension, ResumeExecution, ResumeOutcome, ResumeTrigger, SuspendExecution,
    SuspendOutcome, Suspension,
};
pub use version::LibraryVersion;

use super::request::Request;

/// Names of all functions used here: a library that lacks one of them cannot be measured.
pub const FUNCTIONS: [&str; 12] = [
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
