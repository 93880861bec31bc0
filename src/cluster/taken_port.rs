//! A port that was free when it was chosen and taken when a server came to bind it.

/// Between choosing a free port and binding it, another process may take it: how often servers are started.
pub(super) const PORT_ATTEMPTS: u32 = 5;

/// Whether that is what a server's log says.
pub(super) fn is_taken(log: &str) -> bool {
    log.contains("Address already in use")
}
