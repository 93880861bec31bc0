//! Ctrl-C, SIGTERM, and SIGHUP when a terminal goes away: the first one ends the work in order, the second
//! one at once.

use std::convert::Infallible;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::terminal::Terminal;
use crate::campaign::{Stop, Watch as _};
use crate::load::Progress as _;
use crate::valkey::NodeAddr;

/// Does the work, and tells it through its [`Stop`] when a signal arrives. `nodes` are those of a running
/// cluster, on which something may stay where the work is left at once.
pub(super) async fn with_signals<T>(
    terminal: &Terminal,
    nodes: &[NodeAddr],
    work: impl AsyncFnOnce(&Stop) -> T,
) -> std::io::Result<T> {
    let (stop, signals) = (Stop::default(), Signals::new()?);
    tokio::select! {
        done = work(&stop) => Ok(done),
        never = listen(signals, &stop, terminal, nodes) => match never {},
    }
}

/// Tells what is going on that a signal has arrived, and the next one.
async fn listen(mut signals: Signals, stop: &Stop, terminal: &Terminal, nodes: &[NodeAddr]) -> Infallible {
    signals.next().await;
    terminal.note("interrupted: finishing claims in flight, cleaning up; once more to leave at once");
    stop.in_order.cancel();
    signals.next().await;
    if !nodes.is_empty() {
        let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        terminal.warn(&format!(
            "left at once: what was written stays on the cluster; `reclaim-bench clean --nodes {}` removes it",
            nodes.join(",")
        ));
    }
    stop.at_once.cancel();
    std::future::pending().await
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`, which wants the work to go on without a terminal.
    hang_up: Option<Signal>,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let hang_up = SignalKind::hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if is_ignored(hang_up) { None } else { Some(signal(hang_up)?) },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = async { self.hang_up.as_mut()?.recv().await } => {}
        }
    }
}

/// Whether whoever started this process had it ignore the signal.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status).is_some_and(|ignored| (ignored >> (kind.as_raw_value() - 1)) & 1 == 1)
}

/// The mask of ignored signals in `/proc/PID/status`; bit 0 is signal 1.
fn ignored_in(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert_eq!(ignored_in("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"), Some(0x1001));
        assert_eq!(ignored_in("Name:\tx\n"), None);
        assert!(!is_ignored(SignalKind::terminate()));
    }
}
