//! JSON files that say what they are.

use std::path::Path;

use serde_json::Value;

use super::error::StoreError;
use crate::machine::read_text;
use reclaim_analysis::json::{FromJson, ToJsonFile};

/// A stored form: what its files say of themselves, and the version before.
///
/// A version is a name: `reclaim-bench/sweep-2`. New keys with a default do not change it; a key that is
/// taken away, or means something else, does. Then the form before is kept here with what makes the new one
/// of it.
pub(super) struct Format {
    /// What is written.
    pub now: &'static str,
    /// What was written before, if there was another.
    pub before: Option<Earlier>,
    /// What such a file is, with its article.
    pub what: &'static str,
}

/// The version before.
pub(super) struct Earlier {
    /// What its files say of themselves.
    pub name: &'static str,
    /// Makes a file of the version now of it. What is not as it was there is left alone, and found when it is
    /// read.
    pub upgrade: fn(&mut Value),
}

impl Format {
    /// The versions that are read, in words.
    fn read(&self) -> String {
        match &self.before {
            None => self.now.to_owned(),
            Some(before) => format!("{} and {}", self.now, before.name),
        }
    }
}

/// Reads a file of this form, or of the version before.
pub(super) fn document<T: FromJson>(file: &Path, format: &Format) -> Result<T, StoreError> {
    let (text, path) = (text(file)?, || file.to_owned());
    let mut json: Value =
        serde_json::from_str(&text).map_err(|source| StoreError::NotJson { path: path(), source })?;
    let Some(schema) = json.get("schema").and_then(|schema| schema.as_str()) else {
        return Err(StoreError::NoSchema { path: path(), what: format.what });
    };
    match &format.before {
        _ if schema == format.now => typed(file, &text),
        Some(before) if schema == before.name => {
            (before.upgrade)(&mut json);
            json["schema"] = format.now.into();
            T::from_json_value(&json).map_err(|source| StoreError::Damaged { path: path(), source })
        }
        _ => Err(StoreError::OtherFormat { path: path(), found: schema.to_owned(), known: format.read() }),
    }
}

/// The text of a file.
pub(super) fn text(file: &Path) -> Result<String, StoreError> {
    read_text(file).map_err(|source| StoreError::File { doing: "read", path: file.to_owned(), source })
}

/// What the text of a file says.
pub(super) fn typed<T: FromJson>(file: &Path, text: &str) -> Result<T, StoreError> {
    T::from_json(text).map_err(|source| StoreError::Damaged { path: file.to_owned(), source })
}

/// A value as its file holds it: indented, with a line break at its end.
pub(super) fn bytes(file: &str, value: &impl ToJsonFile) -> Result<Vec<u8>, StoreError> {
    let written = value.to_json_file().map_err(|error| unwritable(file, &error))?;
    Ok(written.into_bytes())
}

/// A file whose content cannot be made.
pub(super) fn unwritable(file: &str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unwritable { path: file.into(), why: why.to_string() }
}

/// Whether this is a report of FlowFabric's own benchmarks, or a list of them: by two keys that our own files
/// do not have, in the first report.
pub(super) fn is_of_ff_bench(json: &Value) -> bool {
    let first = json.as_array().map_or(Some(json), |list| list.first());
    first.is_some_and(|report| {
        report.get("latency_ms").is_some() && report.get("throughput_ops_per_sec").is_some()
    })
}
