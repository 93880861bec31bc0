//! Figures without intervals against each other: what stands where, and what cannot be known.

use super::super::document::Block;
use super::super::format::{TimeUnit, difference, figure};
use super::super::words::{self, WITHOUT_INTERVALS};
use super::super::{markdown, text};
use super::fails_beyond;
use super::junit::{Case, Suite, document};
use crate::judge::{ComparedFigure, Figure, FigureComparison, FigurePlace, FigureSource};

/// What such a comparison leaves open, whatever it shows.
const NOT_KNOWN: [&str; 4] = [
    "how much of a difference is noise: a file of this form has no interval and no sample, so nothing is called better or \
     worse here; compare two results of reclaim-bench, or measure both in one run",
    "which clock a latency is of, unless the notes say it: from sending a request, or from when it was due",
    "whether a run was valid: no audit, no control, no count of failed operations",
    "what one operation sent: no round trips, commands or bytes",
];

/// For a terminal with so many columns.
pub fn figures_text(comparison: &FigureComparison, columns: Option<u16>) -> String {
    text::render(&blocks(comparison), columns)
}

/// For a pull request.
pub fn figures_markdown(comparison: &FigureComparison) -> String {
    markdown::render(&blocks(comparison))
}

/// For a build server: every figure that has a threshold is skipped, because nothing certain can be said of
/// it.
pub fn junit_figures(comparison: &FigureComparison) -> String {
    let candidate = &comparison.candidate;
    let name = format!("{} against figures without intervals", candidate.scenarios.join(", "));
    let mut suite = Suite::new(&name, &candidate.started, 0.0);
    for figure in comparison.figures.iter().filter(|figure| figure.place != FigurePlace::NotHeld) {
        let said = format!("no interval: {}, {}", amount(figure), place(figure.place));
        suite.add(&figure.scenario, figure.figure.name(), Case::Skipped(said));
    }
    document(&[suite])
}

/// The parts of its report, in order.
pub(in crate::report) fn blocks(comparison: &FigureComparison) -> Vec<Block> {
    let mut blocks = vec![
        Block::Title(format!(
            "{}: {} against {}, not judged",
            comparison.candidate.scenarios.join(", "),
            comparison.candidate.started,
            comparison.base.started
        )),
        Block::Alarm(WITHOUT_INTERVALS.to_owned()),
        Block::List {
            heading: "Compared".into(),
            items: vec![side("base", &comparison.base), side("candidate", &comparison.candidate)],
        },
    ];
    let notes: Vec<String> = [("base", &comparison.base), ("candidate", &comparison.candidate)]
        .into_iter()
        .flat_map(|(name, source)| match source.notes.as_slice() {
            [] => vec![format!("{name}: no notes")],
            [note] => vec![format!("{name}: {note}")],
            notes => notes.iter().map(|note| format!("{name}, {note}")).collect(),
        })
        .collect();
    blocks.push(Block::List { heading: "What the files say of themselves".into(), items: notes });
    blocks.extend(words::differing(&comparison.differences));
    blocks.push(Block::Table {
        heading: "Figures".into(),
        header: vec![
            "scenario",
            "figure",
            "base",
            "value",
            "difference",
            "a gate's limit",
            "which side of it",
        ],
        rows: comparison.figures.iter().map(row).collect(),
        words: vec![1, 6],
    });
    blocks.push(Block::Line(
        "The last column says on which side of the limit the difference lies as it stands. It is no verdict: how much of the \
         difference is noise is not known."
            .to_owned(),
    ));
    blocks.push(Block::List {
        heading: "What cannot be known".into(),
        items: NOT_KNOWN.map(str::to_owned).to_vec(),
    });
    blocks
}

fn side(name: &str, source: &FigureSource) -> String {
    format!("{name}: {} of {}, harness {}", source.system, source.started, source.commit)
}

fn row(compared: &ComparedFigure) -> Vec<String> {
    let values = [compared.base_value, compared.candidate_value];
    // Files have milliseconds; a claim takes a fraction of one.
    let (label, [base, candidate]) = if compared.figure == Figure::Throughput {
        (label(compared.figure).to_owned(), values.map(figure))
    } else {
        let us = values.map(|ms| 1e3 * ms);
        let unit = TimeUnit::fitting(us);
        (unit.heading(label(compared.figure)), us.map(|us| unit.figure(us)))
    };
    vec![
        compared.scenario.clone(),
        label,
        base,
        candidate,
        amount(compared),
        fails_beyond(compared.thresholds),
        place(compared.place).to_owned(),
    ]
}

fn label(figure: Figure) -> &'static str {
    match figure {
        Figure::Throughput => "operations/s",
        Figure::LatencyP50 => "latency p50",
        Figure::LatencyP95 => "latency p95",
        Figure::LatencyP99 => "latency p99",
    }
}

fn amount(compared: &ComparedFigure) -> String {
    compared.ratio.map_or_else(|| "-".to_owned(), difference)
}

/// Where a figure stands, without calling it anything.
fn place(place: FigurePlace) -> &'static str {
    match place {
        FigurePlace::BeyondFail => "beyond it",
        FigurePlace::BeyondWarn => "beyond its warning",
        FigurePlace::Within => "within it",
        FigurePlace::Missing => "one side has none",
        FigurePlace::NotHeld => "has none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::judge::{StoredOptions, analyse, compare_figures};
    use crate::report::ci::ff_bench_reports;

    fn slower() -> FigureComparison {
        let base = ff_bench_reports(&analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap()).unwrap();
        let mut candidate = base.clone();
        for report in &mut candidate {
            report.latency_ms.p99 *= 3.0;
            report.notes = None;
        }
        let options = StoredOptions::from_gate_section(&crate::scenario::GateSection::default());
        compare_figures(&base, &candidate, &options).unwrap()
    }

    #[test]
    fn nothing_is_called_worse_and_what_is_not_known_is_said() {
        let text = figures_text(&slower(), None);
        let first = text.lines().next().unwrap();
        assert!(first.ends_with("not judged"), "{text}");
        assert!(
            text.contains("+200.0 %") && text.contains("beyond it") && text.contains("It is no verdict"),
            "{text}"
        );
        assert!(text.contains("What cannot be known") && text.contains("candidate: no notes"), "{text}");
        // A claim takes a fraction of a millisecond: two digits of it would hide a difference of a tenth.
        assert!(text.contains("latency p50 (µs)"), "{text}");
        let p50 = slower().figures[0].base_value;
        assert!(text.contains(&figure(1e3 * p50)), "{text}");
        for variant in ["base, lane-ab-grant-lane: latency is", "base, lane-ab-hget-lane: latency is"] {
            assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(variant), "{text}");
        }
        for certain in ["✗", "✓", "regression", "fail ", "pass"] {
            assert!(!text.contains(certain), "{certain}\n{text}");
        }
    }

    #[test]
    fn a_test_report_has_no_failure_and_no_success_of_them() {
        let xml = junit_figures(&slower());
        assert_eq!(xml.matches("<skipped").count(), 4, "{xml}");
        assert!(xml.contains("tests=\"4\" failures=\"0\" errors=\"0\" skipped=\"4\""), "{xml}");
    }
}
