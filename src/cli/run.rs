//! `run`: a scenario, from its file to the verdict.

use anyhow::bail;
use clap::Args;
use clap_complete::ArgValueCompleter;

use super::cluster_args::ClusterArgs;
use super::completions::scenarios;
use super::exit::Exit;
use super::forecast::say_what_it_takes;
use super::generators::{Chosen, GeneratorsArgs, led};
use super::one_run::one_run;
use super::output::{OutputArgs, OutputFormat, columns, complain};
use super::scenario_args::{
    LibraryArgs, ScenarioArgs, SdkArgs, ServerArgs, check_surroundings, draft, fresh_seed,
};
use super::signals::with_signals;
use super::summary::SummaryArgs;
use super::terminal::Terminal;
use crate::campaign::{self, Generators, RunPlan, Several, SweepPlan};
use crate::load::Progress as _;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::MIN_RUNS;
use reclaim_analysis::report;
use reclaim_analysis::scenario::{Draft, Override, Scenario, SweepSection};

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Name of a shipped scenario (see `scenarios`), or path of a file
    #[arg(add = ArgValueCompleter::new(scenarios))]
    pub scenario: String,
    /// Seed of everything random; a result names the one that it was made with
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Let the verdicts decide the exit code, as `[gate] enforce` in the scenario does
    #[arg(long)]
    gate: bool,
    /// Run this many times, each time with a seed of its own; every run is kept
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repeat: u32,
    /// Make the run even where it is known beforehand that too few claims are made for a verdict
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    changes: ScenarioArgs,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    servers: ServerArgs,
    #[command(flatten)]
    sdks: SdkArgs,
    #[command(flatten)]
    generators: GeneratorsArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    summary: SummaryArgs,
}

impl RunArgs {
    /// The run that is asked for, with further changes to the scenario.
    fn plan(&self, more: &[Override], seed: u64) -> anyhow::Result<RunPlan> {
        let mut changes = self.cluster.overrides()?;
        changes.extend(self.changes.overrides()?);
        changes.extend_from_slice(more);
        if self.gate {
            let (shown, key) = ("--gate".to_owned(), "gate.enforce".to_owned());
            changes.push(Override { shown, key, value: Some("true".to_owned()) });
        }
        let [base_server, candidate_server] = self.servers.sides();
        let scenario = Draft {
            base_server,
            candidate_server,
            base_library: self.libraries.base_library.clone(),
            candidate_library: self.libraries.candidate_library.clone(),
            base_sdk: self.sdks.base_sdk.clone(),
            candidate_sdk: self.sdks.candidate_sdk.clone(),
            ..draft(&self.scenario, changes)?
        }
        .check()?;
        let request = self.cluster.request(&scenario)?;
        check_surroundings(&scenario)?;
        let generators = match &scenario.file().sweep {
            // This plan only describes the sweep; each of its runs is checked separately.
            Some(_) => self.generators.here(&self.cluster),
            None => self.generators.started(&scenario, &self.cluster)?,
        };
        Ok(RunPlan { scenario, request, seed, generators })
    }

    /// How long the runs will take. Refuses those that could not answer.
    fn say_what_it_takes(&self, scenarios: &[&Scenario], generators: u32) -> anyhow::Result<String> {
        say_what_it_takes(scenarios, (self.repeat, generators), &self.output.output, self.anyway)
    }

    /// The run for each value of a sweep.
    fn sweep_plan(&self, section: &SweepSection, seed: u64) -> anyhow::Result<SweepPlan> {
        if self.repeat > 1 {
            bail!("--repeat {}: the scenario has a [sweep]; take the one or the other", self.repeat);
        }
        let points = section.steps().into_iter().map(|step| {
            let alone = Override { shown: String::new(), key: "sweep".to_owned(), value: None };
            let set = step.set.into_iter().map(|(key, value)| Override {
                shown: format!("sweep {key}={value}"),
                key,
                value: Some(value),
            });
            let point: Vec<Override> = std::iter::once(alone).chain(set).collect();
            self.plan(&point, seed)
        });
        let points = points.collect::<anyhow::Result<_>>()?;
        Ok(SweepPlan { section: section.clone(), points, seed })
    }
}

/// Runs the command.
pub async fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    args.summary.check()?;
    let done = one_or_several(args).await;
    if let Err(error) = &done {
        args.summary.append_failure(error);
    }
    done
}

