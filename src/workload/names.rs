//! The names that this tool gives on the servers, by which it knows again what is its own.

/// Start of the name of every lane that this tool uses.
pub const LANE_PREFIX: &str = "reclaim-bench-";

/// Name of the worker that all grants are issued to.
pub(super) const WORKER: &str = "reclaim-bench";

/// Name of the worker's one instance. Its leases' index is recognised by it after a crash.
pub(super) const INSTANCE: &str = "reclaim-bench-0";

/// Name of the signal that satisfies every suspension.
pub(super) const SIGNAL: &str = "reclaim-bench";

/// First six bytes of every UUID that this tool makes. With the version (8, "vendor-specific") they tell its
/// keys from everybody else's, even where no execution points to them any more.
pub(super) const TAG: [u8; 6] = *b"reclb-";

/// How every UUID of this tool starts in text.
pub(super) const UUID_TEXT_PREFIX: &str = "7265636c-622d-8";

/// Whether a UUID or a key that contains one was made by this tool.
pub(super) fn is_ours(text: &str) -> bool {
    text.contains(UUID_TEXT_PREFIX)
}
