//! `cluster`: a local cluster that stays, for other tools.

use clap::{Args, Subcommand};

use super::cluster_args::ClusterArgs;
use super::exit::Exit;
use super::output::{print, say};
use super::signals::with_signals;
use super::terminal::Terminal;
use crate::cluster;
use crate::valkey::NodeAddr;

/// Options of `cluster`.
#[derive(Args, Clone, Debug)]
pub struct ClusterCommandArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Start one with the function library on it; prints its nodes
    Up(Box<ClusterArgs>),
    /// Stop it
    Down,
    /// Say what runs
    Status,
}

/// Runs the command.
pub async fn run(args: &ClusterCommandArgs) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Up(args) => return up(args).await,
        Command::Down => match cluster::down().await? {
            Some(ended) if ended.running.is_empty() => {
                print("the cluster had ended; its files are removed\n")?;
            }
            Some(stopped) => print(&format!("stopped {}\n", join(&stopped.running)))?,
            None => print("no cluster is up\n")?,
        },
        Command::Status => match cluster::status().await? {
            Some(status) if status.running.is_empty() => print("the cluster has ended\n")?,
            Some(status) if status.cluster.servers.is_empty() => print(&format!(
                "left by a start that was cut off: {}; `reclaim-bench cluster down` stops them\n",
                join(&status.running)
            ))?,
            Some(status) => print(&format!("up: {}\n", join(&status.running)))?,
            None => print("no cluster is up\n")?,
        },
    }
    Ok(Exit::Pass)
}

async fn up(args: &ClusterArgs) -> anyhow::Result<Exit> {
    let request = args.request_alone()?;
    let terminal = Terminal::plain(false);
    let started = with_signals(&terminal, &[], async |stop| {
        let started = stop.or_left(cluster::up(&request, &say, &stop.in_order)).await;
        started.filter(|started| started.is_ok() || !stop.is_asked())
    });
    let Some(started) = started.await? else { return Ok(Exit::Interrupted) };
    print(&format!("{}\n", join(&started?.nodes())))?;
    Ok(Exit::Pass)
}

fn join(nodes: &[NodeAddr]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
