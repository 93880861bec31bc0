//! How far two stored results against each other can be believed.

use super::level::Trust;
use crate::judge::{Conclusion, StoredComparison};

impl StoredComparison {
    /// How far it can be believed: with care where the two differ in more than their figures.
    pub fn trust(&self) -> Trust {
        match self.conclusion {
            Conclusion::Invalid => Trust::No,
            Conclusion::Inconclusive => Trust::Careful,
            Conclusion::Pass | Conclusion::Regression if !self.differences.is_empty() => Trust::Careful,
            Conclusion::Pass | Conclusion::Regression => Trust::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, record, scenario};
    use crate::judge::{Setting, SettingDifference, StoredOptions, analyse_as, compare};

    #[test]
    fn what_differs_beside_the_figures_is_read_with_care() {
        let arms = [GRANT_LANE];
        let [base, candidate] = [1, 2].map(|seed| analyse_as(record(&arms, seed), &scenario(&arms)));
        let options = StoredOptions::from_gate_section(&base.record.scenario.gate);
        let mut compared = compare(&base, &candidate, &options).unwrap();
        compared.differences.clear();
        let of = |compared: &StoredComparison| {
            [Conclusion::Pass, Conclusion::Regression, Conclusion::Inconclusive, Conclusion::Invalid]
                .map(|conclusion| StoredComparison { conclusion, ..compared.clone() }.trust())
        };
        assert_eq!(of(&compared), [Trust::Yes, Trust::Yes, Trust::Careful, Trust::No]);
        compared.differences.push(SettingDifference {
            what: Setting::Part("machine kernel".into()),
            base: "Linux 6.1".into(),
            candidate: "Linux 6.2".into(),
            forbids: false,
        });
        assert_eq!(of(&compared), [Trust::Careful, Trust::Careful, Trust::Careful, Trust::No]);
    }
}
