//! `capacity`: from a scenario to the highest rate that keeps its service level. Each probe is a run of its own.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use rand_chacha::rand_core::Rng as _;
use tokio_util::sync::CancellationToken;

use super::args::{ClusterArgs, OutputArgs, OutputFormat, ScenarioArgs, duration, load_scenario};
use super::capacity_dir::StoredCapacity;
use super::exit::Exit;
use super::interrupt::second_signal;
use super::progress::Watch;
use super::result_dir::ResultDir;
use super::run::fresh_seed;
use super::same_question::same_question;
use super::summary::SummaryArgs;
use super::{calibration_store, print, quiet, say};
use crate::cluster::{self, Cluster, ClusterRequest};
use crate::load::{self, RunSetup};
use reclaim_analysis::judge::capacity::{
    Capacity, CapacityPlan, CapacityPolicy, NextStep, Probe, ProbeLoad, Stopped,
};
use reclaim_analysis::judge::{self, RunResult};
use reclaim_analysis::record::stream;
use reclaim_analysis::report;
use reclaim_analysis::scenario::{
    ArrivalsForm, HumanDuration, ModelForm, Override, Scenario, ScenarioFile, stock_for,
};

/// Options of `capacity`.
#[derive(Args, Clone, Debug)]
pub struct CapacityArgs {
    /// Name of a shipped scenario (see `scenarios`), or path of a file; it needs a service level
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
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    summary: SummaryArgs,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (1.0..=1e6).contains(&rate) => Ok(rate),
        _ => Err("use claims per second, 1 to 1000000".into()),
    }
}

/// What to search, decided and checked before a server is looked for.
struct Job<'a> {
    args: &'a CapacityArgs,
    request: ClusterRequest,
    dir: ResultDir,
    search: RefCell<StoredCapacity>,
}

impl<'a> Job<'a> {
    fn of(args: &'a CapacityArgs) -> anyhow::Result<Self> {
        let mut changes = args.cluster.overrides();
        changes.extend(args.overrides()?);
        let (file, scenario) = load_scenario(&args.scenario, &changes)?;
        file.suits_capacity()?;
        let request = args.cluster.request(&file, &scenario)?;
        let earlier = args.resume.as_deref().map(StoredCapacity::read).transpose()?;
        let begun = earlier.as_ref().map(|earlier| earlier.plan.seed);
        if let (Some(given), Some(begun)) = (args.seed, begun)
            && given != begun
        {
            bail!(
                "--resume: that search was begun with --seed {begun}; leave --seed out, or begin anew without --resume"
            );
        }
        let seed = args.seed.or(begun).unwrap_or_else(fresh_seed);
        let Some(mut policy) = CapacityPolicy::from_scenario(&file, seed) else {
            bail!("{} has no [slo]", file.name);
        };
        // What was asked before is asked still; options can leave more out.
        let before = earlier.as_ref().map(|earlier| &earlier.plan.policy);
        policy.required_per_s = args.require.or(before.and_then(|before| before.required_per_s));
        policy.walk = !args.no_walk && before.is_none_or(|before| before.walk);
        if args.no_usl || before.is_some_and(|before| before.concurrency.is_empty()) {
            policy.concurrency.clear();
        }
        // Every load must be possible before the first one is offered.
        let first = ProbeLoad::Open { rate_per_s: policy.required_per_s.unwrap_or(policy.start_per_s) };
        load_of(&file, first)?;
        let plan = CapacityPlan { scenario: file, seed, policy, stopped: None };
        let (dir, search) = if let (Some(mut earlier), Some(path)) = (earlier, &args.resume) {
            same_question(&earlier.plan.scenario, &plan.scenario)?;
            earlier.plan = plan;
            (ResultDir::existing(path), earlier)
        } else {
            let name = format!("capacity-{}", plan.scenario.name);
            (ResultDir::create(&args.output.output, &name)?, StoredCapacity::new(plan))
        };
        Ok(Self { args, request, dir, search: RefCell::new(search) })
    }

    fn quiet(&self) -> bool {
        self.args.output.quiet
    }

    fn tell(&self, text: &str) {
        if !self.quiet() {
            say(text);
        }
    }

    /// Marks why the search ended, and writes what it came to.
    fn store(&self, stopped: Option<Stopped>) -> anyhow::Result<Capacity> {
        self.search.borrow_mut().plan.stopped = stopped;
        let capacity = self.search.borrow().conclude();
        self.dir.store_capacity(&capacity)?;
        Ok(capacity)
    }
}

