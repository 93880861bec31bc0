//! Where results go, and what is printed of them.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::environment;
use crate::campaign;
use reclaim_analysis::report::{plain_text, wrapped};

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
    /// Show the run on a full screen while it goes on
    #[cfg(feature = "live")]
    #[arg(long, conflicts_with_all = ["quiet", "no_progress"])]
    pub live: bool,
    /// Write what happens to this file while it happens, as newline-delimited JSON; - is standard output,
    /// which then has nothing else
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Serve Prometheus metrics of the run at this address while it goes on, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics_addr: Option<SocketAddr>,
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
    /// Prints a result, unless events have standard output for themselves.
    pub fn print(&self, text: &str) -> anyhow::Result<()> {
        if self.events.as_deref() == Some(Path::new("-")) { Ok(()) } else { print(text) }
    }
}

/// Columns where no terminal says how many it has.
pub const COLUMNS: u16 = 100;

/// Columns that a report on standard output may take: what `COLUMNS` says, else what the terminal has; `None`
/// where there is none.
pub fn columns() -> Option<u16> {
    columns_of(std::io::stdout())
}

/// The same of another stream.
pub fn columns_of(stream: impl AsFd) -> Option<u16> {
    let of_terminal =
        || Some(rustix::termios::tcgetwinsize(stream).ok()?.ws_col).filter(|columns| *columns > 0);
    environment::columns().or_else(of_terminal)
}

/// Writes a text to standard output. What servers and files have put into it cannot steer a terminal.
pub fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(plain_text(text).as_bytes())
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
    let stderr = std::io::stderr();
    let text = plain_text(text);
    let text = match columns_of(&stderr) {
        Some(columns) => {
            text.split('\n').map(|line| in_columns(line, columns)).collect::<Vec<_>>().join("\n").into()
        }
        None => text,
    };
    drop(writeln!(&stderr, "{text}"));
}

/// Says what a command ends with.
pub fn complain(error: &anyhow::Error) {
    say(&format!("error: {}", in_words(error)));
}

/// A line broken at blanks; what follows is indented by two more.
fn in_columns(line: &str, columns: u16) -> String {
    let lead = line.len() - line.trim_start().len();
    wrapped(line, &" ".repeat(lead + 2), columns.into())
}

/// An error with its causes, each said once: some repeat in their own words what caused them.
pub fn in_words(error: &anyhow::Error) -> String {
    let mut words = campaign::in_words(error.as_ref());
    // Whichever file or connection it was that met it.
    if words.contains("Too many open files") {
        words.push_str(
            "; raise the limit of open files (`ulimit -n`), or give fewer connections (load.connections)",
        );
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read x: {0}")]
        struct Twice(#[source] std::io::Error);
        let cause = || std::io::Error::other("it is gone");
        assert_eq!(in_words(&anyhow::Error::new(Twice(cause()))), "cannot read x: it is gone");
        let error = anyhow::Error::new(cause()).context("cannot read x");
        assert_eq!(in_words(&error), "cannot read x: it is gone");
        assert_eq!(in_words(&anyhow::anyhow!("alone")), "alone");
        let files =
            anyhow::Error::new(std::io::Error::from_raw_os_error(24)).context("cannot find free ports");
        assert!(in_words(&files).contains("os error 24); raise the limit of open files (`ulimit -n`)"));
    }
}
