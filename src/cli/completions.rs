//! What a shell and `man` are told of the command line.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap_complete::Shell;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::Shells;

use super::environment;
use reclaim_analysis::scenario::{self, SHIPPED, Shipped};

/// The program's name, as shells call it.
const NAME: &str = "reclaim-bench";

/// What a scenario could be: a shipped one, with its summary, or a file.
pub fn scenarios(typed: &OsStr) -> Vec<CompletionCandidate> {
    let begun = typed.to_string_lossy();
    let named = SHIPPED.iter().filter(|shipped| shipped.name.starts_with(&*begun));
    let mut found: Vec<_> = named
        .map(|shipped| CompletionCandidate::new(shipped.name).help(summary(shipped).map(Into::into)))
        .collect();
    let files =
        PathCompleter::any().filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    found.extend(files.complete(typed));
    found
}

fn summary(shipped: &Shipped) -> Option<String> {
    scenario::parse(shipped.name, shipped.text).ok().map(|scenario| scenario.summary.clone())
}

/// What a shell is to run at its start, so that it asks this program from then on.
pub fn registration(shell: Shell) -> anyhow::Result<Vec<u8>> {
    let (shells, name) = (Shells::builtins(), shell.to_string());
    let known = shells.completer(&name).ok_or_else(|| anyhow!("no completions for {name}"))?;
    let mut script = Vec::new();
    known.write_registration(environment::COMPLETE, NAME, NAME, NAME, &mut script)?;
    Ok(script)
}

/// Writes a page for the tool and for each of its commands.
pub fn man_pages(cli: clap::Command, dir: &Path) -> anyhow::Result<()> {
    let write = || {
        fs::create_dir_all(dir)?;
        clap_mangen::generate_to(cli, dir)
    };
    write().with_context(|| format!("cannot write man pages to {}", dir.display()))
}
