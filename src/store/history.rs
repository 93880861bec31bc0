//! A history: one line for each run, appended to and never written anew.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::path::Path;

use super::error::StoreError;
use super::json::text;
use crate::machine::regular;
use reclaim_analysis::judge::{self, History, HistoryEntry, HistoryError};

/// Reads a history without changing it.
pub fn read_history(path: &Path) -> Result<History, StoreError> {
    let unreadable =
        |error: HistoryError| StoreError::Contradictory { path: path.to_owned(), what: error.to_string() };
    judge::read(text(path)?.as_bytes()).map_err(unreadable)
}

/// Appends runs to a history, which is made where there is none and runs are given, and reads all of it. Runs that
/// are in it already are not appended again: `nightly/*` names those of earlier nights as well. One that was read
/// while it was made is, once it has ended.
pub fn append_to_history(path: &Path, entries: Vec<HistoryEntry>) -> Result<History, StoreError> {
    if entries.is_empty() && !path.exists() {
        return Err(StoreError::NoHistory(path.to_owned()));
    }
    appended(path, entries).map_err(|source| StoreError::History { path: path.to_owned(), source })
}

fn appended(path: &Path, entries: Vec<HistoryEntry>) -> Result<History, HistoryError> {
    let mut file = opened(path)?;
    let mut history = judge::read(BufReader::new(&file))?;
    for entry in entries {
        if !history.entries.iter().any(|known| entry.adds_nothing_to(known)) {
            judge::append(&mut file, &entry)?;
            history.add(entry);
        }
    }
    file.sync_all()?;
    Ok(history)
}

fn opened(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    regular(&file)?;
    Ok(file)
}
