//! With what the time of a claim ends: with its lease, or, where its task's context is read as well, when the
//! task can begin.

use crate::record::RunRecord;
use crate::scenario::{Extras, TASK_CONTEXT, VariantPath, all_steps};

const TASK: &str = "until its task can begin";

/// With what the claims of a variant end, of a run with this `[load] task_context`: `lease` where with that.
pub(super) fn claim_end_of(path: VariantPath, task_context: bool, lease: &'static str) -> &'static str {
    if reads_context(path, task_context) { TASK } else { lease }
}

/// The same of all variants of a run.
pub(in crate::report) fn claim_end(record: &RunRecord, lease: &str) -> String {
    let task_context = record.scenario.load.task_context;
    let reading = record.arms.iter().filter(|arm| reads_context(arm.path, task_context));
    let reading: Vec<&str> = reading.map(|arm| arm.name.as_str()).collect();
    match reading.len() {
        0 => lease.to_owned(),
        n if n == record.arms.len() => TASK.to_owned(),
        _ => format!("{lease}, of {} {TASK}", reading.join(", ")),
    }
}

/// The SDK reads what it reads, whatever the scenario asks of the others.
fn reads_context(path: VariantPath, task_context: bool) -> bool {
    let extras = Extras { task_context, ..Extras::default() };
    all_steps(path, extras).any(|step| step == TASK_CONTEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record};
    use crate::report::text;

    const SDK: SimulatedArm =
        SimulatedArm { name: "sdk-resume", path: VariantPath::SdkResume, slower: 1.6, ..GRANT_LANE };

    #[test]
    fn a_claim_that_reads_its_tasks_context_ends_when_the_task_can_begin() {
        let end = |arms: &[SimulatedArm], task_context: bool| {
            let mut record = record(arms, 1);
            record.scenario.load.task_context = task_context;
            claim_end(&record, "to the lease")
        };
        assert_eq!(end(&[GRANT_LANE, HGET_LANE], false), "to the lease");
        assert_eq!(end(&[GRANT_LANE, HGET_LANE], true), "until its task can begin");
        assert_eq!(end(&[SDK], false), "until its task can begin");
        let some = "to the lease, of sdk-resume until its task can begin";
        assert_eq!(end(&[GRANT_LANE, SDK], false), some);
        assert_eq!(claim_end_of(VariantPath::SdkReclaim, true, "to the lease"), "to the lease");
    }

    #[test]
    fn the_answer_and_the_tables_say_so() {
        let said = |arm: SimulatedArm| text(&analyse(record(&[arm], 1)).unwrap(), None).replace('\n', " ");
        let (lease, task) = ("a claim to holding the lease", "a claim until its task can begin");
        for (arm, here, not) in [(GRANT_LANE, lease, task), (SDK, task, lease)] {
            let said = said(arm);
            assert!(said.matches(here).count() >= 2 && !said.contains(not), "{said}");
        }
    }
}
