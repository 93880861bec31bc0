//! Scenario files: parsed once into a [`Scenario`] that needs no further checks.
//!
//! ```text
//! TOML + options ─► document (places) ─► ScenarioFile (types, defaults) ─► Scenario (validated)
//! ```

mod arrivals;
mod build;
mod capacity;
mod capacity_rules;
mod checker;
mod combination;
mod cost;
mod document;
mod duration;
mod error;
mod file;
mod library;
mod machine;
mod metric;
mod mixing;
mod model;
mod shape;
mod shipped;
mod sweep;
#[cfg(test)]
mod tests;
mod validate;

pub use arrivals::{Arrivals, Ramp};
pub use capacity::CapacitySection;
pub use combination::stock_for;
pub use cost::{ExpectedCost, Step, Steps, TASK_CONTEXT, all_steps, expected_cost, steps};
pub use document::Override;
pub use duration::HumanDuration;
pub use error::{InvalidScenario, KeyProblem, Place, Problem, ScenarioError, nearest};
pub use file::{
    ArrivalsForm, BurstForm, ClusterSection, CompareSection, ControlForm, GateSection, GrantSection,
    InterruptionSection, LibrarySection, LoadSection, MixingForm, ModelForm, NetworkSection, PartitionsForm,
    PartitionsWord, PopulationSection, Provider, RampForm, ScenarioFile, SkewForm, SloSection,
    VariantSection,
};
pub use library::LibrarySource;
pub use machine::{Cores, MachineSection, Placement};
pub use metric::{Direction, GateRole, Judged, METRICS, Metric, MetricName, MetricRow, Unit, UnknownMetric};
pub use mixing::{BlockShape, MOST_IN_FLIGHT};
pub use model::*;
pub use shipped::{SHIPPED, Shipped};
pub use sweep::{SweepBy, SweepSection, SweepStep};

/// Parses a scenario. `source` is its name in errors.
///
/// Returns the file form with every default filled in, as results embed it, and what it means.
pub fn parse(source: &str, text: &str) -> Result<(ScenarioFile, Scenario), ScenarioError> {
    parse_with(source, text, &[])
}

/// As [`parse`], with changes from the command line on top of the file.
pub fn parse_with(
    source: &str,
    text: &str,
    overrides: &[Override],
) -> Result<(ScenarioFile, Scenario), ScenarioError> {
    let sources = document::Sources::new(source, text, overrides)?;
    let document = sources.document()?;
    let mut file = document.typed()?;
    file.resolve();
    let scenario = Scenario::try_from(&file).map_err(|invalid| document.locate(invalid.0))?;
    Ok((file, scenario))
}
