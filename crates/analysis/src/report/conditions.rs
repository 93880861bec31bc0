//! The generator's machine in words: what it is, where threads ran, whether cores slept.

use super::format::bytes;
use crate::record::{AwakeBy, AwakeKeeper, ConditionRemark, Conditions, Host, NoSpinning, NotBound};
use crate::scenario::{Cores, Placement};

/// The machine, with what this process was left of it.
pub(super) fn machine(host: &Host) -> String {
    let of = host.cores_present.map(|present| format!(" of {present}")).unwrap_or_default();
    let quota = host
        .quota_us_per_s
        .map(|us| format!(" (a control group's quota leaves the time of {:.2})", us as f64 / 1e6))
        .unwrap_or_default();
    format!(
        "machine: {}, {}{of} cores{quota}, {}, {}",
        host.cpu,
        host.cores,
        bytes(host.memory_bytes),
        host.kernel
    )
}

/// How its threads and cores were arranged.
pub(super) fn arranged(conditions: &Conditions) -> String {
    let done = format!("{}; {}", threads(conditions), cores(conditions));
    let (placement, cores) = (conditions.asked.placement, conditions.asked.cores);
    let asked = ((placement, cores) != (conditions.placement, conditions.cores))
        .then(|| format!(" (asked for: {} and {})", placement.as_str(), cores.as_str()));
    let remarks = conditions.remarks.iter().fold(String::new(), |text, one| text + "; " + &remark(one));
    format!("threads and cores: {done}{}{remarks}", asked.unwrap_or_default())
}

/// A machine as histories keep it, for a reader: parts of it are named there so that two of them can be told
/// apart.
pub(super) fn stored(machine: &str) -> String {
    let [placement, cores, asked] =
        [Conditions::PLACEMENT, Conditions::CORES, Conditions::ASKED].map(|what| format!(", {what} "));
    let shown = machine
        .replace(&placement, "; threads ")
        .replace(&format!("{cores}awake"), "; cores kept awake")
        .replace(&cores, "; cores ")
        .replace(&asked, "; asked for: ")
        .replace(", 1 primaries,", ", 1 primary,")
        .replace(", 1 cores", ", 1 core");
    // What was asked for is worth a word only where something else was done.
    let Some((before, rest)) = shown.split_once("; asked for: ") else { return shown };
    let (asked, after) = rest.split_once("; ").unwrap_or((rest, ""));
    let (placement, cores) = asked.split_once(" and ").unwrap_or((asked, ""));
    let done = before.contains(&format!("; threads {placement}"))
        && (cores != "awake" || before.contains("; cores kept awake"));
    let asked = if done { String::new() } else { format!("; asked for: {asked}") };
    let after = if after.is_empty() { String::new() } else { format!("; {after}") };
    format!("{before}{asked}{after}")
}

fn threads(conditions: &Conditions) -> String {
    let (generator, servers) = (on(&conditions.generator_on), on(&conditions.servers_on));
    match conditions.placement {
        Placement::Free => "placed by the scheduler".to_owned(),
        Placement::Together => format!("together, all on {generator}"),
        Placement::Apart if conditions.servers_on.is_empty() => format!("the generator on {generator}"),
        Placement::Apart => format!("apart, the generator on {generator}, the servers on {servers}"),
    }
}

fn cores(conditions: &Conditions) -> String {
    match (&conditions.awake_by, conditions.cores) {
        (Some(AwakeBy::DmaLatency), _) => "kept awake by /dev/cpu_dma_latency".to_owned(),
        (Some(AwakeBy::Spinning { on: cores }), _) => {
            format!("kept awake by an idle-class thread on {}", on(cores))
        }
        (None, Cores::Awake) => "kept awake".to_owned(),
        (None, Cores::Free) => "cores may sleep".to_owned(),
    }
}

