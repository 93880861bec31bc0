//! What a run could not answer, and what it would take.

use crate::judge::Shortfall;

/// Without an end: the caller goes on.
pub(in super::super) fn shortfall(shortfall: &Shortfall) -> String {
    match shortfall {
        Shortfall::TooNoisy { claims, threshold, reach, limit, needed, groups } => {
            let in_groups = groups.map(|groups| format!(" in {groups} groups of blocks")).unwrap_or_default();
            let strata = groups.map(|groups| format!(" --set compare.strata={groups}")).unwrap_or_default();
            format!(
                "{claims} claims cannot show {} %: the baseline against itself would be known to about ±{:.1} %, and it \
                 has to be to ±{} %: at least {needed} claims{in_groups} (--claims {needed}{strata}), or a larger \
                 compare.noise_threshold",
                rounded(100.0 * threshold),
                100.0 * reach,
                rounded(100.0 * limit),
            )
        }
        Shortfall::TooFewForTail { metric, each, needed } => format!(
            "{} takes {each} claims of each arm: at least {needed} claims (--claims {needed}), or leave it out of \
             compare.metrics",
            metric.name()
        ),
    }
}

/// Without the zeros that say nothing: 3, 2.5, 1.25.
fn rounded(percent: f64) -> f64 {
    (100.0 * percent).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;

    #[test]
    fn it_is_said_with_the_options_that_mend_it() {
        let (claims, threshold, limit) = (2_000, 0.03, 0.015);
        let noisy = |reach, needed, groups| {
            shortfall(&Shortfall::TooNoisy { claims, threshold, reach, limit, needed, groups })
        };
        assert_eq!(
            noisy(0.0186, 3_100, None),
            "2000 claims cannot show 3 %: the baseline against itself would be known to about ±1.9 %, and it has to be to \
             ±1.5 %: at least 3100 claims (--claims 3100), or a larger compare.noise_threshold"
        );
        assert!(noisy(0.02, 60_000, Some(340)).contains(
            "at least 60000 claims in 340 groups of blocks (--claims 60000 --set compare.strata=340), or"
        ));
        assert_eq!(
            shortfall(&Shortfall::TooFewForTail { metric: Metric::ServiceP99, each: 5_000, needed: 10_000 }),
            "service_p99 takes 5000 claims of each arm: at least 10000 claims (--claims 10000), or leave it out of \
             compare.metrics"
        );
    }
}
