//! What merging must know of each stretch of claims that a part made: how long it lasted, and when nothing
//! succeeded in it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shortest span without a success that a part keeps, in nanoseconds. What no part kept is shorter.
pub const QUIET_NS: u64 = 100_000_000;

/// One batch of a part's window. All parts begin it at the same moment, so that times from its begin mean the
/// same in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchNote {
    /// How long it lasted, in nanoseconds.
    pub active_ns: u64,
    /// Arms (index into [`RunRecord::arms`](super::RunRecord::arms)) whose time it was; none in a block.
    pub arms: Vec<u32>,
    /// Whether a claim succeeded that counts.
    pub succeeded: bool,
    /// When the last claim succeeded, the warm-up's included, in nanoseconds from its begin; 0 where none
    /// did.
    pub quiet_since_ns: u64,
    /// Spans of a tenth of a second or longer without a success, from and until, that a claim that counts
    /// ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet_ns: Vec<[u64; 2]>,
}

/// The batches that have ended, and what is known of the current one.
#[derive(Clone, Debug, Default)]
pub(super) struct BatchNotes {
    ended: Vec<BatchNote>,
    current: BatchNote,
}

impl BatchNotes {
    /// A claim that counts succeeded, the first since then.
    pub fn success(&mut self, since: Duration, done: Duration) {
        self.current.succeeded = true;
        let span = [nanos(since), nanos(done)];
        if span[1].saturating_sub(span[0]) >= QUIET_NS {
            self.current.quiet_ns.push(span);
        }
    }

    /// The current batch ends after so long; nothing has succeeded in it since then.
    pub fn end(&mut self, active: Duration, since: Duration, arms: Vec<u32>) {
        let current = std::mem::take(&mut self.current);
        self.ended.push(current.with(active, since, arms));
    }

    /// All of them, the current one included if it has begun.
    pub fn all(&self, active: Duration, since: Duration, arms: Vec<u32>) -> Vec<BatchNote> {
        let current = (!active.is_zero()).then(|| self.current.clone().with(active, since, arms));
        self.ended.iter().cloned().chain(current).collect()
    }
}

impl BatchNote {
    fn with(self, active: Duration, since: Duration, arms: Vec<u32>) -> Self {
        Self { active_ns: nanos(active), arms, quiet_since_ns: nanos(since), ..self }
    }
}

/// A time as notes keep it.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
