//! Several generators of one run: options that start them, or that make this process one of them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use super::cluster_args::ClusterArgs;
use super::environment;
use super::exit::Exit;
use super::output::{complain, print};
use super::scenario_args::duration;
use super::signals::with_signals;
use super::terminal::Terminal;
use crate::campaign::{self, CampaignError, Generators, Joined, RunPlan, Stop, Task, Watch};
use crate::cluster::ClusterRequest;
use crate::load::{Deaths, PartSetup, shareable};
use crate::workload::Slice;
use reclaim_analysis::scenario::{HumanDuration, Scenario};

/// How long the others are waited for, unless an option says otherwise.
const WAIT: Duration = Duration::from_secs(30);

/// Longest name of a rendezvous.
const LONGEST_NAME: usize = 64;

/// Options of `run` and `capacity` for several generators.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Several generators")]
pub struct GeneratorsArgs {
    /// Generators of each run, all on this machine: this process, and others that it starts
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["part", "rendezvous"])]
    pub generators: u32,
    /// This process is the K-th of N generators that are started one by one; `auto/N` takes the next free
    /// number
    #[arg(long, value_name = "K/N")]
    pub part: Option<String>,
    /// Name under which the generators of one run meet on its cluster
    #[arg(
        long,
        value_name = "NAME",
        help = "Name under which the generators of one run meet on its cluster; or set RECLAIM_BENCH_RENDEZVOUS"
    )]
    pub rendezvous: Option<String>,
    /// How long the others are waited for [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub rendezvous_wait: Option<HumanDuration>,
}

/// Which generator a process was told to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// `None`: the next free number.
    slice: Option<Slice>,
    of: u32,
    name: String,
    wait: Duration,
}

impl GeneratorsArgs {
    fn wait(&self) -> Duration {
        self.rendezvous_wait.map_or(WAIT, |wait| wait.0)
    }

    /// Who makes the claims of a run that this process starts.
    pub(super) fn started(&self, scenario: &Scenario, cluster: &ClusterArgs) -> anyhow::Result<Generators> {
        shareable(scenario, self.generators).with_context(|| format!("--generators {}", self.generators))?;
        Ok(self.here(cluster))
    }

    /// As [`Self::started`], of runs that are checked each by itself.
    pub(super) fn here(&self, cluster: &ClusterArgs) -> Generators {
        if self.generators == 1 {
            return Generators::One;
        }
        let (of, wait) = (self.generators, self.wait());
        Generators::Started { of, arguments: cluster.for_others(), wait }
    }

    /// Which of several generators this process is; `None` where it is none. Without an option its number and
    /// count are those that an engine gives its processes, if it was given a rendezvous.
    pub(super) fn part(&self) -> anyhow::Result<Option<Chosen>> {
        let name = match &self.rendezvous {
            Some(name) => Some(name.clone()),
            None if self.generators > 1 => None,
            None => environment::text(environment::RENDEZVOUS)?,
        };
        let (Some(name), part) = (name, self.part.as_ref()) else {
            if let Some(part) = &self.part {
                bail!(
                    "--part {part}: give the name under which the generators meet, the same for all: --rendezvous NAME, \
                     or set {}",
                    environment::RENDEZVOUS
                );
            }
            return Ok(None);
        };
        check_name(&name)?;
        let (slice, of) = match part {
            Some(part) => parse_part("--part", part)?,
            None => part_of_surroundings(&name)?,
        };
        Ok(Some(Chosen { slice, of, name, wait: self.wait() }))
    }
}

impl Chosen {
    /// Refuses what cannot be one part of a run; `seeded`: whether a seed was given.
    pub(super) fn check(&self, plan: &RunPlan, seeded: bool, repeat: u32) -> anyhow::Result<()> {
        let option = self.option();
        shareable(&plan.scenario, self.of).with_context(|| option.clone())?;
        if plan.scenario.is_server_duet() {
            bail!(
                "{option}: a server duet starts its servers, which others would not find: use --generators {}",
                self.of
            );
        }
        self.check_cluster(&plan.request)?;
        if !seeded {
            bail!("{option}: all generators make one plan, so give all of them the same --seed");
        }
        if repeat > 1 || plan.scenario.file().sweep.is_some() {
            bail!(
                "{option}: one run at a time: leave --repeat and [sweep] out, or use --generators {}",
                self.of
            );
        }
        Ok(())
    }

    /// Refuses generators that are started one by one without a cluster to meet on.
    pub(super) fn check_cluster(&self, request: &ClusterRequest) -> anyhow::Result<()> {
        if request.nodes.is_empty() {
            bail!(
                "{}: generators that are started one by one need a running cluster: give its nodes with --nodes, or have \
                 them started with a cluster by --generators {}",
                self.option(),
                self.of
            );
        }
        Ok(())
    }

    /// Of how many it is one.
    pub(super) fn count(&self) -> u32 {
        self.of
    }

    /// As it was asked for.
    pub(super) fn option(&self) -> String {
        let part = self.slice.map_or("auto".to_owned(), |slice| slice.number().to_string());
        format!("--part {part}/{}", self.of)
    }

    /// Whether it is known to lead before it has a number.
    pub(super) fn leads(&self) -> bool {
        self.slice.is_some_and(Slice::leads)
    }

    /// With the number that it has, or that is free.
    pub(super) async fn numbered(
        &self,
        request: &ClusterRequest,
        watch: &dyn Watch,
        stop: &Stop,
    ) -> anyhow::Result<PartSetup> {
        let (name, wait) = (self.name.clone(), self.wait);
        let (slice, token) = match self.slice {
            Some(slice) => (slice, None),
            None => campaign::any_part(request, (&self.name, self.of), watch, stop).await?,
        };
        Ok(PartSetup { slice, name, token, wait, deaths: Deaths::default() })
    }
}

