//! A scenario as `profile` runs it: for each function that its claims call a plain library beside an
//! instrumented copy.

use std::collections::BTreeSet;

use super::choices::{Mode, VariantPath};
use super::compare_section::{CompareSection, ControlForm};
use super::file::{ScenarioFile, VariantSection};
use super::gate_section::GateSection;
use super::load_section::{LoadSection, NetworkSection};
use super::metric::Metric;

/// Strata in which plain and instrumented claims are mixed, of [`CLAIMS_EACH`] of each arm.
const STRATA: u32 = 40;
const CLAIMS_EACH: u64 = 70;
/// Blocks of each arm, around which the sums are read.
const BLOCKS: u32 = 24;
const BLOCK_CLAIMS: u32 = 250;
const WARMUP: u64 = 400;

/// How the names of profiles begin: their figures must not be taken for the scenario's.
const NAMED: &str = "profile-";
const LONGEST_NAME: usize = 64;

/// What each library is called in the names of arms where there are two.
const SIDES: [&str; 2] = ["base", "candidate"];

/// The libraries to look into, named as in `[library]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileLibraries {
    /// `None`: the scenario's.
    pub base: Option<String>,
    /// `None`: that of the first variant with a library of its own, if there is one.
    pub candidate: Option<String>,
}

/// The scenario with its population (no smaller than a block needs), interruptions, grants and library, and
/// the load of a profile: one claim in flight, and for each function that its variants call a plain and an
/// instrumented arm, for each library. What it says of rates, service levels, faults and several values is
/// left out.
pub fn profiled(file: &ScenarioFile, libraries: &ProfileLibraries) -> ScenarioFile {
    let own = file.variants.iter().find_map(|variant| variant.library.clone());
    let candidate = libraries.candidate.clone().or(own);
    let base = libraries.base.clone().or_else(|| file.library.source.clone());
    let variants = match candidate {
        None => arms(file, None, None),
        Some(candidate) => {
            let sides = [base.clone().unwrap_or_else(|| "published".to_owned()), candidate];
            let arms = SIDES.iter().zip(&sides).map(|(side, library)| arms(file, Some(side), Some(library)));
            arms.flatten().collect()
        }
    };
    let baseline = variants.first().map(|variant| variant.name.clone());
    let mut profiled = file.clone();
    profiled.name = format!("{NAMED}{}", &file.name[..file.name.len().min(LONGEST_NAME - NAMED.len())]);
    profiled.library.source = base;
    profiled.load = LoadSection {
        mode: Mode::Staged,
        connections: file.load.connections,
        timeout: file.load.timeout,
        warmup: WARMUP,
        claims: Some(u64::from(STRATA) * CLAIMS_EACH * variants.len() as u64),
        network: NetworkSection::default(),
        ..LoadSection::default()
    };
    profiled.compare = Some(CompareSection {
        baseline,
        strata: STRATA,
        counter_blocks: BLOCKS,
        block_claims: BLOCK_CLAIMS,
        metrics: vec![Metric::ServiceP50.name().to_owned()],
        control: ControlForm::Shared,
        ..CompareSection::default()
    });
    // A block and a stratum are staged in one go.
    let staged = (CLAIMS_EACH * variants.len() as u64).max(BLOCK_CLAIMS.into()).max(WARMUP);
    profiled.population.executions = profiled.population.executions.max(staged as u32);
    profiled.grant.unconsumed = 0.0;
    profiled.gate = GateSection::default();
    profiled.variants = variants;
    profiled.faults.clear();
    (profiled.slo, profiled.capacity, profiled.sweep) = (None, None, None);
    profiled.resolve();
    profiled
}

/// The way of claiming that calls the same function without the SDK.
const fn on_the_wire(path: VariantPath) -> VariantPath {
    match path {
        VariantPath::SdkResume | VariantPath::SdkGrant => VariantPath::GrantLane,
        VariantPath::SdkReclaim => VariantPath::LeaseReclaim,
        path => path,
    }
}

/// A plain arm and an instrumented one for each function: those of the first variant that calls it.
fn arms(file: &ScenarioFile, side: Option<&str>, library: Option<&String>) -> Vec<VariantSection> {
    let mut seen = BTreeSet::new();
    // The SDK calls the functions of one library alone: the wire shows what is inside them.
    let alone = file.variants.iter().all(|variant| variant.path.is_sdk());
    let wire = file.variants.iter().filter(|variant| alone || !variant.path.is_sdk());
    let first = wire.filter(|variant| seen.insert(variant.path.function()));
    first
        .flat_map(|variant| {
            let path = on_the_wire(variant.path);
            let name = side.map_or_else(|| variant.name.clone(), |side| format!("{side}-{}", variant.name));
            let arm = |name: String, instrumented: bool| VariantSection {
                library: library.cloned(),
                instrumented,
                ..VariantSection::new(name, path)
            };
            [arm(name.clone(), false), arm(format!("{name}-inside"), true)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, SHIPPED, Scenario};
    use super::*;

    fn shipped(name: &str) -> ScenarioFile {
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).unwrap();
        Draft::new(name, shipped.text).check().unwrap().file().clone()
    }

    fn names(file: &ScenarioFile) -> Vec<&str> {
        file.variants.iter().map(|variant| variant.name.as_str()).collect()
    }

    #[test]
    fn every_shipped_scenario_can_be_profiled() {
        for shipped in SHIPPED {
            let file = profiled(&self::shipped(shipped.name), &ProfileLibraries::default());
            let scenario =
                Scenario::try_from(&file).unwrap_or_else(|error| panic!("{}: {error:?}", shipped.name));
            assert!(scenario.variants.iter().any(|variant| variant.instrumented), "{}", shipped.name);
        }
    }

    #[test]
    fn each_function_is_profiled_once_for_each_library() {
        let none = ProfileLibraries::default();
        assert_eq!(names(&profiled(&shipped("lane-ab"), &none)), ["grant-lane", "grant-lane-inside"]);
        let paths = profiled(&shipped("claim-paths"), &none);
        let functions: Vec<_> = paths.variants.iter().step_by(2).map(|arm| arm.path.function()).collect();
        assert_eq!(
            functions,
            ["ff_claim_resumed_execution", "ff_issue_grant_and_claim", "ff_claim_execution"]
        );
        let two = ProfileLibraries { base: None, candidate: Some("./b.lua".into()) };
        let duet = profiled(&shipped("lane-ab"), &two);
        assert_eq!(
            names(&duet),
            [
                "base-grant-lane",
                "base-grant-lane-inside",
                "candidate-grant-lane",
                "candidate-grant-lane-inside"
            ]
        );
        let libraries: Vec<_> = duet.variants.iter().map(|arm| arm.library.as_deref().unwrap()).collect();
        assert_eq!(libraries, ["published", "published", "./b.lua", "./b.lua"]);
        let own = profiled(&shipped("library-duet"), &none);
        assert_eq!(own.variants.len(), 4, "its candidate has a library of its own");
    }
}
