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
    /// Appends `markdown`, if a file is given.
    pub fn append(&self, markdown: &str) -> anyhow::Result<()> {
        // GitHub sets the variable to nothing where it has no summary.
        let Some(path) = self.file.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(());
        };
        let write = || {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{markdown}")
        };
        write().with_context(|| format!("cannot append the summary to {}", path.display()))
    }
}