/// `2/8`, or `auto/8`.
fn parse_part(source: &str, text: &str) -> anyhow::Result<(Option<Slice>, u32)> {
    let parsed = text.split_once('/').and_then(|(number, of)| {
        let of = of.parse().ok().filter(|of| *of > 0)?;
        if number == "auto" {
            return Some((None, of));
        }
        Some((Some(Slice::new(number.parse().ok()?, of)?), of))
    });
    parsed.with_context(|| {
        format!("{source} {text}: write it like 2/8, the second of eight generators, or auto/8 for the next free number")
    })
}

/// Which part this is by what an engine has set.
fn part_of_surroundings(name: &str) -> anyhow::Result<(Option<Slice>, u32)> {
    if let Some(part) = environment::text(environment::PART)? {
        return parse_part(environment::PART, &part);
    }
    let [slurm_number, slurm_count] = environment::SLURM;
    for (number, count) in [(environment::JOB_INDEX, environment::PARTS), (slurm_number, slurm_count)] {
        let (Some(from_zero), Some(of)) = (environment::text(number)?, environment::text(count)?) else {
            continue;
        };
        let part = from_zero.parse::<u32>().ok().and_then(|from_zero| from_zero.checked_add(1));
        let part = part.with_context(|| format!("{number} {from_zero}: no number from 0"))?;
        return parse_part(&format!("{number} and {count}:"), &format!("{part}/{of}"));
    }
    bail!(
        "--rendezvous {name}: say which generator this is: --part K/N, {}, {} with {}, or {slurm_number} with {slurm_count}",
        environment::PART,
        environment::JOB_INDEX,
        environment::PARTS
    )
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(good) {
        bail!("--rendezvous {name}: a name has up to {LONGEST_NAME} letters, digits, and -_. between them");
    }
    Ok(())
}

/// Makes a part of a run that another process leads, and says who this one was, unless it is to be quiet.
pub(super) async fn led(
    plan: &RunPlan,
    clusters: &[ClusterRequest],
    terminal: &Terminal,
    (who, quiet): (&str, bool),
) -> anyhow::Result<Exit> {
    let made = with_signals(terminal, &plan.request.nodes, async |stop| {
        campaign::follow(plan, clusters, terminal, stop).await
    });
    if made.await??.is_none() {
        return Ok(Exit::Interrupted);
    }
    if !quiet {
        print(&format!("{who}: its record is with generator 1, which has the result\n"))?;
    }
    Ok(Exit::Pass)
}

/// Whether a part ended because the first one has ended the run.
fn is_ended_by_first(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CampaignError>().is_some_and(CampaignError::is_ended_by_first)
}

/// Options of the hidden command that is one of the generators of `run --generators`.
#[derive(Args, Clone, Debug)]
pub struct GeneratorArgs {
    #[arg(long)]
    part: String,
    #[arg(long)]
    rendezvous: String,
    #[arg(long, value_parser = duration)]
    rendezvous_wait: HumanDuration,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the hidden command: its scenario and seed come over standard input.
pub(super) async fn generator(args: &GeneratorArgs) -> anyhow::Result<Exit> {
    let task: Task = serde_json::from_reader(std::io::stdin().lock()).context("no task on standard input")?;
    let scenario = Scenario::try_from(&task.scenario)?;
    let request = args.cluster.request_beside(&scenario)?;
    let (slice, _) = parse_part("--part", &args.part)?;
    let slice = slice.context("--part: no number")?;
    let (name, wait) = (args.rendezvous.clone(), args.rendezvous_wait.0);
    let part = PartSetup { slice, name, token: None, wait, deaths: Deaths::default() };
    let generators = Generators::Part(part);
    let joined = |cluster: Joined| {
        let Joined { nodes, started } = cluster;
        // A password in the environment is for clusters that somebody else runs.
        let password = request.password.clone().filter(|_| !task.owned);
        ClusterRequest { nodes, started, password, ..request.clone() }
    };
    let clusters: Vec<ClusterRequest> = task.clusters.into_iter().map(joined).collect();
    let plan = RunPlan { scenario, request, seed: task.seed, generators };
    match led(&plan, &clusters, &Terminal::plain(true), (&slice.to_string(), true)).await {
        Err(error) if is_ended_by_first(&error) => {
            complain(&error);
            Ok(Exit::EndedByFirst)
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{LoadError, MeetingError};

    /// It is told from all others by its exit code, which nobody sees but the process that started it.
    #[test]
    fn a_part_that_the_first_one_ended_is_told_from_one_that_failed() {
        let ended =
            |meeting: MeetingError| is_ended_by_first(&CampaignError::from(LoadError::from(meeting)).into());
        assert!(ended(MeetingError::Ended { reason: "interrupted".to_owned() }));
        let failed = MeetingError::Died { part: 2, said: "generator 1 ended the run: it".to_owned() };
        assert!(!ended(failed), "whatever it says");
    }

    #[test]
    fn parts_are_read_as_they_are_written() {
        let read = |text| match parse_part("--part", text) {
            Ok((slice, of)) => Ok((slice.map(Slice::number), of)),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(
            (read("2/8"), read("auto/3"), read("1/1")),
            (Ok((Some(2), 8)), Ok((None, 3)), Ok((Some(1), 1)))
        );
        for wrong in ["", "3", "0/2", "3/2", "a/2", "auto/0", "1/", "-1/2", "1/2/3"] {
            assert!(read(wrong).unwrap_err().contains("2/8"), "{wrong}");
        }
        assert!(check_name("night-1_a.b").is_ok());
        for wrong in ["", "a b", "x}", "ä", &"n".repeat(65)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }
}
