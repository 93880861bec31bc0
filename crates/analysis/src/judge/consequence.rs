//! What a verdict comes to in the end: whether it fails whatever was asked. Build servers, comments and exit codes
//! say the same.

use super::comparison_result::{Comparison, ExactMetric, Verdict};
use super::gate::{GateRole, gate_role};
use super::result::RunResult;

/// What a verdict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing became worse.
    Passes,
    /// Something is worse, and no gate was asked for: it is an answer.
    Reported,
    /// Something is worse, and fails the gate.
    Fails,
    /// Neither can be said.
    Undecided,
}

impl Verdict {
    /// What it comes to, in a run or a series whose gate is enforced or not.
    pub(crate) fn consequence(self, enforced: bool) -> Consequence {
        match self {
            Self::Regression if enforced => Consequence::Fails,
            Self::Regression => Consequence::Reported,
            Self::Inconclusive => Consequence::Undecided,
            Self::Improvement | Self::NoChange => Consequence::Passes,
        }
    }
}

impl RunResult {
    /// What one of its verdicts comes to; `None` where its figures may not be used.
    pub(crate) fn consequence(&self, comparison: &Comparison) -> Option<Consequence> {
        let gates = gate_role(self, &comparison.baseline, &comparison.candidate) == GateRole::Gates;
        self.is_usable().then(|| comparison.verdict.consequence(gates))
    }

    /// What a count that the gate looks at comes to, in the same way.
    pub(crate) fn consequence_of_count(&self, exact: &ExactMetric) -> Option<Consequence> {
        let verdict = if exact.is_more() { Verdict::Regression } else { Verdict::NoChange };
        self.is_usable().then(|| verdict.consequence(self.record.scenario.gate.enforce))
    }
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use super::*;

    #[test]
    fn what_is_worse_fails_where_a_gate_was_asked_for_and_is_an_answer_elsewhere() {
        let arms = [GRANT_LANE, HGET_LANE];
        let comes_to = |enforce: bool, partial: bool| {
            let mut record = record(&arms, 1);
            (record.scenario.gate.enforce, record.partial) = (enforce, partial);
            let result = analyse_as(record, &scenario(&arms));
            let more = result.exact.iter().find(|exact| exact.is_more()).expect("an HGET more");
            [result.consequence(&result.comparisons[0]), result.consequence_of_count(more)]
        };
        assert_eq!(comes_to(false, false), [Some(Consequence::Reported); 2]);
        assert_eq!(comes_to(true, false), [Some(Consequence::Fails); 2]);
        assert_eq!(comes_to(true, true), [None; 2]);
        assert_eq!(Verdict::Improvement.consequence(true), Consequence::Passes);
        assert_eq!(Verdict::Inconclusive.consequence(true), Consequence::Undecided);
    }
}
