//! The generator's machine in words: what it is, where threads ran, whether cores slept.

use super::format::bytes;
use crate::record::{AwakeBy, Conditions, Host};
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
    let remarks = conditions.remarks.iter().fold(String::new(), |text, remark| text + "; " + remark);
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
            remarks: vec!["there is one core".into()],
            ..Conditions::default()
        };
        assert_eq!(
            arranged(&conditions),
            "threads and cores: placed by the scheduler; cores may sleep (asked for: apart and awake); there is one core"
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
