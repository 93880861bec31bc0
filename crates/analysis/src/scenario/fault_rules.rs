//! What `[[fault]]` may say: which kinds on which clusters, and when.

use std::time::Duration;

use super::arrivals::{Arrivals, Ramp};
use super::build::arrivals;
use super::checker::Checker;
use super::choices::{Mode, Provider};
use super::duration::HumanDuration;
use super::fault::{FaultKind, FaultSection, FaultTarget, SLOTS};
use super::file::ScenarioFile;
use super::load_section::ModelForm;

/// Faults of one run at most.
const MOST: usize = 16;

/// Shortest and longest time that one lasts.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_mins(1);

/// Slots that may move at once: as many as a primary of three has partitions, and more.
const MOST_SLOTS: u16 = 1_024;

/// Fewer primaries than this cannot elect a replica when one of them is gone: more than half of all must
/// vote.
const ELECTORATE: u16 = 3;

/// What is wrong with each by itself.
pub(super) fn check(sections: &[FaultSection], checker: &mut Checker) {
    checker.require(sections.len() <= MOST, "fault", || {
        format!("{} are too many: at most {MOST} in one run", sections.len())
    });
    for (n, section) in sections.iter().enumerate() {
        let key = |name: &str| format!("fault[{n}].{name}");
        let kinds = || FaultKind::ALL.map(FaultKind::as_str).join(", ");
        let [(kind, target)] = section.given()[..] else {
            let what = if section.given().is_empty() { "no kind" } else { "several kinds" };
            checker.refuse(
                format!("fault[{n}]"),
                format!("{what} given: write exactly one of {}, such as kill = \"busiest primary\"", kinds()),
            );
            continue;
        };
        match (kind.lasts(), section.lasting) {
            (true, None) => {
                checker.refuse(key("for"), format!("missing; a {} needs its length", kind.as_str()));
            }
            (_, Some(lasting)) if kind.may_last() => checker.lasting(&key("for"), lasting, SHORTEST, LONGEST),
            (_, Some(_)) => {
                let what = format!("a {} has no length: leave it out", kind.as_str());
                checker.refuse(key("for"), what);
            }
            (false, None) => {}
        }
        if kind == FaultKind::MoveSlots {
            let slots = section.slots.unwrap_or(SLOTS);
            checker.require((1..=MOST_SLOTS).contains(&slots), &key("slots"), || {
                format!("{slots} is not between 1 and {MOST_SLOTS}")
            });
        } else {
            for (name, given) in [("slots", section.slots.is_some()), ("how", section.how.is_some())] {
                checker.require(!given, &key(name), || {
                    format!("a {} moves no slots: leave it out, or use move_slots", kind.as_str())
                });
            }
        }
        let cuts = kind.needs_networks() || section.cut_from.is_none();
        checker.require(cuts, &key("cut_from"), || {
            format!("a {} cuts nobody off: leave it out, or use partition", kind.as_str())
        });
        checker.require(!target.is_replica() || kind.may_strike_replica(), &key(kind.as_str()), || {
            format!(
                "a {} of a replica touches no claim: name a primary (a pause or a partition can strike a replica)",
                kind.as_str()
            )
        });
    }
    let kills = sections.iter().filter(|section| section.kill.is_some()).count();
    checker.require(kills <= 1, "fault", || {
        format!("{kills} kills in one run: the second could leave no replica to take over; keep one")
    });
}

/// What is wrong with them beside the other keys.
pub(super) fn combine(file: &ScenarioFile, checker: &mut Checker) {
    if file.faults.is_empty() {
        return;
    }
    // What a storm's workers wait for is in its figures: each execution's clock runs from the storm's first
    // signal.
    let storm = file.load.mode == Mode::Storm;
    checker.require(file.load.model == ModelForm::Open || storm, "load.model", || {
        "with a [[fault]] use model = \"open\": a closed loop waits for the servers, and what should have been done \
         meanwhile is in no figure; or mode = \"storm\""
            .into()
    });
    let recovery = file.slo.as_ref().is_some_and(|slo| slo.recovery.is_some());
    checker.require(!storm || !recovery, "slo.recovery", || {
        "a storm has nothing steady to come back to, its own times say how long it took: leave it out".into()
    });
    let restarted = file.faults.iter().position(|section| section.restart.is_some());
    checker.require(!storm || restarted.is_none(), &format!("fault[{}].restart", restarted.unwrap_or(0)), || {
        "what a server that comes back empty had never resumes, so that the storm would not end: use kill, or \
         mode = \"churn\""
            .into()
    });
    checker.require(file.variants.len() == 1, "variant", || {
        "with a [[fault]] keep one: two ways of claiming would recover from each other's queue; run it once for each"
            .into()
    });
    checker.require(file.load.contenders == 1, "load.contenders", || {
        "with a [[fault]] use 1: which of several workers was too late, and which was cut off, could not be told".into()
    });
    checker.require(file.grant.unconsumed == 0.0, "grant.unconsumed", || {
        "with a [[fault]] use 0: grants that expire by themselves would hide those that a fault loses".into()
    });
    for (n, section) in file.faults.iter().enumerate() {
        for (kind, target) in section.given() {
            servers(file, (n, kind, target), checker);
        }
    }
    times(file, checker);
}

