//! [`CounterBlock`] and [`PrimaryRecord`]: what the servers counted over a stretch of claims.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RedirectKind;
use super::inside::Inside;
use super::is_zero::is_zero;
use super::main_thread::MainThreadClock;

/// Commands whose sent and counted calls are compared when the record is judged: no other check finds calls
/// of strangers among them. In churn and storms only the first is compared, because other functions read
/// hashes there; for the other two the run itself looks for more calls than it and its functions can have
/// made.
pub const COMPARED_COMMANDS: [&str; 3] = ["fcall", "hget", "hmget"];

/// A run of claims of one arm, with the servers' counters read before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CounterBlock {
    /// Blocks with the same number form one group in which every arm has one block, in random order.
    pub group: u32,
    /// Index into `arms`.
    pub arm: u32,
    /// Claims that succeeded.
    pub claims: u64,
    /// The block's length.
    pub duration_s: f64,
    /// Counters of all primaries, summed.
    pub counters: CounterDelta,
    /// Whether it was made on the control's cluster (server duet): the arm's figures are without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_control: bool,
    /// Of a block with several claims in flight: the part in which all of them were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<SteadyPart>,
    /// What the library of an instrumented arm counted in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
    /// Function calls that one claim makes, where it is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_calls_per_claim: Option<u32>,
}

/// The part of a block between its ramp-in and its drain: from the last claim that does not count being sent
/// until as many generations later as fit. A generation is one claim of each that are in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteadyPart {
    /// Claims that came back in it: each was followed by one that was sent. Where some failed, the block's
    /// share that succeeded.
    pub claims: u64,
    /// Its length.
    pub duration_s: f64,
}

impl CounterBlock {
    /// Claims and seconds of the arm alone, at the load that was asked for: of the steady part where there is
    /// one.
    pub fn rate_parts(&self) -> (f64, f64) {
        match self.steady {
            Some(steady) => (steady.claims as f64, steady.duration_s),
            None => (self.claims as f64, self.duration_s),
        }
    }

    /// Claims that reached the function, whatever it answered: each is one `FCALL`, or
    /// [`Self::function_calls_per_claim`]. Costs are counted over these, since the servers' counters have the
    /// refused ones too; what was sent and the servers have not counted cost them nothing. Without the tool's own
    /// count of them, those that succeeded.
    pub fn reached(&self) -> u64 {
        let calls = u64::from(self.function_calls_per_claim.unwrap_or(1).max(1));
        CounterDelta::function_calls([&self.counters]).map_or(self.claims, |reached| reached / calls)
    }
}

/// Difference of one server's counters over a time. Sources: `INFO commandstats`, `INFO cpu`, `INFO stats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CounterDelta {
    /// Calls by lower-case command name, commands inside functions included.
    pub calls: BTreeMap<String, u64>,
    /// Commands that the tool sent in the same time, by name.
    pub sent: BTreeMap<String, u64>,
    /// By command that claims send: calls that their functions may have made themselves, by the library's
    /// source. The servers may count that many more than were sent. Empty where no function calls such a
    /// command, as in FlowFabric's own library.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_functions: BTreeMap<String, u64>,
    /// Main thread's work, by [`Self::main_thread_clock`].
    pub main_thread_cpu_us: f64,
    /// The clock of the figure above; `None` in results of versions that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_thread_clock: Option<MainThreadClock>,
    /// CPU of the whole process, user and system.
    pub process_cpu_us: f64,
    /// `total_net_input_bytes`.
    pub net_in_bytes: u64,
    /// `total_net_output_bytes`.
    pub net_out_bytes: u64,
    /// `usec` of `cmdstat_fcall`: what functions took, by the server's own clock, in microseconds; 0 in
    /// results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fcall_us: u64,
}

impl CounterDelta {
    /// Function calls of the tool's that reached the servers, over all of these counters together: those sent that
    /// they have counted as well, for what never left cost them nothing. A server that counted none does not name
    /// the command, so only together do they say what is missing. `None` without the tool's own count.
    pub fn function_calls<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<u64> {
        let add = |sum: Option<u64>, counts: &BTreeMap<String, u64>| {
            counts.get("fcall").map_or(sum, |calls| Some(sum.unwrap_or_default() + calls))
        };
        let (sent, counted) = all.into_iter().fold((None, None), |(sent, counted), delta| {
            (add(sent, &delta.sent), add(counted, &delta.calls))
        });
        sent.map(|sent| sent.min(counted.unwrap_or(u64::MAX)))
    }
}

/// One primary over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrimaryRecord {
    /// Its address.
    pub addr: String,
    /// Its cluster (index into `clusters`) in a server duet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<u32>,
    /// Flow partitions it serves.
    pub partitions: u32,
    /// Claims planned on it.
    pub claims: u64,
    /// Its counters over the window.
    pub counters: CounterDelta,
    /// Redirects it answered with.
    pub redirects: BTreeMap<RedirectKind, u64>,
    /// Commands to it without a reply: it may have run them or not. `None` in results of versions that did not
    /// count them, or found none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<u64>,
    /// Connections to it that broke while claims were made; 0 in results of versions that did not count them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connections_lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_reached_the_function_are_those_that_servers_have_counted() {
        let reached = |sent: Option<u64>, counted: Option<u64>| {
            let of =
                |calls: Option<u64>| calls.map(|calls| ("fcall".to_owned(), calls)).into_iter().collect();
            let counters = CounterDelta { sent: of(sent), calls: of(counted), ..CounterDelta::default() };
            CounterBlock { claims: 90, counters, ..CounterBlock::default() }.reached()
        };
        assert_eq!([reached(Some(100), Some(100)), reached(Some(100), Some(97))], [100, 97]);
        assert_eq!(reached(Some(100), Some(104)), 100, "what others sent is no claim");
        assert_eq!([reached(None, Some(97)), reached(Some(100), None)], [90, 100]);
    }

    /// As a server does that nothing has reached: commands without a call are not among its counts.
    #[test]
    fn what_one_of_several_servers_has_not_counted_is_missing_in_their_sum() {
        let server = |sent: u64, counted: Option<u64>| CounterDelta {
            sent: [("fcall".to_owned(), sent)].into(),
            calls: counted.map(|calls| ("fcall".to_owned(), calls)).into_iter().collect(),
            ..CounterDelta::default()
        };
        let both = |counted| CounterDelta::function_calls(&[server(60, Some(60)), server(40, counted)]);
        assert_eq!([both(Some(37)), both(None)], [Some(97), Some(60)]);
        assert_eq!(CounterDelta::function_calls(&[CounterDelta::default()]), None);
    }
}
