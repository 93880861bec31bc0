//! Puts the record together from the session, what its mode measured, and how it was closed.

use std::time::Duration;

use super::level::LevelWatch;
use super::measured::{Measured, MeasuredBlock};
use super::planned::StratumPlan;
use super::session::Session;
use crate::machine::{host, tool};
use reclaim_analysis::record::{
    ArmRecord, ArmRecorder, Audit, CounterBlock, Environment, Fault, GENERATOR_BUSY, GeneratorUse,
    LatencyHistogram, OTHERS_WORTH_A_WARNING, PrimaryRecord, Recorder, RunRecord, STOLEN, Samples,
    StepRecord, Stratum, StratumSide, Warning,
};
use reclaim_analysis::scenario::{Step, VariantSpec, all_steps};

/// What closing a run added to what its mode measured.
#[derive(Default)]
pub(super) struct Closing {
    pub audit: Audit,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Warning>,
}

/// All that has been measured so far.
pub(super) fn run_record(
    session: &Session<'_>,
    measured: &Measured,
    closing: &Closing,
    partial: bool,
) -> RunRecord {
    let recorder = measured.recorder.borrow();
    let faults = [measured.faults.clone(), closing.faults.clone(), measured.meter.faults()].concat();
    let found = [closing.warnings.clone(), measured.meter.warnings()].concat();
    RunRecord {
        tool: tool(),
        scenario: session.setup.scenario.file().clone(),
        seed: session.setup.seed,
        plan_sha256: measured.plan_sha256.clone(),
        started: humantime::format_rfc3339_millis(session.started).to_string(),
        duration_s: session.begun.elapsed().as_secs_f64(),
        partial,
        environment: Environment {
            host: host(),
            valkey: session.cluster.info(session.partitions),
            library: session.library.clone(),
            conditions: Some(session.arrangement.conditions()),
        },
        staging: measured.prepared.record(),
        arms: arms(session, measured, &recorder),
        strata: strata(&measured.strata, recorder.strata(), recorder.rulers()),
        blocks: measured.blocks.iter().map(block).collect(),
        primaries: primaries(session, measured),
        added_rtt: session.added_rtt.as_ref().map(|added_rtt| added_rtt.record()),
        offered: measured.offered,
        storm: measured.storm.clone(),
        generator: Some(generator_use(measured, recorder.arms())),
        // The command adds it: what was calibrated is not this run's to know.
        calibration: None,
        longest_gap_s: recorder.longest_gap().map(|gap| gap.as_secs_f64()),
        rulers_unanswered: recorder.rulers_unanswered(),
        aborted: session.level.as_ref().and_then(LevelWatch::reached),
        timeline: recorder.timeline(),
        events: recorder.events(),
        audit: closing.audit.clone(),
        faults,
        warnings: warnings(session, &generator_use(measured, recorder.arms()), found),
    }
}

fn arms(session: &Session<'_>, measured: &Measured, recorder: &Recorder) -> Vec<ArmRecord> {
    let task_context = session.scenario().load.task_context;
    let arms = recorder.arms().iter().zip(&session.scenario().variants).zip(&measured.arm_libraries);
    arms.map(|((arm, variant), library)| ArmRecord {
        library: library.clone(),
        ..arm_record(arm, variant, task_context, recorder.so_far())
    })
    .collect()
}

/// `so_far` is the time of the batch that goes on: a copy that is kept while claims are made must know it.
fn arm_record(arm: &ArmRecorder, variant: &VariantSpec, task_context: bool, so_far: Duration) -> ArmRecord {
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
        steps: arm.steps.iter().zip(all_steps(variant.path, task_context)).map(step_record).collect(),
        wire: arm.wire,
    }
}

fn step_record((times, step): (&LatencyHistogram, Step)) -> StepRecord {
    StepRecord { title: step.title.to_owned(), time: times.encode() }
}

fn strata(plans: &[StratumPlan], samples: &[Vec<Samples>], rulers: &[Samples]) -> Vec<Stratum> {
    plans
        .iter()
        .zip(samples)
        .zip(rulers)
        .filter(|((_, sides), _)| sides.iter().all(|side| !side.0.is_empty()))
        .map(|((plan, sides), ruler)| Stratum {
            control: plan.control,
            apart: plan.apart,
            sides: plan
                .sides
                .iter()
                .zip(sides)
                .map(|(&arm, service)| StratumSide { arm: u32::from(arm), service: service.clone() })
                .collect(),
            ruler: (!ruler.0.is_empty()).then(|| ruler.clone()),
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
        steady: block.steady,
    }
}

fn primaries(session: &Session<'_>, measured: &Measured) -> Vec<PrimaryRecord> {
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
            let totals = measured.meter.totals.get(&addr).cloned().unwrap_or_default();
            PrimaryRecord {
                partitions,
                claims: measured.claims_by_primary.get(position).copied().unwrap_or(0),
                counters: totals.counters,
                redirects: totals.redirects,
                addr,
            }
        })
        .collect()
}

fn generator_use(measured: &Measured, arms: &[ArmRecorder]) -> GeneratorUse {
    let usage = measured.meter.usage;
    let mixed = arms.iter().map(|arm| arm.active).max().unwrap_or_default().as_secs_f64();
    let blocks: f64 = measured.blocks.iter().map(|block| block.duration.as_secs_f64()).sum();
    GeneratorUse {
        window_s: mixed + blocks,
        thread_cpu_s: usage.generator,
        process_cpu_s: Some(usage.process),
        servers_cpu_s: usage.servers,
        machine_cpu_s: usage.machine.map(|machine| machine.busy_s),
        stolen_cpu_s: usage.machine.map(|machine| machine.stolen_s),
        servers_waited_s: usage.servers_waited,
        kept_awake_s: usage.kept_awake,
        throttled_periods: usage.throttling.map(|throttling| throttling.periods),
        throttled_s: usage.throttling.map(|throttling| throttling.held_back_s),
        real_time: measured.real_time,
    }
}

fn warnings(session: &Session<'_>, used: &GeneratorUse, found: Vec<Warning>) -> Vec<Warning> {
    let mut warnings = found;
    let host = host();
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
        if let Some(share) = share.filter(|share| *share > OTHERS_WORTH_A_WARNING) {
            warnings.push(Warning::BusyMachine { share });
        }
        if let Some(share) = used.stolen_share(host.cores).filter(|share| *share > STOLEN) {
            warnings.push(Warning::CoresStolen { share });
        }
    }
    warnings
}