/// Whether the cluster is one on which it can be done.
fn servers(file: &ScenarioFile, (n, kind, target): (usize, FaultKind, FaultTarget), checker: &mut Checker) {
    let (cluster, name) = (&file.cluster, kind.as_str());
    if kind.needs_process() {
        let why = format!(
            "fault[{n}].{name} is done to the process of a server, which must be one of the tool's own"
        );
        checker.require(cluster.nodes.is_empty(), "cluster.nodes", || {
            format!("{why}: leave the nodes out, or use failover, move_slots, disconnect or busy")
        });
        let can = cluster.provider == Provider::Container || !kind.needs_networks();
        checker.require(can || !cluster.nodes.is_empty(), "cluster.provider", || {
            format!(
                "fault[{n}].{name} takes a server off its network, and only one in a container has a network of its own: \
                 use provider = \"container\""
            )
        });
    }
    if !cluster.nodes.is_empty() {
        return;
    }
    checker.require(
        cluster.replicas > 0 || !(kind.moves_primary() || target.is_replica()),
        "cluster.replicas",
        || format!("fault[{n}].{name} needs a replica of each primary: set it to 1 or more"),
    );
    checker.require(cluster.primaries > 1 || kind != FaultKind::MoveSlots, "cluster.primaries", || {
        format!("fault[{n}].{name} needs a primary that slots can move to: use 2 or more")
    });
    checker.require(cluster.primaries >= ELECTORATE || kind != FaultKind::Kill, "cluster.primaries", || {
        format!(
            "after fault[{n}].kill more than half of the primaries must vote for the replica: use {ELECTORATE} or more"
        )
    });
}

/// Whether each strikes within the window, and when the one before it is over.
fn times(file: &ScenarioFile, checker: &mut Checker) {
    let end = |section: &FaultSection| section.at.0 + section.lasting.map(|l| l.0).unwrap_or_default();
    let window = window(file);
    let mut order: Vec<usize> = (0..file.faults.len()).collect();
    order.sort_by_key(|&n| file.faults[n].at);
    for (place, &n) in order.iter().enumerate() {
        let section = &file.faults[n];
        if let Some(window) = window {
            checker.require(end(section) < window, &format!("fault[{n}].at"), || {
                let window = HumanDuration(Duration::from_millis(window.as_millis() as u64));
                format!("the window is over after {window}: strike, and end, before that")
            });
        }
        if let Some(&before) = place.checked_sub(1).and_then(|place| order.get(place)) {
            checker.require(end(&file.faults[before]) <= section.at.0, &format!("fault[{n}].at"), || {
                format!("fault[{before}] is not over by then: what each of them did could not be told apart")
            });
        }
    }
}

/// Length of the window as the schedule has it; `None` for a trace, which only its file knows.
fn window(file: &ScenarioFile) -> Option<Duration> {
    let load = &file.load;
    if let Some(duration) = load.duration {
        return Some(duration.0);
    }
    let (claims, rate) = (load.claims? as f64, load.rate?);
    let seconds = match arrivals(load.arrivals.as_ref()) {
        Arrivals::Trace { .. } => return None,
        Arrivals::Ramp { from_per_sec, over } => Ramp::new(from_per_sec, rate, over).time_of(claims),
        Arrivals::Constant | Arrivals::Poisson | Arrivals::Burst { .. } => claims / rate,
    };
    Duration::try_from_secs_f64(seconds).ok()
}
