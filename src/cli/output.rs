//! Where results go, and what is printed of them.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::terminal::Terminal;
use crate::load::Progress as _;
use crate::store::ResultDir;

/// Where results go and what is shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Directory that gets the result directory
    #[arg(short, long, value_name = "DIR", default_value = "results")]
    pub output: PathBuf,
    /// What to print to standard output
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub format: OutputFormat,
    /// Print the result and errors, nothing else
    #[arg(short, long)]
    pub quiet: bool,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// `--format` of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables.
    Text,
    /// The result as stored.
    Json,
}

impl OutputArgs {
    /// Tells where a result lies.
    pub fn tell_where(&self, dir: &ResultDir) {
        Terminal::plain(self.quiet).note(&format!("\nresult: {}", dir.path().display()));
    }
}

/// A value as JSON, as files hold it.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Writes a text to standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes to standard output. A reader that has gone (`| head`) is no error.
pub fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a line to standard error.
pub fn say(text: &str) {
    // Nobody may be listening any more; the exit code says it still.
    drop(writeln!(std::io::stderr(), "{text}"));
}
