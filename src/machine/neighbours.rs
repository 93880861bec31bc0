//! Which generators of a run share their cores.

use serde::{Deserialize, Serialize};

use reclaim_analysis::record::Host;

/// Where a generator runs, as far as it tells with whom it shares cores. As a record's [`Host`] tells it, and the name
/// beside: where the kernel does not say which start of a machine this is, a record compares all that it has of the
/// machine, and generators that meet compare what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Whereabouts<'a> {
    /// What its machine is called in its network.
    pub name: &'a str,
    /// What the kernel calls this start of the machine, in all of its containers, each of which may have a name
    /// of its own; `None` where the system does not say.
    pub boot: Option<&'a str>,
    /// Logical cores that it may use; empty: all that there are.
    pub cores: &'a [u32],
}

impl<'a> Whereabouts<'a> {
    /// On a machine of this name.
    pub fn on(name: &'a str, host: &'a Host) -> Self {
        Self { name, boot: host.boot.as_deref(), cores: &host.which_cores }
    }
}

impl Whereabouts<'_> {
    fn is_machine_of(&self, other: &Whereabouts<'_>) -> bool {
        match (self.boot, other.boot) {
            (Some(one), Some(another)) => one == another,
            _ => self.name == other.name,
        }
    }

    fn shares_cores_with(&self, other: &Whereabouts<'_>) -> bool {
        self.is_machine_of(other) && self.cores == other.cores
    }

    /// Whether the two core sets overlap without being equal.
    fn overlaps(&self, other: &Whereabouts<'_>) -> bool {
        let all = self.cores.is_empty() || other.cores.is_empty();
        let common = all || self.cores.iter().any(|core| other.cores.contains(core));
        self.is_machine_of(other) && self.cores != other.cores && common
    }
}

/// Which one of several generators on its cores a generator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    /// From 0, among those that have these cores. Where others have some of them and not the same, 0 is only
    /// whoever keeps them awake.
    pub place: usize,
    /// How many generators of the run have these cores.
    pub of: usize,
    /// Whether others have some of them and not the same: nobody knows then which core each of them takes.
    pub overlapping: bool,
}

impl Neighbours {
    /// It is the only one.
    pub const NONE: Self = Self { place: 0, of: 1, overlapping: false };

    /// Of each generator of a run, in their order.
    pub fn of_all(all: &[Whereabouts<'_>]) -> Vec<Self> {
        // Those that keep their cores awake: each one, unless another before it does so on some of them.
        let mut waking: Vec<&Whereabouts<'_>> = Vec::new();
        let mut found = Vec::with_capacity(all.len());
        for (number, own) in all.iter().enumerate() {
            let sharing =
                |some: &[Whereabouts<'_>]| some.iter().filter(|other| own.shares_cores_with(other)).count();
            let wakes = !waking.iter().any(|other| own.shares_cores_with(other) || own.overlaps(other));
            if wakes {
                waking.push(own);
            }
            found.push(Self {
                place: sharing(&all[..number]).max(usize::from(!wakes)),
                of: sharing(all),
                overlapping: all.iter().any(|other| own.overlaps(other)),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(name: &'a str, boot: Option<&'a str>, cores: &'a [u32]) -> Whereabouts<'a> {
        Whereabouts { name, boot, cores }
    }

    fn neighbour(place: usize, of: usize) -> Neighbours {
        Neighbours { place, of, overlapping: false }
    }

    #[test]
    fn containers_with_names_of_their_own_share_the_machine_under_them() {
        let all = [at("pod-a", Some("1"), &[]), at("pod-b", Some("2"), &[]), at("pod-c", Some("1"), &[])];
        assert_eq!(Neighbours::of_all(&all), [neighbour(0, 2), Neighbours::NONE, neighbour(1, 2)]);
        let one_name = [at("app", Some("1"), &[]), at("app", Some("2"), &[])];
        assert_eq!(Neighbours::of_all(&one_name), [Neighbours::NONE; 2], "of two machines");
    }

    #[test]
    fn cores_of_their_own_are_nobody_elses() {
        let all = [at("h", Some("1"), &[0, 1]), at("h", Some("1"), &[2, 3]), at("h", Some("1"), &[0, 1])];
        assert_eq!(Neighbours::of_all(&all), [neighbour(0, 2), Neighbours::NONE, neighbour(1, 2)]);
    }

    #[test]
    fn without_the_kernels_word_a_machine_is_its_name() {
        let all = [at("h", None, &[]), at("h", None, &[]), at("i", None, &[]), at("h", Some("1"), &[])];
        assert_eq!(
            Neighbours::of_all(&all),
            [neighbour(0, 3), neighbour(1, 3), Neighbours::NONE, neighbour(2, 3)]
        );
    }

    #[test]
    fn cores_that_are_shared_in_part_are_told() {
        let of_all = |first: &[u32], second: &[u32]| {
            let all = [at("a", Some("1"), first), at("b", Some("1"), second)];
            Neighbours::of_all(&all).iter().map(|one| (one.of, one.overlapping)).collect::<Vec<_>>()
        };
        assert_eq!(of_all(&[0, 1, 2], &[2, 3]), [(1, true); 2]);
        assert_eq!(of_all(&[], &[2, 3]), [(1, true); 2], "one has all that there are");
        assert_eq!(of_all(&[0, 1], &[2, 3]), [(1, false); 2]);
    }

    fn places(all: &[Whereabouts<'_>]) -> Vec<usize> {
        Neighbours::of_all(all).iter().map(|one| one.place).collect()
    }

    /// Whoever has place 0 keeps its cores awake: no core has two of them.
    #[test]
    fn of_those_that_share_cores_in_part_the_first_on_each_core_keeps_it_awake() {
        let here = |cores: &'static [u32]| at("h", Some("1"), cores);
        assert_eq!(places(&[here(&[0, 1]), here(&[1, 2]), here(&[1, 2]), here(&[2, 3])]), [0, 1, 1, 0]);
        assert_eq!(places(&[here(&[0, 1]), here(&[]), here(&[2, 3])]), [0, 1, 0], "all that there are");
        let elsewhere = at("h", Some("2"), &[1, 2]);
        assert_eq!(places(&[here(&[0, 1]), elsewhere, here(&[2, 3])]), [0; 3]);
    }

    /// The record tells it after the run as the greeting did before it.
    #[test]
    fn generators_that_meet_and_their_records_agree_on_who_shares_a_machine_and_cores() {
        let host = |boot: &str, which_cores: &[u32]| Host {
            cpu: "a processor".into(),
            cores: 2,
            cores_present: None,
            quota_us_per_s: None,
            memory_bytes: 1,
            kernel: "Linux".into(),
            boot: Some(boot.into()),
            which_cores: which_cores.to_vec(),
        };
        let hosts = [host("1", &[]), host("1", &[0, 1]), host("1", &[2, 3]), host("2", &[0, 1])];
        for one in &hosts {
            for other in &hosts {
                let (here, there) = (Whereabouts::on("one", one), Whereabouts::on("another", other));
                assert_eq!(here.is_machine_of(&there), one.is_machine_of(other), "{one:?} {other:?}");
                assert_eq!(here.shares_cores_with(&there), one.shares_cores_with(other), "{one:?} {other:?}");
            }
        }
    }
}
