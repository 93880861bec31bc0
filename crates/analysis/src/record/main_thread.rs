//! By which clock the work of the servers' main threads was told, and what that means for its figures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which clock tells a main thread's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MainThreadClock {
    /// CPU time, `used_cpu_user_main_thread` + `used_cpu_sys_main_thread`.
    Cpu,
    /// Time in which it did not wait, `used_active_time_main_thread` (9.1 and later): with io-threads the main
    /// thread spins while it waits, and CPU time would count that as work.
    Active,
    /// Of several primaries' sum: some by the one and some by the other.
    Mixed,
}

impl MainThreadClock {
    /// Of a sum of two; `None` is a part without any.
    #[must_use]
    pub fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if one != other => Some(Self::Mixed),
            _ => one.or(other),
        }
    }

    /// The clock used by tool versions that did not record which one they used.
    pub(super) fn unsaid(version: &str, io_threads: u32) -> Self {
        let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
        let version = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if io_threads > 1 && version >= (9, 1) { Self::Active } else { Self::Cpu }
    }
}

/// Why main threads' times are in no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MainThreadDoubt {
    /// With io-threads a main thread polls while it waits, and servers before 9.1 say its CPU time alone, in which
    /// that counts as work.
    Polling,
    /// Not all servers that are held against each other tell it by the same clock.
    UnlikeClocks,
}

#[cfg(test)]
mod tests {
    use super::MainThreadClock::{Active, Cpu, Mixed};
    use super::*;

    #[test]
    fn a_sum_is_by_the_clock_of_all_its_parts() {
        let both = MainThreadClock::of_both;
        assert_eq!(
            [both(None, None), both(None, Some(Cpu)), both(Some(Active), None)],
            [None, Some(Cpu), Some(Active)]
        );
        assert_eq!([both(Some(Cpu), Some(Cpu)), both(Some(Cpu), Some(Active))], [Some(Cpu), Some(Mixed)]);
        assert_eq!(both(Some(Mixed), Some(Cpu)), Some(Mixed));
    }

    #[test]
    fn what_was_not_said_follows_from_the_server() {
        let unsaid = MainThreadClock::unsaid;
        assert_eq!([unsaid("9.1.2", 1), unsaid("9.1.2", 4), unsaid("10.0.0-rc1", 2)], [Cpu, Active, Active]);
        assert_eq!([unsaid("9.0.3", 4), unsaid("8.1", 4), unsaid("unknown", 4)], [Cpu; 3]);
    }
}
