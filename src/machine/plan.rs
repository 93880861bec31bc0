//! Decides which threads run where and which cores are kept awake: from what is asked for, what the machine
//! has, and whose servers they are. Does nothing itself.

use reclaim_analysis::record::{
    Asked, AwakeBy, AwakeKeeper, ConditionRemark, Conditions, NoSpinning, NotBound,
};
use reclaim_analysis::scenario::{Cores, MachineSection, Placement};

use super::cores::Available;
use super::neighbours::Neighbours;

/// Where the servers are, as far as it bears on their threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServersAt {
    /// Processes on this machine that this tool started.
    Ours {
        /// How many.
        count: usize,
    },
    /// On this machine, somebody else's or in a container.
    Here,
    /// On another machine.
    Elsewhere,
}

/// What the system lets us do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Means {
    /// Why threads cannot be bound to cores.
    pub no_binding: Option<NotBound>,
    /// Whether holding `/dev/cpu_dma_latency` open keeps cores awake.
    pub latency_limit: bool,
    /// Why no thread can spin.
    pub no_spinning: Option<NoSpinning>,
}

/// What is to be done.
pub(super) fn plan(
    asked: MachineSection,
    available: &Available,
    (servers, neighbours): (ServersAt, Neighbours),
    means: &Means,
) -> Conditions {
    let several = available.physical.len() > 1;
    let asked = Asked {
        placement: asked.placement.unwrap_or(if several { Placement::Apart } else { Placement::Free }),
        cores: asked.cores.unwrap_or(if several { Cores::Awake } else { Cores::Free }),
    };
    let mut conditions = Conditions { asked, ..Conditions::default() };
    if !several {
        conditions.remarks.push(ConditionRemark::OneCore);
        return conditions;
    }
    place(&mut conditions, available, (servers, neighbours), means);
    keep_awake(&mut conditions, available, (servers, neighbours), means);
    conditions
}

fn place(
    conditions: &mut Conditions,
    available: &Available,
    (servers, neighbours): (ServersAt, Neighbours),
    means: &Means,
) {
    let wanted = conditions.asked.placement;
    let cores = &available.physical;
    if wanted == Placement::Free || cores.is_empty() {
        return;
    }
    if let Some(because) = not_bound(cores.len(), (servers, neighbours), means) {
        conditions.remarks.push(ConditionRemark::NotBound { because });
        return;
    }
    // The last cores, one for each generator: what the system does by itself happens on the first ones.
    let (others, generators) = cores.split_at(cores.len() - neighbours.of);
    let Some(last) = generators.iter().nth_back(neighbours.place) else { return };
    conditions.placement = wanted;
    conditions.generator_on = last[..1].to_vec();
    match (servers, wanted) {
        (ServersAt::Ours { .. }, Placement::Together) => conditions.servers_on = last[..1].to_vec(),
        (ServersAt::Ours { count }, _) => {
            let mut on: Vec<u32> = others.iter().rev().take(count.max(1)).flatten().copied().collect();
            on.sort_unstable();
            conditions.servers_on = on;
        }
        (ServersAt::Here | ServersAt::Elsewhere, _) => {
            conditions.placement = Placement::Apart;
            conditions.remarks.push(ConditionRemark::ServersNotOurs);
        }
    }
}

/// Why nobody is bound to any of so many cores.
fn not_bound(
    cores: usize,
    (servers, neighbours): (ServersAt, Neighbours),
    means: &Means,
) -> Option<NotBound> {
    if means.no_binding.is_some() {
        return means.no_binding.clone();
    }
    if neighbours.overlapping {
        return Some(NotBound::SharedInPart);
    }
    let servers = servers != ServersAt::Elsewhere;
    let needed = neighbours.of + usize::from(servers);
    (neighbours.of > 1 && needed > cores).then_some(NotBound::TooFewCores {
        generators: neighbours.of as u32,
        servers,
        cores: cores as u32,
    })
}