impl CapacityArgs {
    fn overrides(&self) -> anyhow::Result<Vec<Override>> {
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
        all.extend(changes.overrides()?);
        Ok(all)
    }
}

/// TOML tells whole numbers from others.
fn toml_float(value: f64) -> String {
    format!("{value:?}")
}

/// Runs the command.
pub async fn run(args: &CapacityArgs) -> anyhow::Result<Exit> {
    let job = Job::of(args)?;
    let cancel = CancellationToken::new();
    let explored = tokio::select! {
        explored = explore(&job, &cancel) => explored,
        second = second_signal(cancel.clone(), |text| job.tell(text)) => {
            second?;
            Ok(Some(Stopped::Interrupted))
        }
    };
    if job.search.borrow().made == 0 {
        job.dir.remove_if_empty();
        return explored.map(|stopped| {
            if stopped == Some(Stopped::OutOfTime) {
                job.tell("--within: no probe would be done by then, none was made");
                return Exit::Inconclusive;
            }
            job.tell("interrupted before anything was measured");
            Exit::Interrupted
        });
    }
    let stopped = explored.with_context(|| {
        format!("the probes so far are kept; go on with --resume {}", job.dir.path().display())
    })?;
    let stored = job.store(stopped);
    let capacity = job.search.borrow().conclude();
    print(&match args.output.format {
        OutputFormat::Text => report::capacity_text(&capacity),
        OutputFormat::Json => report::capacity_json(&capacity)?,
    })?;
    stored?;
    args.summary.append(&report::capacity_markdown(&capacity))?;
    job.tell(&format!("\nresult: {}", job.dir.path().display()));
    Ok(Exit::of_capacity(&capacity))
}

/// Makes one probe after the other on one cluster, until the search knows enough or is stopped. What the probes come to
/// is written after each.
async fn explore(job: &Job<'_>, cancel: &CancellationToken) -> anyhow::Result<Option<Stopped>> {
    let cluster = match cluster::open(&job.request, &|text| job.tell(text), cancel).await {
        Ok(cluster) => Rc::new(cluster),
        Err(_) if cancel.is_cancelled() => return Ok(Some(Stopped::Interrupted)),
        Err(error) => return Err(error.into()),
    };
    same_servers(job.search.borrow().first.as_ref(), &cluster)?;
    let explored = probes(job, &cluster, cancel).await;
    if let Err(error) = cluster.remove_library_if_added().await {
        say(&format!("warning: the function library stays on the cluster: {error}"));
    }
    explored
}

