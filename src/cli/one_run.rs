//! One run of a command, from the first server to the result on the screen and in its directory.

use super::exit::Exit;
use super::output::{OutputArgs, OutputFormat, columns};
use super::signals::with_signals;
use super::terminal::Terminal;
use crate::campaign::{self, RunPlan};
use crate::load::Progress as _;
use crate::store::ResultDir;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::report;

/// A run that is printed and stored.
pub(super) struct Made {
    pub result: RunResult,
    terminal: Terminal,
    dir: ResultDir,
}

impl Made {
    /// Says where the result lies; what the command ends with.
    pub fn end(&self, exit: Exit) -> Exit {
        self.terminal.result(&self.dir, exit)
    }
}

/// Makes one run, says `about` it before; `None` where it was stopped before anything was measured.
pub(super) async fn one_run(
    plan: &RunPlan,
    about: &str,
    output: &OutputArgs,
) -> anyhow::Result<Option<Made>> {
    let terminal = Terminal::new(output)?;
    let dir = ResultDir::create(&output.output, &plan.scenario.name)?;
    terminal.note(about);
    let run = with_signals(&terminal, &plan.request.nodes, async |stop| {
        campaign::run(plan, &dir, &terminal, stop).await
    });
    let Some(result) = run.await?? else { return Ok(None) };
    // Printed even where it cannot be stored: the run has cost its time.
    let stored = dir.store_run(&result);
    terminal.print(
        output,
        &match output.format {
            OutputFormat::Text => report::text(&result, columns()),
            OutputFormat::Json => result.to_json_file()?,
        },
    )?;
    stored?;
    Ok(Some(Made { result, terminal, dir }))
}
