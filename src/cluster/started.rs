//! What servers were started from, for whoever works with them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What child servers were started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    pub(super) binary: PathBuf,
    /// Settings beside those that every server has.
    pub(super) config: BTreeMap<String, String>,
    /// Of each primary.
    pub(super) replicas: u16,
}
