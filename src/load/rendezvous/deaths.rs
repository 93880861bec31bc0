//! Whoever starts generators knows at once that one of them has ended: the one that leads them need not wait for its silence.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

/// What one says of itself before it ends counts: its word has so long to arrive.
const LAST_WORD: Duration = Duration::from_millis(200);

/// The first one to fail of the generators that this process has started.
#[derive(Clone, Debug, Default)]
pub struct Deaths(Rc<State>);

#[derive(Debug, Default)]
struct State {
    first: RefCell<Option<(u32, String)>>,
    told: Notify,
}

impl Deaths {
    /// Generator `part` has ended, and said this.
    pub fn tell(&self, part: u32, said: &str) {
        self.0.first.borrow_mut().get_or_insert_with(|| (part, said.to_owned()));
        self.0.told.notify_one();
    }

    /// Waits for the first.
    pub(super) async fn first(&self) -> (u32, String) {
        loop {
            let first = self.0.first.borrow().clone();
            if let Some(first) = first {
                tokio::time::sleep(LAST_WORD).await;
                return first;
            }
            self.0.told.notified().await;
        }
    }
}
