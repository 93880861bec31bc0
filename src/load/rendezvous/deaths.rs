//! Whoever starts generators knows at once that one of them has ended: the one that leads them need not wait
//! for its silence.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

/// What a generator says of itself before it ends counts: its last word has this long to arrive.
const LAST_WORD: Duration = Duration::from_millis(200);

/// The generators that this process has started and that have failed, the first one first.
#[derive(Clone, Debug, Default)]
pub struct Deaths(Rc<State>);

#[derive(Debug, Default)]
struct State {
    all: RefCell<Vec<(u32, String)>>,
    told: Notify,
}

impl Deaths {
    /// Generator `part` has ended, and said this.
    pub fn tell(&self, part: u32, said: String) {
        self.0.all.borrow_mut().push((part, said));
        self.0.told.notify_one();
    }

    /// All of them so far.
    pub fn all(&self) -> Vec<(u32, String)> {
        self.0.all.borrow().clone()
    }

    /// Waits for the first.
    pub(super) async fn first(&self) -> (u32, String) {
        loop {
            let first = self.0.all.borrow().first().cloned();
            if let Some(first) = first {
                tokio::time::sleep(LAST_WORD).await;
                return first;
            }
            self.0.told.notified().await;
        }
    }
}
