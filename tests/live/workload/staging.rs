//! Creating, interrupting and making runnable, in batches and one by one.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use reclaim_analysis::scenario::InterruptionMix;
use reclaim_bench::workload::{ExecIndex, InterruptionKind, Oversight, Phase, WorkloadError};

use tokio_util::sync::CancellationToken;

use super::{ALL_KINDS, Bench, phases};
use crate::common::support;

#[tokio::test(flavor = "current_thread")]
async fn every_kind_of_interruption_leads_back_to_runnable() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.active(300).await;
    let plan = bench.workload.plan();
    let kinds: BTreeSet<_> = execs.iter().map(|&exec| plan.kind(exec, 0)).collect();
    assert_eq!(kinds.len(), 4, "300 executions should draw all kinds: {kinds:?}");
    bench.workload.interrupt(&execs, &bench.control()).await.unwrap();
    assert_eq!(phases(&bench, &execs), [Phase::Interrupted]);
    bench.workload.make_runnable(&execs, &bench.control()).await.unwrap();
    assert_eq!(phases(&bench, &execs), [Phase::Runnable]);
    let audit = bench.workload.audit(&bench.control()).await.unwrap();
    assert_eq!((audit.executions_checked, &audit.examples[..]), (300, &[][..]));
    assert_eq!((audit.state_errors, audit.epoch_errors, audit.attempt_changed), (0, 0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn single_calls_do_the_same_one_by_one_and_together() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.active(60).await;
    let workload = &bench.workload;
    let kinds = RefCell::new(BTreeSet::new());
    let cycle = async |&exec: &ExecIndex| {
        let kind = workload.interrupt_one(exec).await.unwrap();
        assert_eq!(kind, workload.plan().kind(exec, 0));
        kinds.borrow_mut().insert(kind);
        workload.make_runnable_one(exec, &|| ()).await.unwrap();
    };
    futures_util::future::join_all(execs.iter().map(cycle)).await;
    assert_eq!(kinds.into_inner().len(), 4);
    assert_eq!(phases(&bench, &execs), [Phase::Runnable]);
    assert_eq!(bench.scan().await.tickets.len(), 60);
}

#[tokio::test(flavor = "current_thread")]
async fn one_kind_with_weight_is_the_only_one() {
    let only = InterruptionMix { signal: 0.0, timeout: 0.0, operator: 0.0, delay: 1.0 };
    let bench = Bench::start(|scenario| scenario.interruption = only).await;
    let execs = bench.runnable(20).await;
    assert!(execs.iter().all(|&exec| bench.workload.plan().kind(exec, 0) == InterruptionKind::Delay));
    assert_eq!(bench.scan().await.tickets.len(), 20);
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_run_with_one_seed_is_told_what_to_do_and_touches_nothing() {
    let cluster = Rc::new(support::own(3, 0).await);
    let first = Bench::on(Rc::clone(&cluster), 9, |_| ());
    let execs = first.runnable(40).await;
    let second = Bench::on(cluster, 9, |_| ());
    let error = second.workload.create(40, &second.control()).await.unwrap_err();
    assert!(matches!(error, WorkloadError::AlreadyThere(_)), "{error}");
    assert!(error.to_string().contains("clean"), "{error}");
    let removal = second.workload.remove(&second.control()).await.unwrap();
    assert_eq!((removal.keys, removal.entries, removal.failures), (0, 0, 0));
    assert_eq!(phases(&first, &execs), [Phase::Runnable]);
    assert_eq!(first.workload.audit(&first.control()).await.unwrap().state_errors, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_seed_makes_the_same_executions_and_the_population_grows() {
    let cluster = Rc::new(support::own(3, 0).await);
    let (one, two) = (Bench::on(Rc::clone(&cluster), 4, |_| ()), Bench::on(cluster, 4, |_| ()));
    let first = one.workload.create(30, &one.control()).await.unwrap();
    let more = one.workload.create(10, &one.control()).await.unwrap();
    assert_eq!((first[0], more[0], more.len()), (ExecIndex(0), ExecIndex(30), 10));
    assert_eq!(one.workload.in_phase(Phase::Fresh).len(), 40);
    for &exec in first.iter().chain(&more) {
        assert_eq!(one.workload.plan().execution_id(exec), two.workload.plan().execution_id(exec));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_lease_that_ran_out_is_reported_with_execution_code_and_remedy() {
    let bench = Bench::start(|scenario| scenario.grant.lease_ttl = Duration::from_millis(1)).await;
    let execs = bench.active(1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = bench.workload.interrupt(&execs, &bench.control()).await.unwrap_err().to_string();
    let id = bench.workload.plan().execution_id(execs[0]);
    for part in [id.as_str(), "lease_expired", "grant.lease_ttl"] {
        assert!(error.contains(part), "{error} does not name {part}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_step_out_of_turn_is_refused_before_anything_is_sent() {
    let bench = Bench::start(|scenario| scenario.interruption = ALL_KINDS).await;
    let execs = bench.workload.create(3, &bench.control()).await.unwrap();
    let error = bench.workload.interrupt(&execs, &bench.control()).await.unwrap_err();
    let (phase, wanted) = (Phase::Fresh, Phase::Active);
    let execution = bench.workload.plan().execution_id(execs[0]);
    assert_eq!(error, WorkloadError::WrongPhase { execution, phase, wanted });
}

#[tokio::test(flavor = "current_thread")]
async fn stopping_ends_between_batches_and_the_ledger_knows_what_was_done() {
    let bench = Bench::start(|_| ()).await;
    let cancel = bench.cancel.clone();
    let progress = |done, total| {
        assert!(done <= total);
        cancel.cancel();
    };
    let control = Oversight { cancel: &bench.cancel, progress: &progress };
    let error = bench.workload.create(5_000, &control).await.unwrap_err();
    assert_eq!(error, WorkloadError::Cancelled);
    let created = bench.workload.in_phase(Phase::Fresh).len();
    assert!((1..5_000).contains(&created), "{created} created");
    let going = CancellationToken::new();
    let control = Oversight::quiet(&going);
    let audit = bench.workload.audit(&control).await.unwrap();
    assert_eq!((audit.executions_checked as usize, audit.state_errors), (created, 0));
    bench.workload.remove(&control).await.unwrap();
    for node in bench.cluster.topology().nodes() {
        let size = super::send(&bench.cluster.admin(node), &["DBSIZE"]).await;
        assert_eq!(size, redis::Value::Int(0));
    }
}
