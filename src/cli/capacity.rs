//! `capacity`: from a scenario to the highest rate that keeps its service level.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use clap_complete::ArgValueCompleter;

use super::cluster_args::ClusterArgs;
use super::completions::scenarios;
use super::exit::Exit;
use super::generators::{Chosen, GeneratorsArgs};
use super::output::{OutputArgs, OutputFormat, columns, print};
use super::scenario_args::{ScenarioArgs, check_surroundings, draft, duration, fresh_seed};
use super::signals::with_signals;
use super::summary::SummaryArgs;
use super::terminal::Terminal;
use crate::campaign::{self, CapacitySearch, Generators, SearchPlan};
use crate::load::{LoadError, PartSetup, Progress as _};
use crate::store::StoredCapacity;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::capacity::{CapacityPolicy, Stopped};
use reclaim_analysis::report;
use reclaim_analysis::scenario::{Draft, HIGHEST_SEARCHED_PER_S, HumanDuration, Override};

/// Options of `capacity`.
#[derive(Args, Clone, Debug)]
pub struct CapacityArgs {
    /// Name of a shipped scenario (see `scenarios`), or path of a file; it needs a service level
    #[arg(add = ArgValueCompleter::new(scenarios))]
    scenario: String,
    /// Seed of everything random; a result names the one that it was made with
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Begin no probe that would end after this time, e.g. 10m; the answer is what is known by then
    #[arg(long, value_name = "TIME", value_parser = duration)]
    within: Option<HumanDuration>,
    /// Exit with 1 unless this many claims per second are sustained; probed first
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    require: Option<f64>,
    /// Rate of the first probe [scenario: 500]
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "require")]
    rate_from: Option<f64>,
    /// Share of a primary's main thread that the sizing table plans with [scenario: 0.6]
    #[arg(long, value_name = "SHARE")]
    utilisation: Option<f64>,
    /// Rates that the sizing table shows [scenario: 1000,5000,20000]
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',')]
    targets: Vec<f64>,
    /// Leave out the second walk over all levels, which shows hysteresis
    #[arg(long)]
    no_walk: bool,
    /// Leave out the closed-loop curve
    #[arg(long)]
    no_usl: bool,
    /// Go on with a search that was stopped
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    changes: ScenarioArgs,
    #[command(flatten)]
    generators: GeneratorsArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    summary: SummaryArgs,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (1.0..=HIGHEST_SEARCHED_PER_S).contains(&rate) => Ok(rate),
        _ => Err(format!("use claims per second, 1 to {HIGHEST_SEARCHED_PER_S}")),
    }
}

impl CapacityArgs {
    /// The search that is asked for, and the one that it goes on with.
    fn plan(&self) -> anyhow::Result<(SearchPlan, Option<(PathBuf, StoredCapacity)>)> {
        let mut changes = self.cluster.overrides()?;
        changes.extend(self.overrides()?);
        let scenario = Draft { for_capacity: true, ..draft(&self.scenario, changes)? }.check()?;
        let request = self.cluster.request(&scenario)?;
        check_surroundings(&scenario)?;
        let file = scenario.file().clone();
        let earlier = self.resume.as_deref().map(StoredCapacity::read).transpose()?;
        let before = earlier.as_ref().map(|earlier| &earlier.plan);
        let seed = self.seed_after(before.map(|before| before.seed))?;
        let Some(policy) = CapacityPolicy::from_scenario(&file, seed) else {
            bail!("{} has no [slo]", file.name)
        };
        let policy = self.narrowed(policy, before.map(|before| &before.policy));
        let within = self.within.map(|within| within.0);
        let earlier = self.resume.clone().zip(earlier);
        let generators = self.generators.here(&self.cluster);
        Ok((SearchPlan { file, seed, policy, request, generators, within }, earlier))
    }

    fn seed_after(&self, begun: Option<u64>) -> anyhow::Result<u64> {
        if let (Some(given), Some(begun)) = (self.seed, begun)
            && given != begun
        {
            bail!(
                "--resume: that search was begun with --seed {begun}; leave --seed out, or begin anew without --resume"
            );
        }
        Ok(self.seed.or(begun).unwrap_or_else(fresh_seed))
    }

    /// What was asked before is asked still; options can leave more out.
    fn narrowed(&self, policy: CapacityPolicy, before: Option<&CapacityPolicy>) -> CapacityPolicy {
        let no_curve = self.no_usl || before.is_some_and(|before| before.concurrency.is_empty());
        CapacityPolicy {
            required_per_s: self.require.or(before.and_then(|before| before.required_per_s)),
            walk: !self.no_walk && before.is_none_or(|before| before.walk),
            concurrency: if no_curve { Vec::new() } else { policy.concurrency },
            ..policy
        }
    }

    fn refuse_fixed_loads(&self) -> anyhow::Result<()> {
        let changes = &self.changes;
        for (given, option, instead) in [
            (changes.rate.is_some(), "--rate", "--rate-from says where the search begins"),
            (
                changes.concurrency.is_some(),
                "--concurrency",
                "use --set capacity.concurrency=[1,2,4,8,16,32,64]",
            ),
            (
                changes.duration.is_some(),
                "--duration",
                "use --set capacity.window=5s, or --within for all of it",
            ),
            (changes.claims.is_some(), "--claims", "use --set capacity.claims=20000"),
        ] {
            if given {
                bail!("{option}: the search decides that for each probe; {instead}");
            }
        }
        Ok(())
    }

