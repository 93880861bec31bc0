//! Waiting for a machine that other programs or its host keep busy.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::machine::{MachineCpu, host};

/// Longest wait before a probe is made again.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Looks in a row that must find it quiet.
const QUIET_LOOKS: u32 = 3;

/// Share of the cores that may be used meanwhile: servers that wait use next to none.
const USED: f64 = 0.15;

/// Share of the cores that the host may take. An idle machine can lose little more.
const TAKEN: f64 = 0.01;

/// Waits until the machine is quiet, until `longest` is over, or until it is cancelled, and tells each second
/// how long it may still take. Where the system does not say what its cores do, that is all of `longest`.
pub(super) async fn wait(longest: Duration, cancel: &CancellationToken, tell: impl FnMut(Duration)) {
    let cores = f64::from(host().cores.max(1));
    watch(longest, cancel, MachineCpu::now, cores, tell).await;
}

async fn watch(
    longest: Duration,
    cancel: &CancellationToken,
    mut look: impl FnMut() -> Option<MachineCpu>,
    cores: f64,
    mut tell: impl FnMut(Duration),
) {
    let until = Instant::now() + longest;
    let (mut before, mut looks) = (look(), 0);
    while Instant::now() < until && looks < QUIET_LOOKS {
        tell(until - Instant::now());
        tokio::select! {
            () = sleep(LOOK.min(until - Instant::now())) => {}
            () = cancel.cancelled() => return,
        }
        let now = look();
        let used = before.zip(now).map(|(before, now)| now.since(before));
        let quiet = used.is_some_and(|used| {
            let share = |seconds: f64| seconds / LOOK.as_secs_f64() / cores;
            share(used.busy_s - used.stolen_s) < USED && share(used.stolen_s) < TAKEN
        });
        (before, looks) = (now, if quiet { looks + 1 } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until a machine whose cores do this, second by second, counts as quiet.
    async fn waited(seconds: Vec<Option<(f64, f64)>>) -> u64 {
        let (mut sum, mut seconds) = (MachineCpu::default(), seconds.into_iter());
        let mut first = true;
        let look = || {
            if std::mem::take(&mut first) {
                return Some(sum);
            }
            let (used_s, stolen_s) = seconds.next().unwrap_or(Some((0.0, 0.0)))?;
            sum = MachineCpu { busy_s: sum.busy_s + used_s + stolen_s, stolen_s: sum.stolen_s + stolen_s };
            Some(sum)
        };
        let begun = Instant::now();
        let mut told = Vec::new();
        watch(LONGEST, &CancellationToken::new(), look, 2.0, |left| told.push(left.as_secs())).await;
        assert!(told[0] == LONGEST.as_secs() && told.windows(2).all(|two| two[1] < two[0]), "{told:?}");
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_machine_is_waited_for_and_not_for_ever() {
        assert_eq!(waited(vec![]).await, 3);
        assert_eq!(waited(vec![Some((0.1, 0.0)), Some((0.9, 0.0)), Some((0.1, 0.0))]).await, 5);
        assert_eq!(waited(vec![Some((0.0, 0.3)); 4]).await, 7, "what the host takes is no quiet");
        assert_eq!(waited(vec![Some((1.8, 0.0)); 100]).await, 30);
        assert_eq!(waited(vec![None; 100]).await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_wait_ends_at_once() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let begun = Instant::now();
        wait(LONGEST, &cancel, |_| ()).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
