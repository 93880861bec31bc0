//! One execution's keys, and its entries in its partition's indexes.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::partition::Partition;
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, SignalId, WaitpointId, WorkerInstanceId};
use redis::{Cmd, Value};

use super::super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::super::error::{WorkloadError, is_wrong_type};
use super::super::nodes::Nodes;
use super::tally::{Removal, partition, text, texts};
use crate::cluster::NAMESPACE;
use crate::flowfabric::{CallError, ExecutionKeys};

/// Members in one removing command.
const MEMBERS: usize = 128;

/// Removes a group of executions: their index entries, those of these workers among them, then their keys.
pub(super) async fn remove_group(
    nodes: &Nodes,
    (ids, instances): (&[ExecutionId], &[WorkerInstanceId]),
    control: &Oversight<'_>,
    removal: &mut Removal,
) -> Result<(), WorkloadError> {
    let quiet = Oversight::quiet(control.cancel);
    let routed = ids.iter().map(|id| (partition(id.partition()), id.clone())).collect();
    let mut remains = Vec::with_capacity(ids.len());
    for read in exchange(nodes, routed, &ReadRemains { instances }, &quiet).await? {
        match read {
            Ok(found) => remains.extend(found),
            Err((id, error)) => removal.fail("reading what belongs to it", id.as_str(), &error),
        }
    }
    for part in exchange(nodes, index_commands(&remains), &RunAll, &quiet).await? {
        removal.count(&part);
    }
    let routed = remains.into_iter().map(|remains| (partition(remains.id.partition()), remains)).collect();
    for part in exchange(nodes, routed, &Unlink, control).await? {
        removal.count(&part);
    }
    Ok(())
}

/// What an execution has on the cluster.
struct Remains {
    id: ExecutionId,
    lane_id: Option<LaneId>,
    /// Instances that may have it among their leases.
    instances: BTreeSet<String>,
    attempts: BTreeSet<u32>,
    waitpoints: Vec<WaitpointId>,
    signals: Vec<SignalId>,
}

struct ReadRemains<'a> {
    /// Workers that may have any of them, beside the one that each names.
    instances: &'a [WorkerInstanceId],
}

impl Exchange for ReadRemains<'_> {
    type Item = ExecutionId;
    /// Nothing where the id is another namespace's execution.
    type Output = Result<Option<Remains>, (ExecutionId, CallError)>;

    fn encode(&self, id: &ExecutionId, batch: &mut CommandBatch) {
        let keys = ExecutionKeys::from_id(id);
        let exec = keys.exec();
        let fields = ["namespace", "lane_id", "current_worker_instance_id"];
        batch.add("hmget", command("HMGET", &exec.core(), fields));
        batch.add("smembers", command("SMEMBERS", &exec.waitpoints(), [""; 0]));
        batch.add("hget", command("HGET", &exec.suspension_current(), ["waitpoint_id"]));
        batch.add("zrange", command("ZRANGE", &exec.exec_signals(), ["0", "-1"]));
        batch.add("zrange", command("ZRANGE", &exec.attempts(), ["0", "-1"]));
    }

    fn decode(&self, id: ExecutionId, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let mut read = || -> Result<Option<Remains>, CallError> {
            let mut next = || match replies.value() {
                // A key with such a name and another type is somebody else's: nothing of ours is in it.
                Err(error) if is_wrong_type(&error) => Ok(Value::Nil),
                value => value,
            };
            let core = texts(&next()?);
            let field = |position: usize| core.get(position).filter(|text| !text.is_empty());
            if field(0).is_some_and(|namespace| namespace != NAMESPACE) {
                return Ok(None);
            }
            let mut waitpoints = texts(&next()?);
            waitpoints.extend(text(&next()?));
            let signals = texts(&next()?);
            let attempts = texts(&next()?);
            Ok(Some(Remains {
                id: id.clone(),
                lane_id: field(1).map(|lane| LaneId::new(lane.as_str())),
                instances: field(2)
                    .into_iter()
                    .cloned()
                    .chain(self.instances.iter().map(ToString::to_string))
                    .collect(),
                // The first one also where its listing is gone.
                attempts: attempts.iter().filter_map(|index| index.parse().ok()).chain([0]).collect(),
                waitpoints: waitpoints.iter().filter_map(|id| WaitpointId::parse(id).ok()).collect(),
                signals: signals.iter().filter_map(|id| SignalId::parse(id).ok()).collect(),
            }))
        };
        Ok(read().map_err(|error| (id.clone(), error)))
    }
}

