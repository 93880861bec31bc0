//! What tells two plans apart.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::planned::PlannedClaim;

/// SHA-256 over every planned claim, the execution by its id, and over a recorded trace: equal plans, equal
/// digests.
#[derive(Default)]
pub struct PlanDigest(Sha256);

impl PlanDigest {
    /// Takes a claim in, whose execution has this id.
    pub fn add(&mut self, claim: &PlannedClaim, execution_id: &str) {
        self.0.update(execution_id);
        self.0.update([claim.arm]);
        self.0.update(format!("{:?};", claim.purpose));
    }

    /// The digest of all claims and a trace.
    pub fn finish(mut self, trace: &[Duration]) -> String {
        for at in trace {
            self.0.update(at.as_nanos().to_le_bytes());
        }
        hex(&self.0.finalize())
    }
}

/// Lower-case hexadecimal.
pub(in crate::load) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
