//! What a gate concludes, in the words of each place that says it.

use crate::judge::{Conclusion, Gate};

/// A place's words for what is concluded.
pub(in super::super) type ConclusionWord = fn(Conclusion) -> &'static str;

/// What is concluded without a gate that is enforced, where nothing is wrong.
const NOT_GATED: &str = "measured, not gated";

/// What is concluded. Nothing has passed where nothing was asked.
pub(in super::super) fn concluded(gate: &Gate, word: ConclusionWord) -> &'static str {
    if gate.conclusion == Conclusion::Pass && !gate.enforced { NOT_GATED } else { word(gate.conclusion) }
}

/// In the report of a series: as formats write it.
pub(in super::super) fn in_series(conclusion: Conclusion) -> &'static str {
    conclusion.name()
}

/// In a comment on a pull request.
pub(in super::super) fn in_comment(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Pass => "no regression",
        Conclusion::Regression => "regression",
        Conclusion::Inconclusive => "inconclusive",
        Conclusion::Invalid => "invalid run",
    }
}

/// Of a gate that is enforced, with the exit code that follows.
pub(in super::super) fn with_exit_code(conclusion: Conclusion) -> String {
    let word = match conclusion {
        Conclusion::Pass => "passed",
        Conclusion::Regression => "FAILED",
        Conclusion::Inconclusive => "INCONCLUSIVE",
        Conclusion::Invalid => "INVALID",
    };
    format!("GATE: {word} (exit {})", conclusion.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_passed_where_nothing_was_asked() {
        let gate = |conclusion, enforced| Gate { conclusion, enforced, findings: Vec::new() };
        let said = [(Conclusion::Pass, true), (Conclusion::Pass, false), (Conclusion::Invalid, false)]
            .map(|(conclusion, enforced)| concluded(&gate(conclusion, enforced), in_comment));
        assert_eq!(said, ["no regression", "measured, not gated", "invalid run"]);
        assert_eq!(concluded(&gate(Conclusion::Pass, true), in_series), "pass");
    }
}
