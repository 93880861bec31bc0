//! Everything around the claim.

mod ledger;
mod population;
