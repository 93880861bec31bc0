//! How long a rendezvous stands by itself.

use std::time::Duration;

/// How long a rendezvous stands without a sign of life of its leader.
pub(super) const LIFE: Duration = Duration::from_secs(30);
