//! What each variant must cost: the table that the counters rule, the tests and the documentation share.

use std::collections::BTreeMap;

use super::VariantPath;

/// The commands of one claim in order, by lower-case name; each inner slice goes out in one write and costs one round
/// trip.
pub type Steps = &'static [&'static [&'static str]];

/// The reads of the task's context that may follow a claim: payload, kind, tags.
pub const TASK_CONTEXT_STEPS: Steps = &[&["get"], &["hget"], &["hgetall"]];

/// The commands that a claim of this variant sends, without the task's context.
pub const fn steps(path: VariantPath) -> Steps {
    match path {
        VariantPath::GrantLane => &[&["hget"], &["fcall"]],
        VariantPath::HgetLane => &[&["hget"], &["hget"], &["fcall"]],
        VariantPath::HmgetLane => &[&["hmget"], &["fcall"]],
        VariantPath::PipelinedLane => &[&["hget", "hget"], &["fcall"]],
        VariantPath::FullGrant | VariantPath::Fused | VariantPath::FirstClaim => &[&["fcall"]],
    }
}

/// What one successful claim costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedCost {
    /// Commands sent, by lower-case name. No claiming function runs an HGET or HMGET of its own, so the servers'
    /// counts of `fcall`, `hget` and `hmget` are exactly these.
    pub commands: BTreeMap<&'static str, u32>,
    /// Waits for an answer.
    pub round_trips: u32,
}

/// What one successful claim of this variant costs.
pub fn expected_cost(path: VariantPath, task_context: bool) -> ExpectedCost {
    let context: Steps = if task_context { TASK_CONTEXT_STEPS } else { &[] };
    let mut cost = ExpectedCost::default();
    for step in steps(path).iter().chain(context) {
        cost.round_trips += 1;
        for command in *step {
            *cost.commands.entry(command).or_default() += 1;
        }
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrying_the_lane_saves_one_hget_and_one_round_trip() {
        let carried = expected_cost(VariantPath::GrantLane, false);
        let read = expected_cost(VariantPath::HgetLane, false);
        assert_eq!(carried.commands, BTreeMap::from([("hget", 1), ("fcall", 1)]));
        assert_eq!(read.commands, BTreeMap::from([("hget", 2), ("fcall", 1)]));
        assert_eq!((carried.round_trips, read.round_trips), (2, 3));
    }

    #[test]
    fn the_task_context_adds_three_reads_to_any_variant() {
        let plain = expected_cost(VariantPath::PipelinedLane, false);
        let full = expected_cost(VariantPath::PipelinedLane, true);
        assert_eq!((plain.round_trips, full.round_trips), (2, 5));
        assert_eq!(full.commands, BTreeMap::from([("hget", 3), ("fcall", 1), ("get", 1), ("hgetall", 1)]));
    }
}
