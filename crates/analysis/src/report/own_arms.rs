//! What each of two stored results says of its own arms, in words: it measured them beside each other.

use super::document::Block;
use super::format::signed_within;
use super::words;
use crate::judge::StoredPair;
use crate::stats::Estimate;

/// What stands above them.
pub(super) const HEADING: &str = "What each result says of its own arms, by the median service time";

/// How to read them.
const READING: &str = "Not judged: two agree where their intervals meet, and an interval is of one run, so that it does not know what differs \
     from one run to the next. A difference in µs is one of its own machine; in bare round trips it carries over as far as \
     anything does.";

/// What a missing one means.
const MISSING: &str = "A dash stands for a result that says nothing of the two: its control failed, or it has no such difference.";

/// The difference of each pair in either result, and how to read it; nothing without a pair.
pub(super) fn blocks(pairs: &[StoredPair]) -> Vec<Block> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let side = |of: Option<Estimate>| of.map_or_else(|| "-".to_owned(), |of| signed_within(&of));
    let row = |pair: &StoredPair| {
        vec![
            pair.pair(),
            words::unit(pair.metric.row().unit).to_owned(),
            side(pair.in_base),
            side(pair.in_candidate),
            agreement(pair).to_owned(),
        ]
    };
    let table = Block::Table {
        heading: HEADING.to_owned(),
        header: vec!["arms", "in", "base", "candidate", "the two"],
        rows: pairs.iter().map(row).collect(),
        words: vec![1, 4],
    };
    vec![table, Block::Line(reading(pairs))]
}

/// How to read these pairs.
pub(super) fn reading(pairs: &[StoredPair]) -> String {
    let missing = pairs.iter().any(|pair| pair.in_base.is_none() || pair.in_candidate.is_none());
    if missing { format!("{READING} {MISSING}") } else { READING.to_owned() }
}

/// Whether the two agree.
pub(super) fn agreement(pair: &StoredPair) -> &'static str {
    match pair.agree {
        Some(true) => "agree",
        Some(false) => "lie apart",
        None if pair.in_base.is_some() && pair.in_candidate.is_some() => {
            "cannot be compared: round trips of another kind"
        }
        None => "-",
    }
}

/// One pair in a sentence without a full stop.
pub(super) fn said(pair: &StoredPair) -> String {
    let unit = words::unit(pair.metric.row().unit);
    let side = |of: Option<Estimate>| {
        of.map_or_else(|| "nothing".to_owned(), |of| format!("{} {unit}", signed_within(&of)))
    };
    let agreement = match agreement(pair) {
        "-" => String::new(),
        told => format!("; the two {told}"),
    };
    format!("not judged: base {}, candidate {}{agreement}", side(pair.in_base), side(pair.in_candidate))
}
