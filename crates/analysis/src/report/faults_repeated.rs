//! Faults over the runs of a series, in a table of times and one of counts.

use super::document::Block;
use super::faults_met::tried;
use super::format::{confidence, count, figure};
use crate::judge::{OverRuns, Repeated, RepeatedRecovery};
use crate::stats::{CONFIDENCE, Estimate};

/// How the runs of a series came through their faults: times from the strike, and what claims met.
pub(super) fn blocks(repeated: &Repeated) -> Vec<Block> {
    [times(&repeated.recoveries), counts(repeated)].into_iter().flatten().collect()
}

fn times(recoveries: &[RepeatedRecovery]) -> Option<Block> {
    let (mut rows, mut means) = (Vec::new(), Vec::new());
    for one in recoveries {
        for (what, time) in [
            ("its server was marked as failed", &one.marked_failed_s),
            ("replica had taken over", &one.took_over_s),
            ("first success on its slots", &one.first_success_s),
            ("rate and p99 as before", &one.recovered_s),
            ("the slowest claim was answered, from when it was due", &one.slowest_s),
        ] {
            if time.per_run.iter().any(Option::is_some) {
                rows.push(row(one.kind.as_str(), what.to_owned(), time, (&exact, &exact)));
                means.extend(time.mean);
            }
        }
    }
    (!rows.is_empty()).then(|| Block::Table {
        heading: format!("Faults over all runs: seconds from the strike ({})", mean_and_interval(&means)),
        header: vec!["fault", "until", "mean", "run by run"],
        rows,
        words: vec![1, 3],
    })
}

fn counts(repeated: &Repeated) -> Option<Block> {
    let (mut rows, mut means) = (Vec::new(), Vec::new());
    for one in &repeated.recoveries {
        let kind = one.kind.as_str();
        let lost = OverRuns {
            per_run: one.lost_by_server.iter().map(|lost| Some(*lost as f64)).collect(),
            mean: one.lost_by_server_mean,
        };
        let tries =
            one.retries.iter().map(|(cause, n)| (format!("tries that came to nothing: {}", tried(cause)), n));
        let rest = [
            ("in doubt for want of a reply, and claimed", &one.doubtful.claimed),
            ("in doubt for want of a reply, and not claimed", &one.doubtful.not_claimed),
            ("in doubt until the audit", &one.doubtful.open),
            ("claims refused", &one.refused),
            ("grants and claims lost by the servers", &lost),
        ];
        let met = [("late claims", &one.late), ("claims that took more than one try", &one.claims_retried)];
        let named = |(what, n): (&str, _)| (what.to_owned(), n);
        for (what, n) in met.into_iter().map(named).chain(tries).chain(rest.into_iter().map(named)) {
            if n.is_seen() {
                rows.push(row(kind, what, n, (&whole, &figure)));
                means.extend(n.mean);
            }
        }
    }
    for (kind, n) in &repeated.redirects {
        rows.push(row("all", format!("redirects of all servers: {}", kind.code()), n, (&whole, &figure)));
        means.extend(n.mean);
    }
    (!rows.is_empty()).then(|| Block::Table {
        heading: format!("What claims met over all runs ({})", mean_and_interval(&means)),
        header: vec!["fault", "what", "mean", "run by run"],
        rows,
        words: vec![1, 3],
    })
}

/// What a table with these means holds of each figure.
fn mean_and_interval(means: &[Estimate]) -> String {
    format!("mean, {} interval over runs", confidence(means, CONFIDENCE))
}

/// Seconds to a hundredth.
fn exact(s: f64) -> String {
    format!("{s:.2}")
}

/// A count of one run.
fn whole(n: f64) -> String {
    count(n as u64)
}

/// How a figure of one run is written, and how a mean of several: that of counts is none.
type Written<'a> = (&'a dyn Fn(f64) -> String, &'a dyn Fn(f64) -> String);

fn row(kind: &str, what: String, over: &OverRuns, (one, several): Written<'_>) -> Vec<String> {
    let each: Vec<String> =
        over.per_run.iter().map(|figure| figure.map_or_else(|| "-".to_owned(), one)).collect();
    let mean = match (over.mean, over.per_run.as_slice()) {
        (Some(mean), _) => {
            // Neither a time nor a count is below nothing.
            let [mean, low, high] = [mean.estimate, mean.low.max(0.0), mean.high].map(several);
            format!("{mean} [{low}, {high}]")
        }
        // What does not vary has no interval.
        (None, [Some(first), others @ ..]) if others.iter().all(|other| *other == Some(*first)) => {
            format!("{} each", one(*first))
        }
        (None, _) => "-".to_owned(),
    };
    vec![kind.to_owned(), what, mean, each.join("  ")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fault_fixture::killed;
    use crate::judge::{analyse, repeat};

    #[test]
    fn all_that_claims_met_stands_in_the_tables_of_a_series() {
        let run = |n: u64| {
            let mut record = killed();
            let injected = record.injected.as_mut().unwrap();
            injected.faults[0].claims_retried += n;
            injected.faults[0].doubts.claimed = 7;
            analyse(record).unwrap()
        };
        let blocks = format!("{:?}", blocks(&repeat(&[run(0), run(10), run(20)], 3)));
        for words in [
            "its server was marked as failed",
            "the slowest claim was answered",
            "\"late claims\"",
            "\"claims that took more than one try\", \"1,300 [1,275, 1,325]\", \"1,290  1,300  1,310\"",
            "\"in doubt for want of a reply, and claimed\", \"7 each\", \"7  7  7\"",
            "tries that came to nothing: the connection was lost",
            "grants and claims lost by the servers",
            "redirects of all servers: MOVED",
        ] {
            assert!(blocks.contains(words), "no {words} in {blocks}");
        }
        assert!(!blocks.contains("until the audit"), "{blocks}");
    }
}
