//! The rules for what servers counted: against what the tool sent, and against what a variant's definition
//! says.

use std::collections::BTreeMap;

use crate::record::{COMPARED_COMMANDS, CounterBlock, CounterDelta, InvalidReason, RedirectKind, RunRecord};
use crate::scenario::{Extras, Mode, Scenario, expected_cost};

use super::arm_counts::{arm_blocks, wire_per_claim};

/// What disagrees: commands of primaries and of blocks, commands of each arm, redirects.
pub(super) fn disagreements(record: &RunRecord, scenario: &Scenario) -> Vec<InvalidReason> {
    let mut found = commands(record, scenario.load.mode);
    found.extend(
        (0..record.arms.len()).flat_map(|arm| unexpected_commands(record, arm, extras(scenario, arm))),
    );
    found.extend(redirect_disagreements(record));
    found
}

/// Whether others may use the cluster: what they sent is a warning of the run's own.
fn is_shared(record: &RunRecord) -> bool {
    record.environment.valkey.shared == Some(true)
}

fn commands(record: &RunRecord, mode: Mode) -> Vec<InvalidReason> {
    let mut found = Vec::new();
    let shared = is_shared(record);
    let of_arms: u64 = record.arms.iter().map(|arm| arm.outcomes.unanswered()).sum();
    // What a worker of its own sends, and so may run inside functions, the servers alone count.
    let workers = record.arms.iter().any(|arm| arm.sdk.is_some());
    // Each server's own count says how many commands had no reply. Versions that had none, or left out a count of
    // 0, know what claims of arms ended in; where these are tried again that does not say it.
    let otherwise = if record.injected.is_some() { 0 } else { of_arms };
    for primary in record.primaries.iter().filter(|_| !workers) {
        let unanswered = primary.unanswered.unwrap_or(otherwise);
        found.extend(disagreeing(&primary.addr, &primary.counters, mode, (unanswered, shared)));
    }
    // In which block is not kept.
    let counted: u64 = record.primaries.iter().filter_map(|primary| primary.unanswered).sum();
    let by_all = record.primaries.iter().all(|primary| primary.unanswered.is_some());
    let unanswered = if by_all { counted } else { of_arms.max(counted) };
    for block in &record.blocks {
        let arm = record.arms.get(block.arm as usize).map_or("an unknown arm", |arm| arm.name.as_str());
        let place = format!("all primaries, block {} of {arm}", block.group);
        if workers {
            found.extend(too_few_calls(&place, block));
        } else {
            found.extend(disagreeing(&place, &block.counters, Mode::Staged, (unanswered, shared)));
        }
    }
    found
}

/// Commands that no function of FlowFabric's claim path runs inside, so that sent and counted must agree; of
/// a library whose functions run them, as many more may be counted as its source allows. In churn other
/// functions run that read hashes themselves; FCALL is always the tool's own, and of the others the run itself has
/// looked for what it did not send. What was given up before its reply may not have reached the server: that many
/// commands may be missing there, and none may be there that was not sent.
fn disagreeing(
    place: &str,
    counters: &CounterDelta,
    mode: Mode,
    (unanswered, shared): (u64, bool),
) -> impl Iterator<Item = InvalidReason> {
    let compared: &[&str] = match mode {
        Mode::Staged => &COMPARED_COMMANDS,
        Mode::Churn | Mode::Storm => &COMPARED_COMMANDS[..1],
    };
    compared.iter().filter_map(move |&command| {
        let of = |counts: &BTreeMap<String, u64>| counts.get(command).copied().unwrap_or_default();
        let (sent, counted) = (of(&counters.sent), of(&counters.calls));
        let missing = sent.checked_sub(counted);
        let too_many = counted.saturating_sub(sent) > of(&counters.by_functions);
        missing.map_or(!shared && too_many, |missing| missing > unanswered).then(|| {
            InvalidReason::CountersDisagree {
                primary: place.to_owned(),
                command: command.to_owned(),
                sent,
                counted,
            }
        })
    })
}

/// No lease comes without a call of a function: fewer than claims, and what the servers counted is not these
/// claims' doing.
fn too_few_calls(place: &str, block: &CounterBlock) -> Option<InvalidReason> {
    let counted = block.counters.calls.get("fcall").copied().unwrap_or_default();
    (counted < block.claims).then(|| InvalidReason::CountersDisagree {
        primary: place.to_owned(),
        command: "fcall".to_owned(),
        sent: block.claims,
        counted,
    })
}

