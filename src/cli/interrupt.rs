//! Ctrl-C and SIGTERM: the first one ends the run in order, the second one at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Turns the first signal into a cancellation and waits for the second one; that one's arrival is the value of the
/// future, which otherwise never ends.
pub async fn second_signal(cancel: CancellationToken, notify: impl Fn(&str)) -> std::io::Result<()> {
    let mut signals = Signals::new()?;
    signals.next().await;
    notify("interrupted: finishing claims in flight, cleaning up; once more to leave at once");
    cancel.cancel();
    signals.next().await;
    Ok(())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