/// Spinning first: a core on which something always runs is the same core beside a busy program, and a claim
/// changes threads on it all the same. A latency limit keeps cores awake only while nothing runs, so quiet
/// runs differed from busy ones (results/reference/trials).
fn keep_awake(
    conditions: &mut Conditions,
    available: &Available,
    (servers, neighbours): (ServersAt, Neighbours),
    means: &Means,
) {
    if conditions.asked.cores == Cores::Free {
        return;
    }
    if neighbours.place > 0 && conditions.placement == Placement::Free {
        let keeper = if neighbours.overlapping {
            AwakeKeeper::OverlappingGenerator
        } else {
            AwakeKeeper::FirstGenerator
        };
        conditions.remarks.push(ConditionRemark::LeftToAnother { keeper });
        return;
    }
    let quota = available.quota_us_per_s.map(|_| NoSpinning::Quota);
    let by = match quota.or_else(|| means.no_spinning.clone()) {
        None => {
            let on = spinning_on(conditions, available, servers);
            // As the generator, servers run where a thread spins: its twin would be slowed by it, and sleep. Not where
            // they would then share what they have a thread each of.
            let spun: Vec<u32> =
                conditions.servers_on.iter().copied().filter(|core| on.contains(core)).collect();
            if matches!(servers, ServersAt::Ours { count } if spun.len() >= count.min(conditions.servers_on.len()))
            {
                conditions.servers_on = spun;
            }
            AwakeBy::Spinning { on }
        }
        // Said, for times under the one are not those under the other.
        Some(because) if means.latency_limit => {
            conditions.remarks.push(ConditionRemark::NothingSpins { because });
            AwakeBy::DmaLatency
        }
        Some(because) => {
            conditions.remarks.push(ConditionRemark::MaySleep { because });
            return;
        }
    };
    conditions.cores = Cores::Awake;
    conditions.awake_by = Some(by);
}

