//! Puts the record together from what a session has collected.

use std::time::{Duration, SystemTime};

use super::session::{MeasuredBlock, Session};
use crate::machine::{host, tool};
use reclaim_analysis::record::{
    ArmRecord, ArmRecorder, CounterBlock, Environment, GENERATOR_BUSY, GeneratorUse, PrimaryRecord,
    RunRecord, STOLEN, Samples, Stratum, StratumSide, Warning,
};
use reclaim_analysis::scenario::VariantSpec;

/// Share of the machine that others may use in the window.
const OTHERS_BUSY: f64 = 0.15;

/// All that the session has measured so far.
pub(super) fn record(
    session: &Session<'_>,
    partial: bool,
    started: SystemTime,
    duration: Duration,
) -> RunRecord {
    let recorder = session.recorder.borrow();
    RunRecord {
        tool: tool(),
        scenario: session.setup.file.clone(),
        seed: session.setup.seed,
        plan_sha256: session.plan_sha256.clone(),
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_s: duration.as_secs_f64(),
        partial,
        environment: Environment {
            host: host(),
            valkey: session.cluster.info(session.partitions),
            library: session.library.clone(),
        },
        staging: {
            let mut staging = session.staging.clone();
            staging.grant_cpu_us = (staging.grants > 0 && session.grant_cpu_us > 0.0)
                .then(|| session.grant_cpu_us / staging.grants as f64);
            staging
        },
        arms: recorder
            .arms()
            .iter()
            .zip(&session.scenario().variants)
            .zip(&session.arm_libraries)
            .map(|((arm, variant), library)| ArmRecord {
                library: library.clone(),
                ..arm_record(arm, variant, recorder.so_far())
            })
            .collect(),
        strata: strata(session, recorder.strata()),
        blocks: session.blocks.iter().map(block).collect(),
        primaries: primaries(session),
        added_rtt: session.distance.as_ref().map(|distance| distance.record()),
        offered: session.offered,
        storm: session.storm.clone(),
        generator: Some(generator_use(session, recorder.arms())),
        // The command adds it: what was calibrated is not this run's to know.
        calibration: None,
        timeline: recorder.timeline(),
        audit: session.audit.clone(),
        faults: session.faults.iter().chain(&session.meter.faults).cloned().collect(),
        warnings: warnings(session, recorder.arms()),
    }
}

/// `so_far` is the time of the batch that goes on: a copy that is kept while claims are made must know it.
fn arm_record(arm: &ArmRecorder, variant: &VariantSpec, so_far: Duration) -> ArmRecord {
    ArmRecord {
        name: variant.name.clone(),
        path: variant.path,
        library: None,
        outcomes: arm.outcomes.clone(),
        active_s: (arm.active + so_far).as_secs_f64(),
        service: arm.service.encode(),
        response: arm.response.encode(),
        send_lag: arm.send_lag.encode(),
        resume: arm.resume.encode(),
        error_service: arm.error_service.encode(),
        wire: arm.wire,
    }
}

fn strata(session: &Session<'_>, samples: &[Vec<Samples>]) -> Vec<Stratum> {
    session
        .strata
        .iter()
        .zip(samples)
        .filter(|(_, sides)| sides.iter().all(|side| !side.0.is_empty()))
        .map(|(plan, sides)| Stratum {
            control: plan.control,
            sides: plan
                .sides
                .iter()
                .zip(sides)
                .map(|(&arm, service)| StratumSide { arm: u32::from(arm), service: service.clone() })
                .collect(),
        })
        .collect()
}

fn block(block: &MeasuredBlock) -> CounterBlock {
    CounterBlock {
        group: block.plan.group,
        arm: u32::from(block.plan.arm),
        claims: block.claims,
        duration_s: block.duration.as_secs_f64(),
        counters: block.counters.clone(),
    }
}

fn primaries(session: &Session<'_>) -> Vec<PrimaryRecord> {
    let topology = session.cluster.topology();
    let mut partitions = vec![0u32; topology.primaries().len()];
    for index in 0..session.partitions {
        let family = ff_core::partition::PartitionFamily::Execution;
        let owner = topology.owner_of(ff_core::partition::Partition { family, index });
        partitions[usize::from(owner.0)] += 1;
    }
    topology
        .primaries()
        .iter()
        .zip(partitions)
        .enumerate()
        .map(|(position, (primary, partitions))| {
            let addr = primary.addr.to_string();
            let totals = session.meter.totals.get(&addr).cloned().unwrap_or_default();
            PrimaryRecord {
                partitions,
                claims: session.claims_by_primary.get(position).copied().unwrap_or(0),
                counters: totals.counters,
                redirects: totals.redirects,
                addr,
            }
        })
        .collect()
}

fn generator_use(session: &Session<'_>, arms: &[ArmRecorder]) -> GeneratorUse {
    let usage = session.meter.usage;
    let mixed = arms.iter().map(|arm| arm.active).max().unwrap_or_default().as_secs_f64();
    let blocks: f64 = session.blocks.iter().map(|block| block.duration.as_secs_f64()).sum();
    GeneratorUse {
        window_s: mixed + blocks,
        thread_cpu_s: usage.generator,
        process_cpu_s: Some(usage.process),
        servers_cpu_s: usage.servers,
        machine_cpu_s: usage.machine.map(|machine| machine.busy_s),
        stolen_cpu_s: usage.machine.map(|machine| machine.stolen_s),
        servers_waited_s: usage.servers_waited,
        real_time: session.real_time.get(),
    }
}

fn warnings(session: &Session<'_>, arms: &[ArmRecorder]) -> Vec<Warning> {
    let mut warnings = session.warnings.clone();
    let host = host();
    let used = generator_use(session, arms);
    let same_machine = session.cluster.info(session.partitions).same_machine;
    if same_machine {
        warnings.push(Warning::SharedMachine { cores: host.cores });
    }
    if used.window_s > 0.0 {
        let share = used.thread_cpu_s / used.window_s;
        if share > GENERATOR_BUSY {
            warnings.push(Warning::GeneratorBusy { share });
        }
        let share = used.others_share(host.cores, same_machine);
        if let Some(share) = share.filter(|share| *share > OTHERS_BUSY) {
            warnings.push(Warning::BusyMachine { share });
        }
        if let Some(share) = used.stolen_share(host.cores).filter(|share| *share > STOLEN) {
            warnings.push(Warning::CoresStolen { share });
        }
    }
    warnings
}