    /// Keys that each probe sets anew: given to a search they would be in its configuration and in no probe.
    fn refuse_keys_of_probes(all: &[Override]) -> anyhow::Result<()> {
        const OF_PROBES: [(&str, &str); 6] = [
            (
                "population.executions",
                "a probe has as many as it claims: capacity.claims, capacity.curve_claims",
            ),
            ("load.rate", "capacity.start_rate says where the search begins"),
            ("load.concurrency", "capacity.concurrency says which there are"),
            ("load.duration", "capacity.window says how long a probe takes"),
            ("load.claims", "capacity.claims says how many a probe makes"),
            ("load.model", "a search has both"),
        ];
        for (key, instead) in OF_PROBES {
            if let Some(given) = all.iter().find(|one| one.key == key && one.value.is_some()) {
                bail!("{}: the search decides that for each probe; {instead}", given.shown);
            }
        }
        Ok(())
    }

    /// The options that have a key in the scenario.
    fn overrides(&self) -> anyhow::Result<Vec<Override>> {
        self.refuse_fixed_loads()?;
        let mut all = Vec::new();
        let mut set = |option: &str, key: &str, value: Option<String>| {
            if let Some(value) = value {
                let shown = format!("{option} {value}");
                all.push(Override { shown, key: format!("capacity.{key}"), value: Some(value) });
            }
        };
        set("--rate-from", "start_rate", self.rate_from.map(toml_float));
        set("--utilisation", "utilisation", self.utilisation.map(toml_float));
        let targets: Vec<_> = self.targets.iter().copied().map(toml_float).collect();
        set("--targets", "targets", (!targets.is_empty()).then(|| format!("[{}]", targets.join(", "))));
        let changes = self.changes.overrides()?;
        Self::refuse_keys_of_probes(&changes)?;
        all.extend(changes);
        Ok(all)
    }
}

/// TOML tells whole numbers from others.
fn toml_float(value: f64) -> String {
    format!("{value:?}")
}

/// Runs the command.
pub async fn run(args: &CapacityArgs) -> anyhow::Result<Exit> {
    let chosen = args.generators.part()?;
    if let Some(chosen) = &chosen
        && args.resume.is_some()
        && !chosen.leads()
    {
        bail!("{}: only generator 1 goes on with a search: leave --resume out", chosen.option());
    }
    let (mut plan, earlier) = args.plan()?;
    if let Some(chosen) = chosen {
        let setup = part(args, &plan, &chosen).await?;
        plan.generators = Generators::Part(setup);
    }
    plan.check()?;
    let terminal = Terminal::new(&args.output)?;
    if let Generators::Part(setup) = &plan.generators
        && !setup.slice.leads()
    {
        return led(args, &plan, setup, &terminal).await;
    }
    let left_out = plan.without_unshareable_loads();
    if !left_out.is_empty() {
        terminal.note(&format!(
            "the closed-loop curve takes numbers in flight of which each of {} generators has one, and none over a fifth more \
             than another: {left_out:?} in flight are left out; --set capacity.concurrency=[...] gives others",
            plan.generators.count()
        ));
    }
    let nodes = plan.request.nodes.clone();
    let search = CapacitySearch::begin(plan, &args.output.output, earlier)?;
    let explored = with_signals(&terminal, &nodes, async |stop| search.explore(&terminal, stop).await);
    let (capacity, stopped) = explored.await??;
    let Some(capacity) = capacity else {
        if stopped == Some(Stopped::OutOfTime) {
            terminal.note("--within: no probe would be done by then, none was made");
            return Ok(Exit::Inconclusive);
        }
        terminal.note(&LoadError::Cancelled.to_string());
        return Ok(Exit::Interrupted);
    };
    terminal.print(
        &args.output,
        &match args.output.format {
            OutputFormat::Text => report::capacity_text(&capacity, columns()),
            OutputFormat::Json => capacity.to_json_file()?,
        },
    )?;
    args.summary.append(&report::capacity_markdown(&capacity))?;
    Ok(terminal.result(search.dir(), Exit::of_capacity(&capacity)))
}

/// Which of several generators this process is.
async fn part(args: &CapacityArgs, plan: &SearchPlan, chosen: &Chosen) -> anyhow::Result<PartSetup> {
    chosen.check_cluster(&plan.request)?;
    let (quiet, nodes) = (Terminal::plain(args.output.quiet), plan.request.nodes.clone());
    let numbered =
        with_signals(&quiet, &nodes, async |stop| chosen.numbered(&plan.request, &quiet, stop).await);
    numbered.await?
}

/// Makes a part of every probe of a search that another process leads, and says who this one was.
async fn led(
    args: &CapacityArgs,
    plan: &SearchPlan,
    setup: &PartSetup,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    let made = with_signals(terminal, &plan.request.nodes, async |stop| {
        campaign::follow_search(plan, setup, terminal, stop).await
    });
    let Some(made) = made.await?? else { return Ok(Exit::Interrupted) };
    if !args.output.quiet {
        print(&format!(
            "{} of rendezvous {}: its records of {made} probes are with generator 1, which has the result\n",
            setup.slice, setup.name
        ))?;
    }
    Ok(Exit::Pass)
}
