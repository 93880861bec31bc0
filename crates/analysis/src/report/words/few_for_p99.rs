//! Too few claims of a probe.

use crate::scenario::TooFewForP99;

/// What is wrong with a capacity search's number of claims, and what to do, without a full stop. The number
/// is a setting's: written as a scenario has it.
pub(in super::super) fn few_for_p99(few: &TooFewForP99) -> String {
    let TooFewForP99 { claims, beyond, wanted_beyond, enough } = few;
    format!(
        "capacity.claims = {claims} leaves {beyond} claims of a probe beyond the 99th percentile, and {wanted_beyond} are \
         wanted: use {enough} or more"
    )
}