/// One logical core of each physical core that is used: a spinning sibling takes from its twin.
fn spinning_on(conditions: &Conditions, available: &Available, servers: ServersAt) -> Vec<u32> {
    let used = |core: &u32| conditions.generator_on.contains(core) || conditions.servers_on.contains(core);
    let ours = matches!(servers, ServersAt::Ours { .. });
    let of = |threads: &Vec<u32>| threads.iter().find(|core| used(core)).or(threads.first()).copied();
    available
        .physical
        .iter()
        .filter(|threads| match conditions.placement {
            // The servers may be on any of our cores, and on none where they are elsewhere.
            Placement::Free => ours || servers == ServersAt::Elsewhere,
            Placement::Apart | Placement::Together => threads.iter().any(used),
        })
        .filter_map(of)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABLE: Means = Means { no_binding: None, latency_limit: false, no_spinning: None };
    const OURS: ServersAt = ServersAt::Ours { count: 3 };

    fn cores(physical: &[&[u32]]) -> Available {
        Available {
            physical: physical.iter().map(|threads| threads.to_vec()).collect(),
            present: None,
            quota_us_per_s: None,
        }
    }

    fn asked(placement: Placement, cores: Cores) -> MachineSection {
        MachineSection { placement: Some(placement), cores: Some(cores) }
    }

    fn spinning(conditions: &Conditions) -> Vec<u32> {
        match &conditions.awake_by {
            Some(AwakeBy::Spinning { on }) => on.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn our_own_servers_are_apart_and_awake_by_default() {
        let two = plan(MachineSection::default(), &cores(&[&[0], &[1]]), (OURS, Neighbours::NONE), &ABLE);
        assert_eq!((two.placement, two.cores), (Placement::Apart, Cores::Awake));
        assert_eq!(
            (two.generator_on.clone(), two.servers_on.clone(), spinning(&two)),
            (vec![1], vec![0], vec![0, 1])
        );
        assert_eq!(two.remarks, []);
        let eight = cores(&[&[0, 4], &[1, 5], &[2, 6], &[3, 7], &[8], &[9]]);
        let many = plan(MachineSection::default(), &eight, (OURS, Neighbours::NONE), &ABLE);
        assert_eq!(many.generator_on, [9]);
        assert_eq!(many.servers_on, [2, 3, 8], "a core for each server, and of it the thread that spins");
        assert_eq!(spinning(&many), [2, 3, 8, 9], "one thread of each core that is used");
        let asleep =
            plan(asked(Placement::Apart, Cores::Free), &eight, (OURS, Neighbours::NONE), &ABLE).servers_on;
        assert_eq!(asleep, [2, 3, 6, 7, 8], "where nothing spins, both threads of each");
        let few =
            plan(MachineSection::default(), &cores(&[&[0, 2], &[1, 3]]), (OURS, Neighbours::NONE), &ABLE);
        assert_eq!(few.servers_on, [0, 2], "three servers are not put on one thread beside an empty one");
        let held = Means { no_spinning: Some(NoSpinning::RunAsLibrary), latency_limit: true, ..ABLE };
        let held = plan(MachineSection::default(), &eight, (OURS, Neighbours::NONE), &held);
        assert_eq!(held.servers_on, [2, 3, 6, 7, 8], "the limit takes from no twin");
    }

    #[test]
    fn several_generators_have_a_core_each_or_none_has() {
        let five = cores(&[&[0], &[1], &[2], &[3], &[4]]);
        let among = |place, of| Neighbours { place, of, overlapping: false };
        let of = |place, of| plan(MachineSection::default(), &five, (OURS, among(place, of)), &ABLE);
        let (first, second) = (of(0, 2), of(1, 2));
        assert_eq!((first.generator_on.clone(), second.generator_on.clone()), (vec![4], vec![3]));
        assert_eq!(first.servers_on, [0, 1, 2], "what no generator has");
        assert_eq!((spinning(&first), spinning(&second)), (vec![0, 1, 2, 4], vec![0, 1, 2, 3]));
        let (first, last) = (of(0, 5), of(4, 5));
        assert_eq!((first.placement, first.awake_by.is_some()), (Placement::Free, true));
        let too_few = |generators, servers| ConditionRemark::NotBound {
            because: NotBound::TooFewCores { generators, servers, cores: 5 },
        };
        assert_eq!(first.remarks, [too_few(5, true)]);
        assert_eq!((last.placement, last.awake_by), (Placement::Free, None));
        let by_first = ConditionRemark::LeftToAnother { keeper: AwakeKeeper::FirstGenerator };
        assert_eq!(last.remarks, [too_few(5, true), by_first]);
        let elsewhere = |of: usize| {
            plan(MachineSection::default(), &five, (ServersAt::Elsewhere, among(of - 1, of)), &ABLE)
        };
        assert_eq!(elsewhere(5).generator_on, [0]);
        assert_eq!(elsewhere(6).remarks[0], too_few(6, false), "servers elsewhere need no core of these");
    }

    /// Each would take the last of its own cores, and that may be the same one.
    #[test]
    fn cores_that_generators_share_in_part_are_nobodys() {
        let three = cores(&[&[0], &[1], &[2]]);
        for overlapping in [false, true] {
            let beside = (ServersAt::Elsewhere, Neighbours { overlapping, ..Neighbours::NONE });
            let one = plan(MachineSection::default(), &three, beside, &ABLE);
            assert_eq!(one.placement == Placement::Free && one.generator_on.is_empty(), overlapping);
            let shared = ConditionRemark::NotBound { because: NotBound::SharedInPart };
            assert_eq!(one.remarks.contains(&shared), overlapping, "{:?}", one.remarks);
            assert_eq!(one.cores, Cores::Awake);
        }
    }

    /// Two would spin on the cores that both of them have, and take from each other.
    #[test]
    fn one_of_those_that_share_cores_in_part_keeps_them_awake() {
        let three = cores(&[&[0], &[1], &[2]]);
        for place in [0, 1] {
            let beside = (ServersAt::Elsewhere, Neighbours { place, of: 1, overlapping: true });
            let one = plan(MachineSection::default(), &three, beside, &ABLE);
            assert_eq!(one.awake_by.is_some(), place == 0, "{one:?}");
            let by_another = ConditionRemark::LeftToAnother { keeper: AwakeKeeper::OverlappingGenerator };
            assert_eq!(one.remarks.contains(&by_another), place > 0, "{:?}", one.remarks);
        }
    }

    #[test]
    fn one_core_is_left_alone_and_that_is_said() {
        for physical in [&[&[0u32][..]][..], &[&[0, 1]]] {
            let one = plan(MachineSection::default(), &cores(physical), (OURS, Neighbours::NONE), &ABLE);
            let remarks = vec![ConditionRemark::OneCore];
            assert_eq!(one, Conditions { remarks, ..Conditions::default() });
            let forced = plan(
                asked(Placement::Apart, Cores::Awake),
                &cores(physical),
                (OURS, Neighbours::NONE),
                &ABLE,
            );
            assert_eq!((forced.placement, forced.cores), (Placement::Free, Cores::Free));
            assert_eq!(forced.asked, Asked { placement: Placement::Apart, cores: Cores::Awake });
        }
    }

    #[test]
    fn each_combination_is_what_it_says() {
        let machine = cores(&[&[0], &[1]]);
        let of = |placement, cores| plan(asked(placement, cores), &machine, (OURS, Neighbours::NONE), &ABLE);
        let free = of(Placement::Free, Cores::Free);
        assert_eq!(free, Conditions { asked: free.asked, ..Conditions::default() });
        let together = of(Placement::Together, Cores::Awake);
        assert_eq!((together.generator_on.clone(), together.servers_on.clone()), (vec![1], vec![1]));
        assert_eq!(spinning(&together), [1]);
        let awake = of(Placement::Free, Cores::Awake);
        assert_eq!((awake.generator_on.clone(), spinning(&awake)), (vec![], vec![0, 1]));
        assert_eq!(of(Placement::Apart, Cores::Free).awake_by, None);
    }

    #[test]
    fn only_the_generator_is_placed_where_the_servers_are_not_ours() {
        for servers in [ServersAt::Here, ServersAt::Elsewhere] {
            let conditions =
                plan(MachineSection::default(), &cores(&[&[0], &[1]]), (servers, Neighbours::NONE), &ABLE);
            assert_eq!((conditions.generator_on.clone(), conditions.servers_on.clone()), (vec![1], vec![]));
            assert_eq!(spinning(&conditions), [1], "{servers:?}");
            assert_eq!(conditions.remarks, [ConditionRemark::ServersNotOurs]);
        }
    }

    #[test]
    fn a_quota_is_not_spent_on_spinning() {
        let machine = Available { quota_us_per_s: Some(1_500_000), ..cores(&[&[0], &[1]]) };
        let limited = plan(MachineSection::default(), &machine, (OURS, Neighbours::NONE), &ABLE);
        assert_eq!((limited.placement, limited.cores), (Placement::Apart, Cores::Free));
        assert_eq!(limited.remarks, [ConditionRemark::MaySleep { because: NoSpinning::Quota }]);
        let latency = Means { latency_limit: true, ..ABLE };
        let held = plan(MachineSection::default(), &machine, (OURS, Neighbours::NONE), &latency);
        assert_eq!((held.cores, held.awake_by), (Cores::Awake, Some(AwakeBy::DmaLatency)));
    }

    #[test]
    fn a_latency_limit_is_for_where_nothing_can_spin() {
        let machine = cores(&[&[0], &[1]]);
        let either = Means { latency_limit: true, ..ABLE };
        assert_eq!(
            spinning(&plan(MachineSection::default(), &machine, (OURS, Neighbours::NONE), &either)),
            [0, 1]
        );
        let alone = Means { no_spinning: Some(NoSpinning::RunAsLibrary), ..either };
        let held = plan(MachineSection::default(), &machine, (OURS, Neighbours::NONE), &alone);
        let said = vec![ConditionRemark::NothingSpins { because: NoSpinning::RunAsLibrary }];
        assert_eq!((held.awake_by, held.remarks), (Some(AwakeBy::DmaLatency), said));
    }

    #[test]
    fn what_the_system_does_not_allow_is_said() {
        let unable = Means {
            no_binding: Some(NotBound::LinuxOnly),
            latency_limit: false,
            no_spinning: Some(NoSpinning::LinuxOnly),
        };
        let conditions =
            plan(MachineSection::default(), &cores(&[&[0], &[1]]), (OURS, Neighbours::NONE), &unable);
        assert_eq!((conditions.placement, conditions.cores), (Placement::Free, Cores::Free));
        assert_eq!(conditions.asked, Asked { placement: Placement::Apart, cores: Cores::Awake });
        let not_bound = ConditionRemark::NotBound { because: NotBound::LinuxOnly };
        let may_sleep = ConditionRemark::MaySleep { because: NoSpinning::LinuxOnly };
        assert_eq!(conditions.remarks, [not_bound, may_sleep]);
    }
}
