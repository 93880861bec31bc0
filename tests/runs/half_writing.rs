//! The shipped `smoke` finds every write that a function library leaves out: nobody has to know which
//! scenario would.

use std::path::PathBuf;
use std::rc::Rc;

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::InvalidReason;
use reclaim_analysis::scenario::{self, LibrarySource};
use reclaim_bench::cluster::ClusterRequest;

use crate::common::half_written::{WRITES, half_writing};
use crate::common::one_run::run;
use crate::common::support;

/// `smoke` with a tenth of its claims.
fn small_smoke() -> String {
    let smoke = scenario::SHIPPED.iter().find(|shipped| shipped.name == "smoke").unwrap();
    let mut text = smoke.text.to_owned();
    for (all, fewer) in [
        ("executions = 1000", "executions = 200"),
        ("claims = 2000", "claims = 200"),
        ("warmup = 100", "warmup = 10"),
        ("strata = 40 ", "strata = 10 "),
        ("control_strata = 40", "control_strata = 10"),
        ("counter_blocks = 8", "counter_blocks = 2"),
        ("block_claims = 50", "block_claims = 20"),
    ] {
        assert!(text.contains(all), "{all}");
        text = text.replacen(all, fewer, 1);
    }
    text
}

async fn smoke_with(library: &str) -> RunResult {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("flowfabric.lua");
    std::fs::write(&file, library).unwrap();
    let library = LibrarySource::File(file);
    let cluster = support::open(&ClusterRequest { library, ..support::own_request(1, 0) }).await;
    run(&Rc::new(cluster), &small_smoke(), 1).await
}

/// One test for each write that is left out.
macro_rules! left_out {
    ($($name:ident: $position:literal,)*) => {
        $(
            #[tokio::test(flavor = "current_thread")]
            async fn $name() {
                let result = smoke_with(&half_writing(&[WRITES[$position]])).await;
                assert!(!result.valid, "{}", WRITES[$position]);
                let audit = |reason: &InvalidReason| matches!(reason, InvalidReason::AuditViolation { .. });
                assert!(result.invalid_reasons.iter().any(audit), "{:?}", result.invalid_reasons);
                assert!(!result.record.audit.examples.is_empty());
            }
        )*

        #[test]
        fn every_write_has_a_test() {
            assert_eq!([$($position),*].len(), WRITES.len());
        }
    };
}

left_out! {
    a_claim_that_leaves_the_attempt_alone: 0,
    a_claim_without_a_lease_record: 1,
    a_claim_that_stays_eligible: 2,
    a_claim_without_an_end_of_its_lease: 3,
    a_claim_that_its_worker_does_not_know: 4,
    a_claim_that_is_not_active: 5,
    a_claim_without_history: 6,
    a_claim_that_keeps_its_grant: 7,
}

#[tokio::test(flavor = "current_thread")]
async fn the_published_library_passes() {
    let result = smoke_with(ff_script::LIBRARY_SOURCE).await;
    crate::common::one_run::assert_clean(&result);
    let audit = &result.record.audit;
    assert_eq!(audit.contracts_checked, audit.executions_checked, "all of them in smoke");
}
