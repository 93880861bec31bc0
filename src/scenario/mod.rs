//! Scenario files: parsed once into a [`Scenario`] that needs no further checks.

mod file;
mod model;

pub use file::ScenarioFile;
pub use model::*;