async fn one_or_several(args: &RunArgs) -> anyhow::Result<Exit> {
    let chosen = args.generators.part()?;
    let plan = args.plan(&[], args.seed.unwrap_or_else(fresh_seed))?;
    if let Some(chosen) = chosen {
        return part(args, plan, chosen).await;
    }
    if let Some(section) = &plan.scenario.file().sweep {
        let points = args.sweep_plan(section, plan.seed)?;
        let scenarios: Vec<_> = points.points.iter().map(|point| &point.scenario).collect();
        let about = args.say_what_it_takes(&scenarios, plan.generators.count())?;
        return sweep(args, &points, &about).await;
    }
    let about = args.say_what_it_takes(&[&plan.scenario], plan.generators.count())?;
    if args.repeat == 1 {
        return once(args, &plan, &about).await;
    }
    let enforced = plan.scenario.file().gate.enforce && plan.scenario.compare.is_some();
    if enforced && (args.repeat as usize) < MIN_RUNS {
        bail!("--repeat {}: a verdict over several runs needs at least {MIN_RUNS} of them", args.repeat);
    }
    series(args, &plan, &about).await
}

/// This process as one of several generators.
async fn part(args: &RunArgs, mut plan: RunPlan, chosen: Chosen) -> anyhow::Result<Exit> {
    chosen.check(&plan, args.seed.is_some(), args.repeat)?;
    let about = args.say_what_it_takes(&[&plan.scenario], chosen.count())?;
    let (quiet, nodes) = (Terminal::plain(args.output.quiet), plan.request.nodes.clone());
    let numbered =
        with_signals(&quiet, &nodes, async |stop| chosen.numbered(&plan.request, &quiet, stop).await);
    let setup = numbered.await??;
    let (leads, who) = (setup.slice.leads(), format!("{} of rendezvous {}", setup.slice, setup.name));
    plan.generators = Generators::Part(setup);
    if leads {
        return once(args, &plan, &about).await;
    }
    let clusters = std::slice::from_ref(&plan.request);
    led(&plan, clusters, &Terminal::new(&args.output)?, (&who, args.output.quiet)).await
}

async fn once(args: &RunArgs, plan: &RunPlan, about: &str) -> anyhow::Result<Exit> {
    let Some(made) = one_run(plan, about, &args.output).await? else { return Ok(Exit::Interrupted) };
    args.summary.append(&report::ci::pull_request(&made.result))?;
    Ok(made.end(Exit::of_run(&made.result)))
}

async fn series(args: &RunArgs, plan: &RunPlan, about: &str) -> anyhow::Result<Exit> {
    let terminal = Terminal::new(&args.output)?;
    terminal.note(about);
    let runs = with_signals(&terminal, &plan.request.nodes, async |stop| {
        campaign::series(plan, args.repeat, &args.output.output, &terminal, stop).await
    });
    let Some(done) = runs.await?? else { return Ok(Exit::Interrupted) };
    let series = &done.concluded;
    terminal.print(
        &args.output,
        &match args.output.format {
            OutputFormat::Text => {
                report::repeated_text(&series.scenario, &series.repeated, &series.gate, columns())
            }
            OutputFormat::Json => series.to_json_file()?,
        },
    )?;
    args.summary.append(&series.pull_request())?;
    let exit = Exit::of_several(&done, series.gate.conclusion);
    Ok(ended(&terminal, done, exit))
}

/// Says what ended several runs early, if an error did, and where they lie.
fn ended<T>(terminal: &Terminal, done: Several<T>, exit: Exit) -> Exit {
    if let Some(error) = done.failure {
        complain(&error.into());
    }
    terminal.result(&done.dir, exit)
}

async fn sweep(args: &RunArgs, plan: &SweepPlan, about: &str) -> anyhow::Result<Exit> {
    let terminal = Terminal::new(&args.output)?;
    terminal.note(about);
    let runs = with_signals(&terminal, &plan.points[0].request.nodes, async |stop| {
        campaign::sweep(plan, &args.output.output, &terminal, stop).await
    });
    let Some(done) = runs.await?? else { return Ok(Exit::Interrupted) };
    let file = &done.concluded;
    terminal.print(
        &args.output,
        &match args.output.format {
            OutputFormat::Text => report::sweep_text(&file.scenario, &file.sweep, columns()),
            OutputFormat::Json => file.to_json_file()?,
        },
    )?;
    args.summary.append(&report::sweep_markdown(&file.scenario, &file.sweep))?;
    let exit = Exit::of_several(&done, file.sweep.conclusion());
    Ok(ended(&terminal, done, exit))
}