/// What an arm's successful claims sent, against its variant's definition: in all, and by command in the
/// counter blocks in which every claim succeeded.
fn unexpected_commands(record: &RunRecord, index: usize, extras: Extras) -> Vec<InvalidReason> {
    let arm = &record.arms[index];
    let expected = expected_cost(arm.path, extras);
    let commands = f64::from(expected.commands.values().sum::<u32>());
    let mut checks = vec![
        ("commands".to_owned(), commands, wire_per_claim(arm, |wire| wire.commands)),
        (
            "round trips".to_owned(),
            f64::from(expected.round_trips),
            wire_per_claim(arm, |wire| wire.round_trips),
        ),
    ];
    let sent = |block: &CounterBlock, command: &str| block.counters.sent.get(command).copied().unwrap_or(0);
    let calls = arm.path.functions().len() as u64;
    let whole: Vec<_> =
        arm_blocks(record, index).filter(|block| sent(block, "fcall") == calls * block.claims).collect();
    let claims: u64 = whole.iter().map(|block| block.claims).sum();
    for (command, count) in expected.commands {
        let total: u64 = whole.iter().map(|block| sent(block, command)).sum();
        checks.push((
            command.to_owned(),
            f64::from(count),
            (claims > 0).then(|| total as f64 / claims as f64),
        ));
    }
    checks
        .into_iter()
        .filter_map(|(command, expected, measured)| Some((command, expected, measured?)))
        .filter(|(_, expected, measured)| (measured - expected).abs() > 1e-9)
        .map(|(command, expected, measured)| InvalidReason::UnexpectedCommands {
            arm: arm.name.clone(),
            command,
            expected,
            measured,
        })
        .collect()
}

/// What the claims of an arm do beside taking their leases.
fn extras(scenario: &Scenario, arm: usize) -> Extras {
    let task_context = scenario.load.task_context;
    let variant = scenario.variants.get(arm);
    variant.map_or(Extras { task_context, ..Extras::default() }, |variant| variant.extras(task_context))
}

/// Redirects that a server counted and the tool did not meet, or the other way round. A redirect without a
/// reply was lost with its connection.
fn redirect_disagreements(record: &RunRecord) -> Vec<InvalidReason> {
    let Some(injected) = record.injected.as_ref().filter(|_| !is_shared(record)) else { return Vec::new() };
    let of_primary = |server: &String| {
        let primary = record.primaries.iter().find(|primary| primary.addr == *server);
        primary.and_then(|primary| primary.unanswered).unwrap_or_default()
    };
    let unanswered = |server: &String| {
        injected.unanswered.get(server).copied().unwrap_or_default().max(of_primary(server))
    };
    let of = |counts: Option<&BTreeMap<RedirectKind, u64>>, kind| {
        counts.and_then(|counts| counts.get(&kind)).copied().unwrap_or_default()
    };
    let mut found = Vec::new();
    for (server, by_kind) in &injected.redirects_counted {
        for redirect in RedirectKind::ALL {
            let (met, counted) = (of(injected.redirects.get(server), redirect), of(Some(by_kind), redirect));
            if !(met..=met + unanswered(server)).contains(&counted) {
                found.push(InvalidReason::RedirectsDisagree {
                    primary: server.clone(),
                    redirect,
                    met,
                    counted,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that lost its slots counts on; what was not heard of it may be in its count.
    #[test]
    fn redirects_of_a_former_primary_are_compared_and_unanswered_ones_may_be_missing() {
        use crate::judge::fault_fixture::outage;
        let found = |counted: u64, unanswered: u64| {
            let mut record = outage(8.0, 1.0);
            let injected = record.injected.as_mut().unwrap();
            let former = "127.0.0.1:7099".to_owned();
            let of = |n| [(RedirectKind::Moved, n)].into();
            injected.redirects.insert(former.clone(), of(10));
            injected.redirects_counted.insert(former.clone(), of(counted));
            injected.unanswered.insert(former, unanswered);
            redirect_disagreements(&record).len()
        };
        assert_eq!([found(10, 0), found(12, 2), found(12, 0), found(9, 2), found(13, 2)], [0, 0, 1, 1, 1]);
    }
}
