//! Whether a search was made in one go: what differs between two days is in no interval.

use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::Probe;

/// Longer than this no search waits from the end of one probe to the start of the next: somebody went on with
/// it (`--resume`).
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// A search that was made in several goes. Its intervals are drawn from probes of all of them; of what the
/// machine does otherwise on another day, so few goes say next to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Goes {
    /// How many.
    pub count: u32,
    /// When the first probe of the last one began, RFC 3339 in UTC.
    pub last_began: String,
}

impl Goes {
    /// By the times of the probes, which stand in the order made; `None` where none follows a long pause.
    pub(super) fn from_probes(probes: &[Probe]) -> Option<Self> {
        let later = || probes.windows(2).filter(|two| is_after_a_pause(&two[0], &two[1])).map(|two| &two[1]);
        let last_began = later().next_back()?.started.clone();
        Some(Self { count: later().count() as u32 + 1, last_began })
    }
}

fn is_after_a_pause(before: &Probe, probe: &Probe) -> bool {
    let started = |probe: &Probe| humantime::parse_rfc3339(&probe.started).ok();
    let ended = |probe: &Probe| -> Option<SystemTime> {
        started(probe)?.checked_add(Duration::try_from_secs_f64(probe.duration_s).ok()?)
    };
    let pause = started(probe).zip(ended(before)).map(|(started, ended)| started.duration_since(ended));
    // A clock that was set back says nothing.
    pause.is_some_and(|pause| pause.is_ok_and(|pause| pause > LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::super::simulated::plain;
    use super::super::{ProbeLoad, ProbeVerdict};
    use super::*;

    fn goes(starts: &[&str]) -> Option<(u32, String)> {
        let at = |started: &&str| Probe {
            started: (*started).to_owned(),
            duration_s: 30.0,
            ..plain(ProbeLoad::Open { rate_per_s: 500.0 }, ProbeVerdict::Passed)
        };
        let probes: Vec<Probe> = starts.iter().map(at).collect();
        Goes::from_probes(&probes).map(|goes| (goes.count, goes.last_began))
    }

    #[test]
    fn a_search_that_somebody_went_on_with_is_told_by_its_pauses() {
        let begun = "2026-01-02T03:00:00Z";
        assert_eq!((goes(&[]), goes(&[begun])), (None, None));
        assert_eq!(goes(&[begun, "2026-01-02T03:01:00Z", "2026-01-02T03:11:30Z"]), None, "ten minutes");
        assert_eq!(
            goes(&[begun, "2026-01-02T03:11:00Z", "2026-01-02T03:12:00Z", "2026-01-05T09:00:00.123Z"]),
            Some((3, "2026-01-05T09:00:00.123Z".to_owned()))
        );
        assert_eq!(goes(&[begun, "2026-01-02T02:00:00Z", "of an earlier version"]), None);
    }
}
