//! A history that is only read; `compare --history` appends to it.

use std::path::Path;

use super::error::StoreError;
use super::json::text;
use reclaim_analysis::judge::{self, History};

/// Reads a history without changing it.
pub fn read_history(path: &Path) -> Result<History, StoreError> {
    let unreadable = |error: judge::HistoryError| StoreError::Contradictory {
        path: path.to_owned(),
        what: error.to_string(),
    };
    judge::read(text(path)?.as_bytes()).map_err(unreadable)
}
