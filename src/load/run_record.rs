//! Puts the record together from the session, what its mode measured, and how it was closed.

use std::time::Duration;

use super::driving::{LevelWatch, RULER};
use super::measuring::{Measured, MeasuredBlock, Meter};
use super::planning::{BlockKind, StratumPlan};
use super::session::Session;
use super::site::Site;
use crate::machine::{host, tool};
use reclaim_analysis::record::{
    ArmRecord, ArmRecorder, Audit, ClusterRecord, CounterBlock, Environment, GeneratorUse, InjectedRecord,
    InvalidReason, LatencyHistogram, PrimaryRecord, Recorder, RunRecord, Samples, ServerReading, StepRecord,
    Stratum, StratumSide, Warning, WindowEvent, is_busy_generator,
};
use reclaim_analysis::scenario::{Step, VariantSpec, all_steps};

/// What closing a run added to what its mode measured.
#[derive(Default)]
pub(super) struct Closing {
    /// By cluster.
    pub audits: Vec<Audit>,
    /// What the primaries of each cluster of a server duet said of themselves after the last window.
    pub readings: Vec<Vec<ServerReading>>,
    pub invalid_reasons: Vec<InvalidReason>,
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
    let reasons = [&measured.invalid_reasons, &closing.invalid_reasons, &measured.meter.invalid_reasons()];
    let used = generator_use(measured, &recorder);
    let beside_faults = session.faults.as_ref().map(|faults| faults.log.warnings()).unwrap_or_default();
    let found = [closing.warnings.clone(), measured.meter.warnings(), beside_faults].concat();
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
            valkey: session.first_site().valkey.clone(),
            library: session.library.borrow().clone(),
            conditions: Some(session.arrangement.conditions()),
        },
        clusters: clusters(session, closing),
        staging: measured.prepared.record(),
        arms: arms(session, measured, &recorder),
        strata: strata(&measured.strata, recorder.strata(), recorder.rulers(), session.slice().is_whole()),
        blocks: measured.blocks.iter().map(|measured| block(session, measured)).collect(),
        primaries: primaries(session, measured),
        added_rtt: session.added_rtt.as_ref().map(|added_rtt| added_rtt.record()),
        offered: measured.offered,
        storm: measured.storm.clone(),
        injected: measured.injected.clone().map(|injected| with_redirects(injected, &measured.meter)),
        generator: Some(used),
        // The command adds it: what was calibrated is not this run's to know.
        calibration: None,
        longest_gap_s: recorder.longest_gap().map(|gap| gap.as_secs_f64()),
        stalled_s: recorder.stalled().map(|stalled| stalled.as_secs_f64()),
        part: session.meeting().map(|meeting| meeting.note(&measured.began_us)),
        generators: Vec::new(),
        rulers_unanswered: recorder.rulers_unanswered(),
        ruler_command: recorder.rulers().iter().any(|ruler| !ruler.0.is_empty()).then(|| RULER.to_owned()),
        aborted: session.level.as_ref().and_then(LevelWatch::reached),
        timeline: recorder.timeline(),
        window: Some(recorder.window()),
        events: events(measured, &recorder),
        audit: closing.audits.iter().cloned().fold(Audit::default(), |mut sum, audit| {
            sum += audit;
            sum
        }),
        invalid_reasons: reasons.into_iter().flatten().cloned().collect(),
        runs_before: Vec::new(),
        warnings: warnings(session, &used, found),
    }
}

/// What the connections counted beside what faults did.
fn with_redirects(injected: InjectedRecord, meter: &Meter) -> InjectedRecord {
    // Of a server that sent nobody elsewhere there is nothing to compare.
    let redirects = meter.redirects();
    let met = |server: &String| {
        let counts = redirects.get(server);
        counts.is_some_and(|counts| counts.values().any(|n| *n > 0))
    };
    let mut not_counted = meter.redirects_not_counted();
    not_counted.retain(|server, _| met(server));
    let mut unanswered = meter.unanswered();
    unanswered.retain(|_, n| *n > 0);
    InjectedRecord {
        redirects_counted: meter.redirects_counted(),
        redirects_not_counted: not_counted,
        unanswered,
        redirects,
        ..injected
    }
}

/// What happened in the window, faults among it, in the order of time.
fn events(measured: &Measured, recorder: &Recorder) -> Vec<WindowEvent> {
    let mut events = recorder.events();
    events.extend(measured.injected.iter().flat_map(InjectedRecord::events));
    events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    events
}

fn arms(session: &Session<'_>, measured: &Measured, recorder: &Recorder) -> Vec<ArmRecord> {
    let task_context = session.scenario().load.task_context;
    let arms = recorder.arms().iter().zip(&session.scenario().variants).zip(&measured.arm_libraries);
    let workers = session.first_site().workers.as_ref();
    let hand = |position: usize| workers.and_then(|workers| workers.arms.get(position));
    arms.enumerate()
        .map(|(position, ((arm, variant), library))| ArmRecord {
            library: library.clone(),
            sdk: hand(position).map(|hand| hand.info.clone()),
            handover_p50_us: hand(position).and_then(|hand| hand.handover_p50_us()),
            ..arm_record(arm, variant, task_context, recorder.so_far())
        })
        .collect()
}

