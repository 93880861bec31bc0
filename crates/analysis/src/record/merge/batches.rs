//! The window of several parts as one: what each batch lasted, and when nobody's claims succeeded in it.
//!
//! All parts begin a batch at the same moment, and it is over when the last of them has ended it. So a moment
//! of a part is one of the whole window by its batch and its distance from that batch's begin.

use std::time::Duration;

use super::error::{MergeError, Tie};
use super::fitting::same;
use crate::record::batch_note::nanos;
use crate::record::timeline::{MOST_FIRSTS, STALL};
use crate::record::{BatchNote, QUIET_NS, RunRecord, WindowEvent, WindowEventKind};

/// The batches of all parts.
pub(super) struct Batches {
    /// The batches of each part, filled up to the same number: a part that was stopped before a batch made no
    /// claim in it.
    of_parts: Vec<Vec<BatchNote>>,
    /// How long each lasted for all of them together, in nanoseconds.
    active_ns: Vec<u64>,
}

/// A span in which nobody's claims succeeded.
struct Gap {
    length_ns: u64,
    /// In time of the window.
    ended_ns: u64,
}

impl Batches {
    /// The batches of these parts; `None` where they were not kept.
    pub fn from_parts(parts: &[RunRecord]) -> Result<Option<Self>, MergeError> {
        let notes = |part: &RunRecord| part.window.as_ref().map(|window| window.batches.clone());
        let mut of_parts: Vec<Vec<BatchNote>> =
            parts.iter().map(|part| notes(part).unwrap_or_default()).collect();
        if of_parts.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        same(parts, Tie::Batches, |number| of_parts[number].len())?;
        let batches = of_parts.iter().map(Vec::len).max().unwrap_or_default();
        for notes in &mut of_parts {
            notes.resize_with(batches, BatchNote::default);
        }
        let longest = |n: usize| of_parts.iter().map(|notes| notes[n].active_ns).max().unwrap_or_default();
        let active_ns = (0..batches).map(longest).collect();
        Ok(Some(Self { of_parts, active_ns }))
    }

    /// Time in which claims were made.
    pub fn active_s(&self) -> f64 {
        seconds(self.active_ns.iter().sum())
    }

    /// Time in which an arm's claims were made.
    pub fn arm_active_s(&self, arm: u32) -> f64 {
        let took_part = |n: &usize| self.of_parts.iter().any(|notes| notes[*n].arms.contains(&arm));
        seconds((0..self.active_ns.len()).filter(took_part).map(|n| self.active_ns[n]).sum())
    }

    /// The longest span in which nobody's claims succeeded, of those that are long enough to be kept.
    fn longest_gap(&self) -> Option<Gap> {
        // Of several as long, the first.
        self.gaps()
            .into_iter()
            .reduce(|longest, gap| if gap.length_ns > longest.length_ns { gap } else { longest })
    }

    /// All of them together; `None` where no claim succeeded.
    pub fn stalled_s(&self) -> Option<f64> {
        let any = self.of_parts.iter().flatten().any(|note| note.succeeded);
        any.then(|| seconds(self.gaps().iter().map(|gap| gap.length_ns).sum()))
    }

    /// Spans in which nobody's claims succeeded and that are long enough to be kept; nothing counts before
    /// the first success.
    fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let (mut seen, mut before) = (false, 0);
        for (n, &active_ns) in self.active_ns.iter().enumerate() {
            seen |= self.of_parts.iter().any(|notes| notes[n].succeeded);
            let quiet = self.of_parts.iter().map(|notes| quiet(&notes[n], active_ns));
            for [from, until] in quiet.reduce(|a, b| in_both(&a, &b)).filter(|_| seen).unwrap_or_default() {
                let length_ns = until - from;
                if length_ns >= QUIET_NS {
                    gaps.push(Gap { length_ns, ended_ns: before + until });
                }
            }
            before += active_ns;
        }
        gaps
    }

    /// A moment of a part's window in that of all.
    fn moment_s(&self, part: usize, seconds_in: f64) -> f64 {
        let t_ns = (seconds_in * 1e9).round() as u64;
        let (mut own, mut all) = (0, 0);
        for (note, active_ns) in self.of_parts[part].iter().zip(&self.active_ns) {
            if t_ns <= own + note.active_ns {
                break;
            }
            own += note.active_ns;
            all += active_ns;
        }
        seconds(all + (t_ns - own.min(t_ns)))
    }
}

/// Spans of a batch in which a part's claims did not succeed, until the batch was over for all parts. A part
/// keeps its spans from a tenth of a second on; a longer span that all parts share lies within kept ones.
fn quiet(note: &BatchNote, active_ns: u64) -> Vec<[u64; 2]> {
    let rest = [note.quiet_since_ns, active_ns];
    note.quiet_ns.iter().copied().chain([rest]).filter(|[from, until]| from < until).collect()
}

/// What two lists of spans have in common, both in the order of time.
fn in_both(one: &[[u64; 2]], other: &[[u64; 2]]) -> Vec<[u64; 2]> {
    let (mut common, mut i, mut j) = (Vec::new(), 0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        let span = [a[0].max(b[0]), a[1].min(b[1])];
        if span[0] < span[1] {
            common.push(span);
        }
        if a[1] <= b[1] { i += 1 } else { j += 1 }
    }
    common
}

