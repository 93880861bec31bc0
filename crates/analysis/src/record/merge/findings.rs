//! What the parts found wrong, and what their readers should know.

use crate::record::{Audit, InvalidReason, RunRecord, Violation, Warning};

/// Why the parts are invalid, each reason once. What only concerns the process that met it says which part
/// that was.
pub(super) fn invalid_reasons(parts: &[RunRecord]) -> Vec<InvalidReason> {
    let of_part = |(n, part): (usize, &RunRecord)| {
        let named = move |reason: &InvalidReason| match reason {
            InvalidReason::Infrastructure { .. } => {
                InvalidReason::OfGenerator { part: n as u32 + 1, what: Box::new(reason.clone()) }
            }
            of_servers => of_servers.clone(),
        };
        part.invalid_reasons.iter().map(named).collect::<Vec<_>>()
    };
    once(parts.iter().enumerate().flat_map(of_part).chain(uneven_sums(parts)))
}

/// Parts whose grants do not add up, where the sum of all does not show it: what one has too much another
/// lacks.
fn uneven_sums(parts: &[RunRecord]) -> Vec<InvalidReason> {
    let violation = Violation::SumOfGrants;
    let mut found = Vec::new();
    for position in 0..parts[0].audits().len() {
        let mut whole = Audit::default();
        let mut of_parts = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            let Some(&audit) = part.audits().get(position) else { continue };
            whole += audit.clone();
            of_parts.push((n as u32 + 1, audit.unexplained()));
        }
        let shown = whole.unexplained() == of_parts.iter().map(|(_, count)| count).sum::<u64>();
        let hidden = of_parts.into_iter().filter(|(_, count)| !shown && *count > 0);
        found.extend(hidden.map(|(part, count)| InvalidReason::OfGenerator {
            part,
            what: Box::new(InvalidReason::AuditViolation { violation, count }),
        }));
    }
    found
}

/// The warnings of all parts, each once. Those that follow from CPU are left out: a part takes the others'
/// work for that of other programs, so `judge` draws them from all generators together.
pub(super) fn warnings(parts: &[RunRecord]) -> Vec<Warning> {
    let (mut left_over, mut swapped) = (0, 0);
    let mut others = Vec::new();
    for warning in parts.iter().flat_map(|part| &part.warnings) {
        match warning {
            Warning::GeneratorBusy { .. } | Warning::BusyMachine { .. } | Warning::CoresStolen { .. } => {}
            // Each part removes its own.
            Warning::LeftOver { keys } => left_over += keys,
            // All parts on a machine see the same pages.
            Warning::Swapping { pages } => swapped = swapped.max(*pages),
            other => others.push(other.clone()),
        }
    }
    let mut warnings = once(others.into_iter());
    if swapped > 0 {
        warnings.push(Warning::Swapping { pages: swapped });
    }
    if left_over > 0 {
        warnings.push(Warning::LeftOver { keys: left_over });
    }
    warnings
}

fn once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}