/// `so_far` is the time of the batch that goes on: a copy that is kept while claims are made must know it.
fn arm_record(arm: &ArmRecorder, variant: &VariantSpec, task_context: bool, so_far: Duration) -> ArmRecord {
    let extras = variant.extras(task_context);
    ArmRecord {
        name: variant.name.clone(),
        path: variant.path,
        library: None,
        sdk: None,
        handover_p50_us: None,
        outcomes: arm.outcomes.clone(),
        active_s: (arm.active + so_far).as_secs_f64(),
        service: arm.service.encode(),
        response: arm.response.encode(),
        send_lag: arm.send_lag.encode(),
        resume: arm.resume.encode(),
        error_service: arm.error_service.encode(),
        steps: arm.steps.iter().zip(all_steps(variant.path, extras)).map(step_record).collect(),
        wire: arm.wire,
        unreplicated: arm.unreplicated,
        late: arm.late.clone(),
    }
}

fn step_record((times, step): (&LatencyHistogram, Step)) -> StepRecord {
    StepRecord { title: step.title.to_owned(), time: times.encode() }
}

/// `whole`: one generator made all claims. Of several each records all strata, also those of which it made no
/// claims, so that the records can be put together.
fn strata(plans: &[StratumPlan], samples: &[Vec<Samples>], rulers: &[Samples], whole: bool) -> Vec<Stratum> {
    plans
        .iter()
        .zip(samples)
        .zip(rulers)
        .filter(|((_, sides), _)| !whole || sides.iter().all(|side| !side.0.is_empty()))
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

fn block(session: &Session<'_>, block: &MeasuredBlock) -> CounterBlock {
    let calls = session.scenario().variants[usize::from(block.plan.arm)].path.functions().len() as u32;
    // On one cluster the baseline's second block is the baseline's.
    let on_control = block.plan.kind == BlockKind::Control && session.scenario().is_server_duet();
    CounterBlock {
        group: block.plan.group,
        arm: u32::from(block.plan.arm),
        claims: block.claims,
        duration_s: block.duration.as_secs_f64(),
        counters: block.counters.clone(),
        on_control,
        steady: block.steady,
        inside: block.inside.clone(),
        function_calls_per_claim: (calls > 1).then_some(calls),
    }
}

/// The clusters of a server duet.
fn clusters(session: &Session<'_>, closing: &Closing) -> Vec<ClusterRecord> {
    let with = |(number, site): (usize, &Site)| {
        let duet = site.duet.as_ref()?;
        Some(ClusterRecord {
            arms: duet.arms.iter().map(|arm| *arm as u32).collect(),
            server: duet.started.clone(),
            valkey: site.valkey.clone(),
            before: duet.before.clone(),
            after: closing.readings.get(number).cloned().unwrap_or_default(),
            audit: closing.audits.get(number).cloned().unwrap_or_default(),
        })
    };
    session.sites.iter().enumerate().filter_map(with).collect()
}

/// The primaries of all clusters, one cluster after the other.
fn primaries(session: &Session<'_>, measured: &Measured) -> Vec<PrimaryRecord> {
    let mut all = Vec::new();
    for (number, site) in session.sites.iter().enumerate() {
        let cluster = site.duet.as_ref().map(|_| number as u32);
        all.extend(primaries_of(site, cluster, measured, all.len()));
    }
    all
}

/// The primaries of one cluster; `before` counts those of the clusters listed earlier.
fn primaries_of(site: &Site, cluster: Option<u32>, measured: &Measured, before: usize) -> Vec<PrimaryRecord> {
    let topology = site.cluster.topology();
    let mut partitions = vec![0u32; topology.primaries().len()];
    for index in 0..site.partitions {
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
            let totals = measured.meter.totals(&addr);
            PrimaryRecord {
                cluster,
                partitions,
                claims: measured.claims_by_primary.get(before + position).copied().unwrap_or(0),
                counters: totals.counters,
                redirects: totals.redirects,
                unanswered: Some(totals.unanswered),
                connections_lost: totals.lost,
                addr,
            }
        })
        .collect()
}

fn generator_use(measured: &Measured, recorder: &Recorder) -> GeneratorUse {
    GeneratorUse {
        // What the generator used in a window that stalled it used until it was given up.
        window_s: (recorder.active() + measured.waited).as_secs_f64(),
        real_time: measured.real_time,
        recording_ns_per_claim: Some(measured.recording_ns_per_claim),
        ..measured.meter.usage
    }
}

fn warnings(session: &Session<'_>, used: &GeneratorUse, found: Vec<Warning>) -> Vec<Warning> {
    let mut warnings = found;
    let host = host();
    let same_machine = session.first_site().valkey.same_machine;
    if same_machine {
        warnings.push(Warning::SharedMachine { cores: host.cores });
    }
    if used.window_s > 0.0 {
        let share = used.thread_cpu_s / used.window_s;
        if is_busy_generator(share) {
            warnings.push(Warning::GeneratorBusy { share });
        }
        warnings.extend(Warning::of_cores_taken(used, host.cores, same_machine));
    }
    warnings
}