async fn probes(
    job: &Job<'_>,
    cluster: &Rc<Cluster>,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<Stopped>> {
    let begun = Instant::now();
    let mut pace = Pace::FIRST;
    let mut next = job.search.borrow().conclude().next;
    loop {
        let NextStep::Probe { offer, .. } = next else { return Ok(None) };
        let load = Load::of(&job.search.borrow().plan.scenario, offer);
        if job.args.within.is_some_and(|within| begun.elapsed() + pace.expected(&load) > within.0) {
            return Ok(Some(Stopped::OutOfTime));
        }
        let started = Instant::now();
        let dir = job.search.borrow_mut().next_dir(offer);
        let Some(result) = probe(job, cluster, offer, &dir, cancel).await? else {
            return Ok(Some(Stopped::Interrupted));
        };
        let interrupted = result.record.partial;
        job.search.borrow_mut().add(result, &dir);
        if interrupted {
            return Ok(Some(Stopped::Interrupted));
        }
        let capacity = job.store(None)?;
        if let Some(line) = report::capacity_line(&capacity) {
            job.tell(&line);
        }
        if cluster.owned() {
            cluster.wipe().await?;
        }
        pace = Pace::of(&load, started.elapsed());
        next = capacity.next;
        let disturbed = capacity.probes.last().is_some_and(Probe::was_disturbed);
        if disturbed && matches!(next, NextStep::Probe { .. }) {
            let left =
                job.args.within.map_or(quiet::LONGEST, |within| within.0.saturating_sub(begun.elapsed()));
            job.tell("the machine was disturbed: waiting until it is quiet, 30 s at most");
            quiet::quiet(left.min(quiet::LONGEST), cancel).await;
        }
    }
}

/// One run; `None` where it was interrupted before anything was measured.
async fn probe(
    job: &Job<'_>,
    cluster: &Rc<Cluster>,
    offer: ProbeLoad,
    name: &str,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<RunResult>> {
    let (base, seed, made) = {
        let search = job.search.borrow();
        (search.plan.scenario.clone(), search.plan.seed, search.made)
    };
    let (file, scenario) = load_of(&base, offer)?;
    let seed = u64::from(stream(seed, &format!("probe {made}")).next_u32());
    let own = job.dir.part(name)?;
    let watch = Watch::new(!job.quiet() && !job.args.output.no_progress, job.quiet(), &own);
    let setup = RunSetup { cluster, scenario: &scenario, file: &file, seed, watch: &watch, cancel };
    let measured = load::run(setup).await;
    watch.finish();
    match measured {
        Ok(mut record) => {
            record.calibration = calibration_store::note(&record, &scenario, |text| watch.line(text));
            let result = judge::analyse_as(record, &scenario);
            own.store(&result)?;
            Ok(Some(result))
        }
        Err(error) => {
            own.remove_if_empty();
            if cancel.is_cancelled() { Ok(None) } else { Err(error.into()) }
        }
    }
}

/// How many claims a probe makes, and how long they take by their schedule. A closed loop has none.
struct Load {
    claims: u64,
    window: Duration,
}

impl Load {
    fn of(base: &ScenarioFile, offer: ProbeLoad) -> Self {
        match offer {
            ProbeLoad::Open { rate_per_s } => {
                let claims = claims_of(base, rate_per_s);
                Self { claims, window: Duration::from_secs_f64(claims as f64 / rate_per_s) }
            }
            ProbeLoad::Closed { .. } => Self { claims: base.capacity().curve_claims, window: Duration::ZERO },
        }
    }
}

/// What a probe took beside its window, for each claim: creating, staging, reading back, removing.
#[derive(Clone, Copy)]
struct Pace {
    per_claim: Duration,
}

impl Pace {
    /// Before anything was measured: what small virtual machines took.
    const FIRST: Self = Self { per_claim: Duration::from_micros(800) };

    fn of(load: &Load, took: Duration) -> Self {
        Self { per_claim: took.saturating_sub(load.window).div_f64(load.claims.max(1) as f64) }
    }

    /// How long a probe takes, as the one before it went.
    fn expected(self, load: &Load) -> Duration {
        load.window + self.per_claim.mul_f64(load.claims as f64)
    }
}

fn claims_of(base: &ScenarioFile, rate_per_s: f64) -> u64 {
    let section = base.capacity();
    section.claims.max((rate_per_s * section.window.0.as_secs_f64()).ceil() as u64)
}

/// The scenario at one load.
fn load_of(base: &ScenarioFile, offer: ProbeLoad) -> anyhow::Result<(ScenarioFile, Scenario)> {
    let (mut file, section) = (base.clone(), base.capacity());
    let load = &mut file.load;
    load.duration = None;
    let executions = match offer {
        ProbeLoad::Open { rate_per_s } => {
            let claims = claims_of(base, rate_per_s);
            (load.model, load.concurrency) = (ModelForm::Open, None);
            (load.rate, load.claims) = (Some(rate_per_s), Some(claims));
            if let Some(ArrivalsForm::Burst(burst)) = &mut load.arrivals {
                // The same bursts, more or less often.
                burst.every = HumanDuration(Duration::from_secs_f64(f64::from(burst.size) / rate_per_s));
            }
            stock_for(claims)
        }
        ProbeLoad::Closed { concurrency } => {
            (load.model, load.concurrency) = (ModelForm::Closed, Some(concurrency));
            (load.rate, load.arrivals, load.claims) = (None, None, Some(section.curve_claims));
            section.curve_claims
        }
    };
    // All of the window in one go, and the warm-up before it: nothing is staged between claims.
    file.population.executions = u32::try_from(executions + load.warmup).unwrap_or(u32::MAX);
    file.resolve();
    let scenario = Scenario::try_from(&file)?;
    Ok((file, scenario))
}

/// Probes of one search must have met the same kind of servers.
fn same_servers(first: Option<&RunResult>, cluster: &Cluster) -> anyhow::Result<()> {
    let Some(first) = first else { return Ok(()) };
    let environment = &first.record.environment;
    let now = cluster.info(environment.valkey.partitions as u16);
    let (was, is) = (&environment.valkey, &now);
    for (what, earlier, today) in [
        ("function library (sha256)", environment.library.sha256.clone(), cluster.library().sha256),
        ("Valkey version", was.version.clone(), is.version.clone()),
        ("number of primaries", was.primaries.to_string(), is.primaries.to_string()),
        ("number of replicas", was.replicas.to_string(), is.replicas.to_string()),
        ("machine", environment.host.cpu.clone(), crate::machine::host().cpu),
    ] {
        if earlier != today {
            bail!("--resume: the {what} was {earlier} and is {today}; begin anew without --resume");
        }
    }
    Ok(())
}
