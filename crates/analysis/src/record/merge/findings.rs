//! What the parts found wrong, and what their readers should know.

use crate::record::{Audit, InvalidReason, RunRecord, Violation, Warning};

/// The faults of all parts, each once. What only concerns the process that met it says which part that was.
pub(super) fn faults(parts: &[RunRecord]) -> Vec<InvalidReason> {
    let of_part = |(n, part): (usize, &RunRecord)| {
        let named = move |fault: &InvalidReason| match fault {
            InvalidReason::Infrastructure { .. } => {
                InvalidReason::OfGenerator { part: n as u32 + 1, what: Box::new(fault.clone()) }
            }
            of_servers => of_servers.clone(),
        };
        part.faults.iter().map(named).collect::<Vec<_>>()
    };
    once(parts.iter().enumerate().flat_map(of_part).chain(uneven_sums(parts)))
}

/// Parts whose grants do not add up: what one has too much another may lack, and the sum of all would not
/// show it.
fn uneven_sums(parts: &[RunRecord]) -> impl Iterator<Item = InvalidReason> {
    parts.iter().enumerate().flat_map(|(n, part)| {
        let found = part.audits().into_iter().flat_map(Audit::found);
        let uneven = found.filter(|(violation, count)| *violation == Violation::SumOfGrants && *count > 0);
        uneven.map(move |(violation, count)| InvalidReason::OfGenerator {
            part: n as u32 + 1,
            what: Box::new(InvalidReason::AuditViolation { violation, count }),
        })
    })
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
