//! Several generators in one run: what a part says of itself, and what stays of each part where they were
//! merged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conditions, GeneratorUse, Histogram, Host};

/// Which of several generators made a record, and what ties it to the others. Only in a part's own record;
/// merging takes it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartNote {
    /// From 1. The first one led: it alone has the servers' counters, with what all parts sent.
    pub number: u32,
    /// So many generators were in the run.
    pub of: u32,
    /// The name under which they met on the cluster.
    pub rendezvous: String,
    /// When it began each window and each block, warm-up aside, by the clock of the server on which they met,
    /// in microseconds since the epoch.
    pub began_us: Vec<u64>,
}

/// One generator of a run that several made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorRecord {
    /// Which part it was, from 1.
    pub part: u32,
    /// Its machine.
    pub host: Host,
    /// Claims of the window that succeeded, of all arms; the control's and the blocks' are among them.
    pub claims: u64,
    /// What it used in the window; `window_s` is the time of its own, in which it made claims. In a closed
    /// loop that ends when its last claim is done, however long the others go on.
    pub used: GeneratorUse,
    /// sent - scheduled of its claims; empty in a closed loop.
    pub send_lag: Histogram,
    /// How much later than the first one it began, at most over all windows and blocks, in microseconds.
    pub late_us: u64,
    /// Which window or block that was, from 1 in the order of time.
    pub late_in: u32,
    /// Share of the time of all windows and blocks that was over when it began them; `None` in results of
    /// versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_share: Option<f64>,
    /// Longest span of its own window without a successful claim of its own; `None` in results of versions
    /// that kept that of all generators together alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap_s: Option<f64>,
    /// Such spans of a tenth of a second or longer, all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_s: Option<f64>,
    /// Largest of the medians of its variants' service times, in microseconds: spans that its claims take
    /// themselves are no stall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_p50_us: Option<f64>,
    /// How its threads and cores were arranged, where that was otherwise than the first one's
    /// (`environment.conditions`) or another generator was bound to the same core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
}
