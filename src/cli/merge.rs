//! `merge`: the parts of a run that several generators made, as one result.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::exit::Exit;
use super::output::{OutputFormat, columns, print};
use super::summary::SummaryArgs;
use super::terminal::Terminal;
use crate::store::{ResultDir, read_run};
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge;
use reclaim_analysis::record::{MergeError, PartNote, merge};
use reclaim_analysis::report;

/// Options of `merge`.
#[derive(Args, Clone, Debug)]
pub struct MergeArgs {
    /// Result directory of each part, or its result.json, in any order
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,
    /// Directory that gets the result directory
    #[arg(short, long, value_name = "DIR", default_value = "results")]
    output: PathBuf,
    /// What to print to standard output
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// Print the result and errors, nothing else
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    summary: SummaryArgs,
}

/// Runs the command. The exit code is the one that the run would have ended with.
pub fn run(args: &MergeArgs) -> anyhow::Result<Exit> {
    let parts =
        args.parts.iter().map(|path| Ok(read_run(path)?.record)).collect::<anyhow::Result<Vec<_>>>()?;
    let notes: Vec<Option<PartNote>> = parts.iter().map(|part| part.part.clone()).collect();
    let merged = merge(parts).map_err(|error| args.naming(error, &notes))?;
    let result = judge::analyse(merged).context("the parts hold an impossible scenario")?;
    let dir = ResultDir::create(&args.output, &result.record.scenario.name)?;
    // Printed even where it cannot be stored, as a run is.
    let stored = dir.store_run(&result);
    print(&match args.format {
        OutputFormat::Text => report::text(&result, columns()),
        OutputFormat::Json => result.to_json_file()?,
    })?;
    stored?;
    args.summary.append(&report::ci::pull_request(&result))?;
    Ok(Terminal::plain(args.quiet).result(&dir, Exit::of_run(&result)))
}

impl MergeArgs {
    /// The error with the file that it is about: parts have numbers, files have names.
    fn naming(&self, error: MergeError, notes: &[Option<PartNote>]) -> anyhow::Error {
        let number = error.part();
        let place = match error {
            MergeError::NotAPart { position } => position.checked_sub(1),
            // Of one that is given twice, the second.
            _ => notes
                .iter()
                .rposition(|note| note.as_ref().map(|note| note.number) == number && number.is_some()),
        };
        let path = place.and_then(|place| self.parts.get(place)).map(|path| path.display().to_string());
        match path {
            Some(path) => anyhow::Error::new(error).context(format!("cannot merge {path}")),
            None => error.into(),
        }
    }
}