impl Remains {
    /// Every key of the execution alone.
    fn keys(&self) -> Vec<String> {
        let keys = ExecutionKeys::from_id(&self.id);
        let exec = keys.exec();
        let mut all = vec![
            exec.core(),
            exec.payload(),
            exec.result(),
            exec.policy(),
            exec.tags(),
            exec.lease_current(),
            exec.lease_history(),
            exec.claim_grant(),
            exec.attempts(),
            exec.suspension_current(),
            exec.suspension_satisfied_set(),
            exec.suspension_member_map(),
            exec.waitpoints(),
            exec.exec_signals(),
        ];
        for index in self.attempts.iter().copied().map(AttemptIndex) {
            all.extend([
                exec.attempt_hash(index),
                exec.attempt_usage(index),
                exec.attempt_policy(index),
                exec.stream(index),
                exec.stream_meta(index),
                exec.stream_summary(index),
            ]);
        }
        for id in &self.waitpoints {
            all.extend([exec.waitpoint(id), exec.waitpoint_signals(id), exec.waitpoint_condition(id)]);
        }
        for id in &self.signals {
            all.extend([exec.signal(id), exec.signal_payload(id)]);
        }
        all
    }
}

/// The commands that take executions out of the indexes, by partition.
fn index_commands(remains: &[Remains]) -> Vec<(Partition, (&'static str, Cmd))> {
    let mut members: BTreeMap<(u16, &'static str, String), Vec<String>> = BTreeMap::new();
    for one in remains {
        let keys = ExecutionKeys::from_id(&one.id);
        let index = keys.index();
        let mut add = |command: &'static str, key: String, member: String| {
            members.entry((one.id.partition(), command, key)).or_default().push(member);
        };
        let mut sorted_sets = vec![
            index.lease_expiry(),
            index.suspension_timeout(),
            index.attempt_timeout(),
            index.execution_deadline(),
        ];
        if let Some(lane) = &one.lane_id {
            sorted_sets.extend([
                index.lane_eligible(lane),
                index.lane_delayed(lane),
                index.lane_active(lane),
                index.lane_suspended(lane),
                index.lane_terminal(lane),
            ]);
        }
        for key in sorted_sets {
            add("zrem", key, one.id.to_string());
        }
        add("srem", index.all_executions(), one.id.to_string());
        for instance in &one.instances {
            add("srem", index.worker_leases(&WorkerInstanceId::new(instance.as_str())), one.id.to_string());
        }
        for waitpoint in &one.waitpoints {
            add("zrem", index.pending_waitpoint_expiry(), waitpoint.to_string());
        }
    }
    let removing = |((index, name, key), members): ((u16, &'static str, String), Vec<String>)| {
        let chunks = members.chunks(MEMBERS);
        chunks.map(|chunk| (partition(index), (name, command(name, &key, chunk)))).collect::<Vec<_>>()
    };
    members.into_iter().flat_map(removing).collect()
}

/// Sends finished commands that remove entries.
struct RunAll;

impl Exchange for RunAll {
    type Item = (&'static str, Cmd);
    type Output = Removal;

    fn encode(&self, (name, command): &Self::Item, batch: &mut CommandBatch) {
        batch.add(name, command.clone());
    }

    fn decode(&self, (name, _): Self::Item, mut replies: Replies) -> Result<Removal, WorkloadError> {
        let mut removal = Removal::default();
        removal.entries_from(&mut replies, name, "an index");
        Ok(removal)
    }
}

/// Removes all keys of an execution at once.
struct Unlink;

impl Exchange for Unlink {
    type Item = Remains;
    type Output = Removal;

    fn encode(&self, remains: &Remains, batch: &mut CommandBatch) {
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(remains.keys());
        batch.add("unlink", unlink);
    }

    fn decode(&self, remains: Remains, mut replies: Replies) -> Result<Removal, WorkloadError> {
        let mut removal = Removal::default();
        removal.keys_from(&mut replies, "UNLINK", remains.id.as_str());
        Ok(removal)
    }
}

fn command<T: AsRef<str>>(name: &str, key: &str, arguments: impl IntoIterator<Item = T>) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command
}
