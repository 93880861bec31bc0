//! Which warnings bear on a difference, and not on the figures alone.

use crate::judge::verdict::on_one_side;
use crate::record::Warning;

/// Whether one of them bears on the differences as well; where nothing is compared, on figures. `threshold` is
/// what counts as a difference, `None` where nothing is compared.
pub(super) fn bear_on_differences(warnings: &[Warning], threshold: Option<f64>) -> bool {
    warnings.iter().any(|warning| !leaves_differences(warning, threshold))
}

/// Whether what is warned of bears on figures alone, and whether there is a difference is what is asked for.
fn leaves_differences(warning: &Warning, threshold: Option<f64>) -> bool {
    threshold.is_some_and(|threshold| match warning {
        Warning::SharedMachine { .. } => true,
        Warning::EffectChanged { first, second, .. } => on_one_side([*first, *second], threshold),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;

    #[test]
    fn a_warning_of_figures_leaves_the_differences_where_something_is_compared() {
        let shared = Warning::SharedMachine { cores: 2 };
        let changed = |first: f64, second: f64| Warning::EffectChanged {
            candidate: "hget-lane".into(),
            metric: Metric::ServiceP50,
            first,
            second,
        };
        let bear = |warnings: &[Warning]| bear_on_differences(warnings, Some(0.02));
        assert!(!bear(&[]) && !bear(std::slice::from_ref(&shared)));
        // Another size of the same effect; an effect that came or went.
        assert!(!bear(&[changed(1.1, 1.3), shared.clone()]) && !bear(&[changed(1.01, 0.99)]));
        assert!(bear(&[changed(1.0, 1.3)]) && bear(&[changed(0.9, 1.1)]));
        assert!(bear(&[shared.clone(), Warning::NoRealTime]));
        assert!(bear_on_differences(&[shared], None), "figures are all that there is");
        assert!(!bear_on_differences(&[], None));
    }
}
