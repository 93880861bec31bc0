//! How someone ends a campaign before its time.

use tokio_util::sync::CancellationToken;

/// Two ways to stop, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Claims in flight end, what was written is removed, what was measured is kept and marked.
    pub in_order: CancellationToken,
    /// Nothing is waited for any more.
    pub at_once: CancellationToken,
}

impl Stop {
    /// Whether either was asked for.
    pub fn is_asked(&self) -> bool {
        self.in_order.is_cancelled() || self.at_once.is_cancelled()
    }

    /// What `work` comes to; `None` where it was left at once.
    pub async fn or_left<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.at_once.cancelled() => None,
        }
    }
}