/// Why less was done than asked for, or than on a cluster of our own.
fn remark(remark: &ConditionRemark) -> String {
    match remark {
        ConditionRemark::OneCore => {
            "this process may use one core, so there is nothing to arrange".to_owned()
        }
        ConditionRemark::NotBound { because } => {
            format!("threads are not bound to cores: {}", not_bound(because))
        }
        ConditionRemark::ServersNotOurs => "the servers are not this tool's to place".to_owned(),
        ConditionRemark::LeftToAnother { keeper } => {
            let who = match keeper {
                AwakeKeeper::FirstGenerator => "the first generator on this machine",
                AwakeKeeper::OverlappingGenerator => {
                    "another generator of the run that has some of them, which leaves the others asleep"
                }
            };
            format!("cores are kept awake, or not, by {who}")
        }
        ConditionRemark::NothingSpins { because } => format!("nothing spins: {}", no_spinning(because)),
        ConditionRemark::MaySleep { because } => format!("cores may sleep: {}", no_spinning(because)),
        ConditionRemark::AwakeLost { detail } => {
            format!("cores may sleep: what kept them awake was lost: {detail}")
        }
        ConditionRemark::InWords(words) => words.clone(),
    }
}

fn not_bound(because: &NotBound) -> String {
    match because {
        NotBound::LinuxOnly => "that is done on Linux only".to_owned(),
        NotBound::Refused { detail } => detail.clone(),
        NotBound::SharedInPart => {
            "another generator of the run has some of these cores and not the same".to_owned()
        }
        NotBound::TooFewCores { generators, servers, cores } => {
            let servers = if *servers { " and the servers" } else { "" };
            format!("{generators} generators{servers} have {cores} of them together")
        }
    }
}

fn no_spinning(because: &NoSpinning) -> String {
    match because {
        NoSpinning::LinuxOnly => "threads spin on Linux only".to_owned(),
        NoSpinning::Quota => "spinning would use up the control group's CPU quota".to_owned(),
        NoSpinning::RunAsLibrary => {
            "threads that spin are reclaim-bench's, which runs as a library here".to_owned()
        }
        NoSpinning::NotStarted { detail } => format!("the helper did not start: {detail}"),
    }
}

