//! Which generators of a run share their cores.

use serde::{Deserialize, Serialize};

/// Where a generator runs, as far as it tells with whom it shares cores.
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

    /// Whether both may use some cores, and one of them others beside these.
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
    /// From 0.
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
        let one = |(number, own): (usize, &Whereabouts<'_>)| {
            let sharing =
                |some: &[Whereabouts<'_>]| some.iter().filter(|other| own.shares_cores_with(other)).count();
            Self {
                place: sharing(&all[..number]),
                of: sharing(all),
                overlapping: all.iter().any(|other| own.overlaps(other)),
            }
        };
        all.iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(name: &'a str, boot: Option<&'a str>, cores: &'a [u32]) -> Whereabouts<'a> {
        Whereabouts { name, boot, cores }
    }

    fn of(place: usize, of: usize) -> Neighbours {
        Neighbours { place, of, overlapping: false }
    }

    #[test]
    fn containers_with_names_of_their_own_share_the_machine_under_them() {
        let all = [at("pod-a", Some("1"), &[]), at("pod-b", Some("2"), &[]), at("pod-c", Some("1"), &[])];
        assert_eq!(Neighbours::of_all(&all), [of(0, 2), Neighbours::NONE, of(1, 2)]);
        let one_name = [at("app", Some("1"), &[]), at("app", Some("2"), &[])];
        assert_eq!(Neighbours::of_all(&one_name), [Neighbours::NONE; 2], "of two machines");
    }

    #[test]
    fn cores_of_their_own_are_nobody_elses() {
        let all = [at("h", Some("1"), &[0, 1]), at("h", Some("1"), &[2, 3]), at("h", Some("1"), &[0, 1])];
        assert_eq!(Neighbours::of_all(&all), [of(0, 2), Neighbours::NONE, of(1, 2)]);
    }

    #[test]
    fn without_the_kernels_word_a_machine_is_its_name() {
        let all = [at("h", None, &[]), at("h", None, &[]), at("i", None, &[]), at("h", Some("1"), &[])];
        assert_eq!(Neighbours::of_all(&all), [of(0, 3), of(1, 3), Neighbours::NONE, of(2, 3)]);
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
}
