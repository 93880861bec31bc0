//! The Markdown summary that a CI job shows: appended, because other steps write to the same file.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

/// Where the summary goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct SummaryArgs {
    /// Append a Markdown summary to this file
    #[arg(long = "summary", value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    file: Option<PathBuf>,
}

impl SummaryArgs {
    /// Makes sure that the file can be written, before hours are spent on what goes into it.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(path) = self.path() else { return Ok(()) };
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map(drop)
            .with_context(|| format!("cannot append the summary to {}: give another file", path.display()))
    }

    /// Tells why there is nothing to summarise.
    pub fn append_failure(&self, error: &anyhow::Error) {
        // The error itself is what the command ends with.
        let _ = self.append(&format!("### reclaim-bench: no result\n\n{error:#}"));
    }

    /// GitHub sets the variable to nothing where it has no summary.
    fn path(&self) -> Option<&PathBuf> {
        self.file.as_ref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Appends `markdown`, if a file is given.
    pub fn append(&self, markdown: &str) -> anyhow::Result<()> {
        let Some(path) = self.path() else { return Ok(()) };
        let write = || {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{markdown}")
        };
        write().with_context(|| format!("cannot append the summary to {}", path.display()))
    }
}
