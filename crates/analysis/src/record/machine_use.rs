//! Generators by the machine that they ran on: what the machine did is one figure, whoever reads it.

use super::{GeneratorRecord, GeneratorUse, Host};

/// The generators that shared a machine's cores.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineUse<'a> {
    /// Their numbers.
    pub parts: Vec<u32>,
    /// The machine, as the first of them saw it.
    pub host: &'a Host,
    /// CPU of all of them together; the machine's own figures, and the servers', once.
    pub used: GeneratorUse,
}

/// The generators of a run by machine. Generators with different cores of one machine stand apart: each saw
/// only what happened on its own cores.
pub fn by_machine(generators: &[GeneratorRecord]) -> Vec<MachineUse<'_>> {
    let mut machines: Vec<MachineUse<'_>> = Vec::new();
    for generator in generators {
        match machines.iter_mut().find(|known| known.host.shares_cores_with(&generator.host)) {
            Some(known) => {
                known.parts.push(generator.part);
                known.used = beside(&known.used, &generator.used);
            }
            None => machines.push(MachineUse {
                parts: vec![generator.part],
                host: &generator.host,
                used: generator.used,
            }),
        }
    }
    machines
}

/// What all machines used together: figures of machines are summed, for each has its own.
pub(super) fn of_all(machines: &[MachineUse<'_>]) -> Option<GeneratorUse> {
    machines.iter().map(|machine| machine.used).reduce(|sum, more| GeneratorUse {
        machine_cpu_s: both(sum.machine_cpu_s, more.machine_cpu_s),
        stolen_cpu_s: both(sum.stolen_cpu_s, more.stolen_cpu_s),
        ..beside(&sum, &more)
    })
}

/// Two generators that shared a machine. The machine's own figures are those of the generator with the longer
/// window: the windows differ by some milliseconds.
fn beside(one: &GeneratorUse, other: &GeneratorUse) -> GeneratorUse {
    let longer = if other.window_s > one.window_s { other } else { one };
    let larger = |a: Option<f64>, b: Option<f64>| [a, b].into_iter().flatten().reduce(f64::max);
    let given = [one.real_time, other.real_time];
    GeneratorUse {
        window_s: longer.window_s,
        read_over_s: longer.read_over_s,
        thread_cpu_s: one.thread_cpu_s + other.thread_cpu_s,
        process_cpu_s: both(one.process_cpu_s, other.process_cpu_s),
        // The first part alone reads the servers' clocks.
        servers_cpu_s: one.servers_cpu_s.max(other.servers_cpu_s),
        primaries_cpu_s: larger(one.primaries_cpu_s, other.primaries_cpu_s),
        machine_cpu_s: longer.machine_cpu_s,
        stolen_cpu_s: longer.stolen_cpu_s,
        servers_waited_s: larger(one.servers_waited_s, other.servers_waited_s),
        // Threads of each process: what keeps cores awake twice is counted twice in the machine's figure as
        // well.
        kept_awake_s: [one.kept_awake_s, other.kept_awake_s].into_iter().flatten().reduce(|a, b| a + b),
        // One control group tells all of its processes the same; of several the worst counts.
        throttled_periods: one.throttled_periods.max(other.throttled_periods),
        throttled_s: larger(one.throttled_s, other.throttled_s),
        real_time: given.into_iter().flatten().reduce(|a, b| a && b),
        recording_ns_per_claim: larger(one.recording_ns_per_claim, other.recording_ns_per_claim),
    }
}

fn both(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Histogram;

    fn generator(part: u32, boot: &str, which_cores: &[u32]) -> GeneratorRecord {
        GeneratorRecord {
            part,
            host: Host {
                cpu: "X".into(),
                cores: 2,
                cores_present: None,
                quota_us_per_s: None,
                memory_bytes: 1 << 30,
                kernel: "Linux".into(),
                boot: Some(boot.into()),
                which_cores: which_cores.to_vec(),
            },
            claims: 100,
            used: GeneratorUse {
                window_s: 10.0 + f64::from(part),
                thread_cpu_s: 2.0,
                process_cpu_s: Some(2.5),
                servers_cpu_s: if part == 1 { 4.0 } else { 0.0 },
                machine_cpu_s: Some(10.0 + f64::from(part)),
                real_time: Some(part != 2),
                ..GeneratorUse::default()
            },
            send_lag: Histogram(None),
            late_us: 0,
            late_in: 1,
            late_share: None,
            longest_gap_s: None,
            stalled_s: None,
            service_p50_us: None,
            conditions: None,
        }
    }

    #[test]
    fn what_a_machine_did_counts_once_and_what_generators_did_adds_up() {
        let generators = [generator(1, "a", &[]), generator(2, "a", &[]), generator(3, "b", &[])];
        let machines = by_machine(&generators);
        assert_eq!(machines.iter().map(|one| one.parts.clone()).collect::<Vec<_>>(), [vec![1, 2], vec![3]]);
        let first = machines[0].used;
        assert_eq!((first.process_cpu_s, first.machine_cpu_s), (Some(5.0), Some(12.0)));
        assert_eq!((first.real_time, first.kept_awake_s), (Some(false), None));
        let all = of_all(&machines).unwrap();
        assert_eq!((all.process_cpu_s, all.machine_cpu_s), (Some(7.5), Some(25.0)));
        assert!((all.servers_cpu_s - 4.0).abs() < 1e-9 && (all.window_s - 13.0).abs() < 1e-9);
        assert_eq!(of_all(&[]), None);
    }

    #[test]
    fn other_cores_of_one_machine_are_other_cores() {
        let apart = [generator(1, "a", &[0]), generator(2, "a", &[1])];
        assert_eq!(by_machine(&apart).len(), 2);
        assert!(apart[0].host.is_machine_of(&apart[1].host));
    }
}
