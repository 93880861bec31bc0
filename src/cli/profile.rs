//! `profile`: where the time inside the functions of the claim path goes.

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::cluster_args::ClusterArgs;
use super::completions::scenarios;
use super::exit::Exit;
use super::forecast::say_what_it_takes;
use super::one_run::one_run;
use super::output::OutputArgs;
use super::scenario_args::{LibraryArgs, ScenarioArgs, check_surroundings, draft, fresh_seed};
use crate::campaign::{Generators, RunPlan};
use reclaim_analysis::scenario::{Draft, ProfileLibraries, profiled};

/// Options of `profile`.
#[derive(Args, Clone, Debug)]
pub struct ProfileArgs {
    /// Name of a shipped scenario (see `scenarios`), or path of a file: whose variants' functions to look
    /// into, and on which population
    #[arg(default_value = "lane-ab", add = ArgValueCompleter::new(scenarios))]
    scenario: String,
    /// Seed of everything random; a result names the one that it was made with
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    changes: ScenarioArgs,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl ProfileArgs {
    /// The scenario as it is profiled; options change that, not what it is made from.
    fn plan(&self) -> anyhow::Result<RunPlan> {
        let original = draft(&self.scenario, self.cluster.overrides()?)?.check()?;
        let libraries = ProfileLibraries {
            base: self.libraries.base_library.clone(),
            candidate: self.libraries.candidate_library.clone(),
        };
        let text = profiled(original.file(), &libraries).to_toml()?;
        let source = format!("{} as it is profiled", self.scenario);
        let scenario = Draft::new(&source, &text).with(&self.changes.overrides()?).check()?;
        let request = self.cluster.request(&scenario)?;
        check_surroundings(&scenario)?;
        let (seed, generators) = (self.seed.unwrap_or_else(fresh_seed), Generators::One);
        Ok(RunPlan { scenario, request, seed, generators })
    }
}

/// Runs the command.
pub async fn run(args: &ProfileArgs) -> anyhow::Result<Exit> {
    let plan = args.plan()?;
    // A profile is not run for verdicts, so too few claims do not stop it.
    let about = say_what_it_takes(&[&plan.scenario], (1, 1), &args.output.output, true)?;
    let Some(made) = one_run(&plan, &about, &args.output).await? else { return Ok(Exit::Interrupted) };
    let doubtful = made.result.profile.as_ref().is_none_or(|profile| !profile.findings.is_empty());
    Ok(made.end(match Exit::of_run(&made.result) {
        Exit::Pass if doubtful => Exit::Inconclusive,
        exit => exit,
    }))
}
