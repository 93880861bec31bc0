//! What each variant must cost: the table that the counters rule, the tests and the documentation share.

use std::collections::BTreeMap;

use super::{Extras, VariantPath};

/// One wait of a claim: what goes out in one write, and comes back before the claim goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// For a reader.
    pub title: &'static str,
    /// Commands by lower-case name, in order.
    pub commands: &'static [&'static str],
}

/// The waits of one claim, in order.
pub type Steps = &'static [Step];

const fn round_trip(title: &'static str, commands: &'static [&'static str]) -> Step {
    Step { title, commands }
}

const READ_INDEX: Step = round_trip("HGET current_attempt_index", &["hget"]);
const READ_LANE: Step = round_trip("HGET lane_id", &["hget"]);
const READ_BOTH: Step = round_trip("HMGET lane_id current_attempt_index", &["hmget"]);
const READ_PIPELINED: Step = round_trip("HGET lane_id, HGET current_attempt_index", &["hget", "hget"]);
const READ_COUNT: Step = round_trip("HGET total_attempt_count", &["hget"]);
const RESUME: Step = round_trip("FCALL ff_claim_resumed_execution", &["fcall"]);
const GRANT_AND_CLAIM: Step = round_trip("FCALL ff_issue_grant_and_claim", &["fcall"]);
const RECLAIM: Step = round_trip("FCALL ff_reclaim_execution", &["fcall"]);
const REFUSED_FIRST: Step =
    round_trip("FCALL ff_claim_execution, refused: use_claim_resumed_execution", &["fcall"]);
const FIRST_CLAIM: Step = round_trip("FCALL ff_claim_execution", &["fcall"]);

/// The read of the task's context that may follow a claim, as FlowFabric's SDK makes it since 0.12; these are
/// the commands of 0.15. Up to 0.11 these were three reads one after the other.
pub const TASK_CONTEXT: Step =
    round_trip("context: GET payload, HGETALL exec_core, HGETALL tags", &["get", "hgetall", "hgetall"]);

/// The wait for replicas that may follow, on the claim's own connection.
pub const WAIT: Step = round_trip("WAIT for replicas", &["wait"]);

/// The waits of a claim of this variant, without what may follow it.
pub const fn steps(path: VariantPath) -> Steps {
    match path {
        VariantPath::GrantLane => &[READ_INDEX, RESUME],
        VariantPath::HgetLane => &[READ_LANE, READ_INDEX, RESUME],
        VariantPath::HmgetLane => &[READ_BOTH, RESUME],
        VariantPath::PipelinedLane => &[READ_PIPELINED, RESUME],
        VariantPath::FullGrant => &[RESUME],
        VariantPath::Fused => &[GRANT_AND_CLAIM],
        VariantPath::FirstClaim => &[READ_COUNT, FIRST_CLAIM],
        VariantPath::BareFirstClaim => &[FIRST_CLAIM],
        VariantPath::LeaseReclaim | VariantPath::SdkReclaim => &[RECLAIM],
        VariantPath::SdkResume => &[READ_INDEX, RESUME, TASK_CONTEXT],
        VariantPath::SdkGrant => &[READ_COUNT, REFUSED_FIRST, READ_INDEX, RESUME, TASK_CONTEXT],
    }
}

/// The waits of a claim of this variant, with what follows it.
pub fn all_steps(path: VariantPath, extras: Extras) -> impl Iterator<Item = Step> {
    let wait = extras.wait_replicas.then_some(WAIT);
    // The SDK reads what it reads.
    let context = (extras.task_context && !path.is_sdk()).then_some(TASK_CONTEXT);
    steps(path).iter().copied().chain(wait).chain(context)
}

/// What one successful claim costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedCost {
    /// Commands sent, by lower-case name. No claiming function runs an HGET or HMGET of its own, so the
    /// servers' counts of `fcall`, `hget` and `hmget` are exactly these.
    pub commands: BTreeMap<&'static str, u32>,
    /// Waits for an answer.
    pub round_trips: u32,
}

/// What one successful claim of this variant costs.
pub fn expected_cost(path: VariantPath, extras: Extras) -> ExpectedCost {
    let mut cost = ExpectedCost::default();
    for step in all_steps(path, extras) {
        cost.round_trips += 1;
        for command in step.commands {
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
        let carried = expected_cost(VariantPath::GrantLane, Extras::default());
        let read = expected_cost(VariantPath::HgetLane, Extras::default());
        assert_eq!(carried.commands, BTreeMap::from([("hget", 1), ("fcall", 1)]));
        assert_eq!(read.commands, BTreeMap::from([("hget", 2), ("fcall", 1)]));
        assert_eq!((carried.round_trips, read.round_trips), (2, 3));
    }

    #[test]
    fn the_task_context_adds_one_pipeline_of_three_reads_to_any_variant() {
        let plain = expected_cost(VariantPath::PipelinedLane, Extras::default());
        let full =
            expected_cost(VariantPath::PipelinedLane, Extras { task_context: true, wait_replicas: false });
        assert_eq!((plain.round_trips, full.round_trips), (2, 3));
        assert_eq!(full.commands, BTreeMap::from([("hget", 2), ("fcall", 1), ("get", 1), ("hgetall", 2)]));
    }

    #[test]
    fn waiting_for_replicas_adds_one_round_trip_before_the_task_context() {
        let extras = Extras { task_context: true, wait_replicas: true };
        let titles: Vec<_> = all_steps(VariantPath::FullGrant, extras).map(|step| step.title).collect();
        assert_eq!(titles, ["FCALL ff_claim_resumed_execution", WAIT.title, TASK_CONTEXT.title]);
        assert_eq!(expected_cost(VariantPath::FullGrant, extras).commands["wait"], 1);
    }

    #[test]
    fn a_scheduler_routed_worker_calls_two_functions_and_reads_the_context_either_way() {
        let cost = |path, task_context| expected_cost(path, Extras { task_context, wait_replicas: false });
        let resume = cost(VariantPath::SdkResume, false);
        assert_eq!((resume.round_trips, resume.commands.values().sum::<u32>()), (3, 5));
        let grant = cost(VariantPath::SdkGrant, false);
        assert_eq!((grant.round_trips, grant.commands.values().sum::<u32>()), (5, 7));
        assert_eq!((grant.commands["fcall"], grant.commands["hget"]), (2, 2));
        assert_eq!(cost(VariantPath::SdkGrant, true), grant);
        assert_eq!(cost(VariantPath::SdkReclaim, true), cost(VariantPath::LeaseReclaim, false));
    }

    #[test]
    fn the_sdk_reads_the_count_of_attempts_before_a_first_claim() {
        let sdk = expected_cost(VariantPath::FirstClaim, Extras::default());
        let bare = expected_cost(VariantPath::BareFirstClaim, Extras::default());
        assert_eq!(sdk.commands, BTreeMap::from([("hget", 1), ("fcall", 1)]));
        assert_eq!((sdk.round_trips, bare.round_trips, bare.commands.len()), (2, 1, 1));
    }
}
