//! JSON files that say what they are.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use crate::machine::read_text;

/// Reads a file that says of itself that it has this schema. `what` is what it is otherwise not, with its article.
pub(super) fn document<T: DeserializeOwned>(
    file: &Path,
    known: &'static str,
    what: &'static str,
) -> Result<T, StoreError> {
    let (text, path) = (text(file)?, || file.to_owned());
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|source| StoreError::NotJson { path: path(), source })?;
    match json.get("schema").and_then(|schema| schema.as_str()) {
        Some(own) if own == known => {}
        Some(other) => {
            return Err(StoreError::OtherFormat { path: path(), found: other.to_owned(), known });
        }
        None => return Err(StoreError::NoSchema { path: path(), what }),
    }
    typed(file, &text)
}

/// The text of a file.
pub(super) fn text(file: &Path) -> Result<String, StoreError> {
    read_text(file).map_err(|source| StoreError::File { doing: "read", path: file.to_owned(), source })
}

/// What the text of a file says.
pub(super) fn typed<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Damaged { path: file.to_owned(), source })
}

/// A value as its file holds it: indented, with a line break at its end.
pub(super) fn bytes(file: &str, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let written = serde_json::to_string_pretty(value).map_err(|error| unwritable(file, &error))?;
    Ok((written + "\n").into_bytes())
}

/// A file whose content cannot be made.
pub(super) fn unwritable(file: &str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unwritable { path: file.into(), why: why.to_string() }
}
