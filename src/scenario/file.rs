//! The file form of a scenario (TOML), as results embed it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario as written: what a TOML file says, with every default filled in once it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Version of this format: 1.
    pub schema: u32,
    /// Name.
    pub name: String,
    /// One line.
    pub summary: String,
}