/// The longest span of the window without a success, and what happened in it.
pub(super) fn gap_and_events(
    parts: &[RunRecord],
    batches: Option<&Batches>,
) -> (Option<f64>, Vec<WindowEvent>) {
    let gap = batches.and_then(Batches::longest_gap);
    let mut events = firsts(parts, batches);
    if let Some(Gap { length_ns, ended_ns }) = gap.as_ref().filter(|gap| gap.length_ns >= nanos(STALL)) {
        for (at, what) in
            [(ended_ns - length_ns, WindowEventKind::StallBegan), (*ended_ns, WindowEventKind::StallEnded)]
        {
            events.push(WindowEvent { t_s: seconds(at), what });
        }
    }
    events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    let bound = || parts.iter().filter_map(|part| part.longest_gap_s).reduce(f64::min);
    let longest_s = match gap {
        Some(gap) => Some(seconds(gap.length_ns)),
        None => bound().filter(|_| batches.is_some()).map(|bound| bound.min(seconds(QUIET_NS))),
    };
    (longest_s, events)
}

/// The first claim of all parts that ended in each way, in the order of time. A part's own stalls are none of
/// all.
fn firsts(parts: &[RunRecord], batches: Option<&Batches>) -> Vec<WindowEvent> {
    let mut firsts: Vec<WindowEvent> = Vec::new();
    let mut all: Vec<WindowEvent> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let moment = |t_s: f64| batches.map_or(t_s, |batches| batches.moment_s(number, t_s));
        all.extend(part.events.iter().map(|event| WindowEvent { t_s: moment(event.t_s), ..event.clone() }));
    }
    all.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    for event in all {
        let stall = matches!(event.what, WindowEventKind::StallBegan | WindowEventKind::StallEnded);
        if !stall && firsts.len() < MOST_FIRSTS && firsts.iter().all(|known| known.what != event.what) {
            firsts.push(event);
        }
    }
    firsts
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_two_have_in_common() {
        let common = in_both(&[[0, 10], [20, 30], [40, 90]], &[[5, 25], [50, 60], [60, 70], [80, 200]]);
        assert_eq!(common, [[5, 10], [20, 25], [50, 60], [60, 70], [80, 90]]);
        assert_eq!(in_both(&[[0, 10]], &[[10, 20]]), [] as [[u64; 2]; 0]);
    }

    /// How long a batch lasted, since when it was quiet at its end, and when before, in the shortest span
    /// that is kept.
    type Note<'a> = (u64, u64, &'a [[u64; 2]]);

    fn batches(parts: &[&[Note<'_>]]) -> Batches {
        let note = |&(active, since, quiet): &Note<'_>| BatchNote {
            active_ns: active * QUIET_NS,
            arms: vec![0],
            succeeded: since > 0,
            quiet_since_ns: since * QUIET_NS,
            quiet_ns: quiet.iter().map(|span| span.map(|at| at * QUIET_NS)).collect(),
        };
        let of_parts: Vec<Vec<_>> = parts.iter().map(|notes| notes.iter().map(note).collect()).collect();
        let longest = |n: usize| of_parts.iter().map(|notes| notes[n].active_ns).max().unwrap();
        Batches { active_ns: (0..of_parts[0].len()).map(longest).collect(), of_parts }
    }

    #[test]
    fn a_span_is_quiet_where_nobody_succeeds_and_a_part_that_has_ended_does_not() {
        let gap = |parts: &[&[Note<'_>]]| {
            let gap = batches(parts).longest_gap()?;
            Some([gap.length_ns, gap.ended_ns].map(|ns| ns / QUIET_NS))
        };
        // Each has a long span, and another at a time.
        assert_eq!(gap(&[&[(20, 20, &[[0, 9]])], &[(20, 20, &[[8, 18]])]]), Some([1, 9]));
        // The second is done at 12 and silent from there; the first succeeds at 19.
        assert_eq!(gap(&[&[(20, 20, &[[11, 19]])], &[(12, 12, &[])]]), Some([7, 19]));
        assert_eq!(gap(&[&[(20, 15, &[])], &[(20, 17, &[])]]), Some([3, 20]), "until the end");
        let never: &[Note<'_>] = &[(20, 0, &[])];
        assert_eq!(gap(&[never, never]), None, "before the first success nothing counts");
        assert_eq!(gap(&[&[(20, 20, &[])], &[(20, 20, &[])]]), None);
        let stalled =
            |parts: &[&[Note<'_>]]| (batches(parts).stalled_s().unwrap_or_default() * 10.0).round() as u64;
        let twice: &[Note<'_>] = &[(20, 17, &[[2, 5], [9, 10]]), (20, 20, &[[1, 3]])];
        assert_eq!((stalled(&[twice, twice]), stalled(&[never, never])), (3 + 1 + 3 + 2, 0));
    }

    #[test]
    fn a_moment_is_told_from_the_begin_of_its_batch() {
        let both = batches(&[&[(10, 10, &[]), (10, 10, &[])], &[(30, 30, &[]), (5, 5, &[])]]);
        let at = |part: usize, t: u64| (both.moment_s(part, t as f64 / 10.0) * 10.0).round() as u64;
        assert_eq!([at(0, 4), at(0, 10), at(0, 14), at(1, 14), at(1, 34)], [4, 10, 34, 14, 34]);
        assert!((both.active_s() - 4.0).abs() < 1e-9 && (both.arm_active_s(0) - 4.0).abs() < 1e-9);
        assert_eq!(both.arm_active_s(1).to_bits(), 0);
    }
}