/// `core 1`, `cores 0-2 and 5`.
fn on(cores: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &core in cores {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => ranges.push((core, core)),
        }
    }
    let shown: Vec<String> = ranges
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    let name = if cores.len() == 1 { "core" } else { "cores" };
    format!("{name} {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Asked;

    #[test]
    fn what_was_done_and_what_was_not_is_said() {
        let mut conditions = Conditions {
            asked: Asked { placement: Placement::Apart, cores: Cores::Awake },
            placement: Placement::Apart,
            cores: Cores::Awake,
            generator_on: vec![3],
            servers_on: vec![0, 1, 2],
            awake_by: Some(AwakeBy::Spinning { on: vec![0, 1, 2, 3] }),
            remarks: Vec::new(),
        };
        assert_eq!(
            arranged(&conditions),
            "threads and cores: apart, the generator on core 3, the servers on cores 0-2; kept awake by an idle-class \
             thread on cores 0-3"
        );
        conditions = Conditions {
            asked: conditions.asked,
            remarks: vec![ConditionRemark::InWords("there is one core".into())],
            ..Conditions::default()
        };
        assert_eq!(
            arranged(&conditions),
            "threads and cores: placed by the scheduler; cores may sleep (asked for: apart and awake); there is one core"
        );
    }

    /// Word for word as versions said it that stored the sentence.
    #[test]
    fn each_reason_for_less_has_its_sentence() {
        let too_few = |servers| NotBound::TooFewCores { generators: 5, servers, cores: 4 };
        let detail = || "no room".to_owned();
        let not_bound = |because| ConditionRemark::NotBound { because };
        let may_sleep = |because| ConditionRemark::MaySleep { because };
        let nothing_spins = |because| ConditionRemark::NothingSpins { because };
        let left_to = |keeper| ConditionRemark::LeftToAnother { keeper };
        for (reason, words) in [
            (ConditionRemark::OneCore, "this process may use one core, so there is nothing to arrange"),
            (not_bound(NotBound::LinuxOnly), "threads are not bound to cores: that is done on Linux only"),
            (not_bound(NotBound::Refused { detail: detail() }), "threads are not bound to cores: no room"),
            (
                not_bound(NotBound::SharedInPart),
                "threads are not bound to cores: another generator of the run has some of these cores and not the same",
            ),
            (
                not_bound(too_few(true)),
                "threads are not bound to cores: 5 generators and the servers have 4 of them together",
            ),
            (
                not_bound(too_few(false)),
                "threads are not bound to cores: 5 generators have 4 of them together",
            ),
            (ConditionRemark::ServersNotOurs, "the servers are not this tool's to place"),
            (
                left_to(AwakeKeeper::FirstGenerator),
                "cores are kept awake, or not, by the first generator on this machine",
            ),
            (
                left_to(AwakeKeeper::OverlappingGenerator),
                "cores are kept awake, or not, by another generator of the run that has some of them, which leaves the \
                 others asleep",
            ),
            (nothing_spins(NoSpinning::LinuxOnly), "nothing spins: threads spin on Linux only"),
            (
                nothing_spins(NoSpinning::RunAsLibrary),
                "nothing spins: threads that spin are reclaim-bench's, which runs as a library here",
            ),
            (
                may_sleep(NoSpinning::Quota),
                "cores may sleep: spinning would use up the control group's CPU quota",
            ),
            (
                may_sleep(NoSpinning::NotStarted { detail: detail() }),
                "cores may sleep: the helper did not start: no room",
            ),
            (
                ConditionRemark::AwakeLost { detail: detail() },
                "cores may sleep: what kept them awake was lost: no room",
            ),
        ] {
            assert_eq!(remark(&reason), words);
        }
    }

    #[test]
    fn reasons_for_less_follow_what_was_done() {
        let may_sleep = ConditionRemark::MaySleep { because: NoSpinning::LinuxOnly };
        let remarks = vec![ConditionRemark::ServersNotOurs, may_sleep];
        assert_eq!(
            arranged(&Conditions { remarks, ..Conditions::default() }),
            "threads and cores: placed by the scheduler; cores may sleep; the servers are not this tool's to place; cores \
             may sleep: threads spin on Linux only"
        );
    }

    #[test]
    fn a_machine_in_a_history_is_said_in_words() {
        let kept = "AMD EPYC, 2 cores, machine placement apart, cores: 1 for the generator, 1 for the servers, machine cores \
                    asleep or awake awake by spinning on 2 cores, machine as asked for apart and awake; Valkey 9.1.2, 3 \
                    primaries, local";
        assert_eq!(
            stored(kept),
            "AMD EPYC, 2 cores; threads apart, cores: 1 for the generator, 1 for the servers; cores kept awake by spinning \
             on 2 cores; Valkey 9.1.2, 3 primaries, local"
        );
        let other = "X, 1 cores, machine as asked for apart and awake; Valkey 9.1.2, 1 primaries, local";
        assert_eq!(stored(other), "X, 1 core; asked for: apart and awake; Valkey 9.1.2, 1 primary, local");
        assert_eq!(stored("Example CPU"), "Example CPU");
    }

    #[test]
    fn what_a_process_is_left_of_a_machine_is_said() {
        let host = Host {
            cpu: "X".into(),
            cores: 2,
            cores_present: Some(64),
            quota_us_per_s: Some(1_500_000),
            memory_bytes: 8 << 30,
            kernel: "Linux 6.1".into(),
            boot: None,
            which_cores: vec![3, 4],
        };
        let left =
            "machine: X, 2 of 64 cores (a control group's quota leaves the time of 1.50), 8.0 GiB, Linux 6.1";
        assert_eq!(machine(&host), left);
        let whole = Host { cores_present: None, quota_us_per_s: None, ..host };
        assert_eq!(machine(&whole), "machine: X, 2 cores, 8.0 GiB, Linux 6.1");
    }
}
