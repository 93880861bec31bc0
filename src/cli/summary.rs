//! The Markdown summary that a CI job shows: appended, because other steps write to the same file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use rustix::fs::OFlags;

use super::environment;
use super::output::in_words;
use reclaim_analysis::report::{markdown_message, plain_text};

/// Where the summary goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct SummaryArgs {
    /// Append a Markdown summary to this file.
    #[arg(
        long = "summary",
        value_name = "FILE",
        help = "Append a Markdown summary to this file; or set GITHUB_STEP_SUMMARY"
    )]
    file: Option<PathBuf>,
}

impl SummaryArgs {
    /// Makes sure that the file can be written, before hours are spent on what goes into it.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(path) = self.path() else { return Ok(()) };
        open(&path)
            .map(drop)
            .with_context(|| format!("cannot append the summary to {}: give another file", path.display()))
    }

    /// Tells why there is nothing to summarise.
    pub fn append_failure(&self, error: &anyhow::Error) {
        // The error itself is what the command ends with.
        let _ =
            self.append(&format!("### reclaim-bench: no result\n\n{}", markdown_message(&in_words(error))));
    }

    fn path(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| environment::path(environment::STEP_SUMMARY))
    }

    /// Appends `markdown`, if a file is given.
    pub fn append(&self, markdown: &str) -> anyhow::Result<()> {
        let Some(path) = self.path() else { return Ok(()) };
        let write = || {
            let mut file = open(&path)?;
            writeln!(file, "{}", plain_text(markdown))
        };
        write().with_context(|| format!("cannot append the summary to {}", path.display()))
    }
}

/// Opens the file without waiting: a pipe that nobody reads is an error.
fn open(path: &Path) -> std::io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().create(true).append(true).custom_flags(nonblocking).open(path)
}
