//! Ctrl-C and SIGTERM: the first one ends the work in order, the second one at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::campaign::Stop;

/// Does the work, and tells it through its [`Stop`] when a signal arrives.
pub(super) async fn with_signals<T>(
    notify: impl Fn(&str),
    work: impl AsyncFnOnce(&Stop) -> T,
) -> std::io::Result<T> {
    let (stop, mut signals) = (Stop::default(), Signals::new()?);
    let listen = async {
        signals.next().await;
        notify("interrupted: finishing claims in flight, cleaning up; once more to leave at once");
        stop.in_order.cancel();
        signals.next().await;
        stop.at_once.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = work(&stop) => Ok(done),
        () = listen => std::future::pending().await,
    }
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
