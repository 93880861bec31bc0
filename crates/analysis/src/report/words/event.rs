//! What happened in a window, in a few words.

use crate::record::{RunRecord, WindowEventKind};
use crate::scenario::FaultKind;

/// What a reader must know of the last second where rates are shown; `None` where it is a whole one.
pub(in super::super) fn last_second(record: &RunRecord) -> Option<String> {
    let last = record.timeline.last()?;
    if record.last_second_is_unknown() {
        return Some(
            "This result does not say how much of its last second was measured: the rates leave it out, its claims are in the \
             table."
                .to_owned(),
        );
    }
    let part_s = last.part_s?;
    Some(if last.claims_per_sec().is_some() {
        format!("Of the last second {part_s:.2} s were measured: its rates are over these.")
    } else {
        format!(
            "Of the last second only {part_s:.2} s were measured, too little for a rate: the rates leave it out, its claims are \
             in the table."
        )
    })
}

/// What happened in a window.
pub(in super::super) fn event(event: &WindowEventKind) -> String {
    match event {
        WindowEventKind::FaultStruck { kind, server, .. } => match kind {
            FaultKind::Pause => format!("fault: {server} is stopped"),
            FaultKind::Kill => format!("fault: {server} is killed"),
            FaultKind::Failover => format!("fault: a replica of {server} is asked to take over"),
            FaultKind::Disconnect => format!("fault: the claims' connections to {server} are cut"),
            FaultKind::Busy => format!("fault: a script keeps {server} busy"),
            FaultKind::Restart => format!("fault: {server} is ended, to be started again"),
            FaultKind::Partition => format!("fault: {server} is cut off"),
            FaultKind::MoveSlots => format!("fault: slots begin to move away from {server}"),
        },
        WindowEventKind::FaultEnded { kind, server, .. } => match kind {
            FaultKind::Pause => format!("{server} goes on"),
            FaultKind::Busy => format!("the script on {server} ends"),
            FaultKind::Restart => format!("{server} is there again"),
            FaultKind::Partition => format!("{server} is on its networks again"),
            FaultKind::MoveSlots => format!("the slots of {server} have moved"),
            FaultKind::Kill | FaultKind::Failover | FaultKind::Disconnect => {
                format!("the {} of {server} is over", kind.as_str())
            }
        },
        WindowEventKind::MarkedFailed { server } => format!("another primary has {server} down as failed"),
        WindowEventKind::TookOver { server } => format!("{server} has taken over"),
        WindowEventKind::StallBegan => "the longest span without a successful claim begins".into(),
        WindowEventKind::StallEnded => "the longest span without a successful claim ends".into(),
        WindowEventKind::FirstRefused { code } => format!("the first claim refused with {code}"),
        WindowEventKind::FirstRedirected { redirect } => {
            let reply = redirect.code();
            format!("the first claim answered with {reply}")
        }
        WindowEventKind::FirstExpired => "the first claim whose grant was past its time".into(),
        WindowEventKind::FirstLostRace => "the first claim that another worker was before".into(),
        WindowEventKind::FirstTimedOut => "the first claim without a reply in time".into(),
        WindowEventKind::FirstAmbiguous => {
            "the first claim without a reply that took effect, or of which nobody can tell".into()
        }
        WindowEventKind::FirstFailed => {
            "the first claim whose connection broke or that the server refused".into()
        }
    }
}
