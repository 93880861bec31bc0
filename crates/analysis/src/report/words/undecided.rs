//! Why something is inconclusive, and what stands where there is no difference to show.

use super::super::format::{difference_within, share};
use crate::judge::Undecided;
use crate::stats::{Estimate, TooFew};

/// Where there is no figure, and nothing tells why.
const NO_ESTIMATE: &str = "no estimate";

/// A ratio as a difference with its interval, or why there is none.
pub(in super::super) fn difference_or_why(ratio: Option<&Estimate>, too_few: Option<&TooFew>) -> String {
    match (ratio, too_few) {
        (Some(ratio), _) => difference_within(ratio),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => NO_ESTIMATE.to_owned(),
    }
}

/// Why something is inconclusive, without a full stop; `None` where that word says all that is known.
pub(in super::super) fn undecided_by(undecided: &Undecided) -> Option<String> {
    Some(match undecided {
        Undecided::TooFew(reason) => reason.to_string(),
        Undecided::NoEstimate => NO_ESTIMATE.to_owned(),
        Undecided::ControlFailed => "the control failed".to_owned(),
        Undecided::MayBeChance { p_value } => format!("may be chance, p = {}", self::p_value(*p_value)),
        Undecided::ClustersDifferToo { allowance } => {
            format!("two clusters of one server may differ by {} as well", share(*allowance))
        }
        Undecided::TooWide { detectable } => format!("smallest detectable change: {}", share((*detectable)?)),
        Undecided::OnBothSides { threshold } => {
            format!("the interval lies on both sides of the threshold, {}", share(*threshold))
        }
    })
}

/// The word for a verdict, and why it is none.
pub(in super::super) fn with_why(word: &str, undecided: Option<&Undecided>) -> String {
    match (undecided, undecided.and_then(undecided_by)) {
        (Some(Undecided::TooWide { .. }), Some(why)) => format!("{word} ({why})"),
        (_, Some(why)) => format!("{word}: {why}"),
        (_, None) => word.to_owned(),
    }
}

/// A probability after `p = `.
pub(in super::super) fn p_value(p: f64) -> String {
    if p < 0.001 { "under 0.001".to_owned() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_behind_the_word_that_it_explains() {
        let few = TooFew::Samples { what: "strata".into(), needed: 6, have: 4 };
        for (undecided, said) in [
            (Undecided::TooFew(few), "inconclusive: needs at least 6 strata, has 4"),
            (Undecided::NoEstimate, "inconclusive: no estimate"),
            (Undecided::ControlFailed, "inconclusive: the control failed"),
            (Undecided::MayBeChance { p_value: 0.0804 }, "inconclusive: may be chance, p = 0.080"),
            (Undecided::MayBeChance { p_value: 0.0004 }, "inconclusive: may be chance, p = under 0.001"),
            (
                Undecided::ClustersDifferToo { allowance: 0.005 },
                "inconclusive: two clusters of one server may differ by 0.5 % as well",
            ),
            (Undecided::TooWide { detectable: Some(0.03) }, "inconclusive (smallest detectable change: 3 %)"),
            (Undecided::TooWide { detectable: None }, "inconclusive"),
            (
                Undecided::OnBothSides { threshold: 0.2 },
                "inconclusive: the interval lies on both sides of the threshold, 20 %",
            ),
        ] {
            assert_eq!(with_why("inconclusive", Some(&undecided)), said);
        }
        assert_eq!(with_why("slower", None), "slower");
    }

    #[test]
    fn where_there_is_no_difference_the_reason_stands() {
        let ratio = Estimate { estimate: 1.2, low: 1.1, high: 1.3, confidence: 0.95 };
        let few = TooFew::Constant { what: "samples".into() };
        assert_eq!(
            [
                difference_or_why(Some(&ratio), None),
                difference_or_why(None, Some(&few)),
                difference_or_why(None, None)
            ],
            ["+20.0 % [10.0, 30.0]", "samples do not vary", "no estimate"]
        );
    }
}
