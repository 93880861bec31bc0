//! Scenario files: parsed once into a [`Scenario`] that needs no further checks.
//!
//! ```text
//! Draft (TOML, options, libraries) ─► document (places) ─► ScenarioFile (types, defaults) ─► Scenario (validated)
//! ```

mod arrivals;
mod build;
mod capacity;
mod capacity_rules;
mod checker;
mod choices;
mod combination;
mod cost;
mod document;
mod draft;
mod duration;
mod error;
mod file;
mod library;
mod machine;
mod metric;
mod mixing;
mod model;
mod node_name;
mod shape;
mod shipped;
mod sweep;
#[cfg(test)]
mod tests;
mod validate;

pub use arrivals::{Arrivals, Ramp};
pub use capacity::CapacitySection;
pub use choices::{Mode, Provider, VariantPath};
pub use combination::stock_for;
pub use cost::{ExpectedCost, Step, Steps, TASK_CONTEXT, all_steps, expected_cost, steps};
pub use document::Override;
pub use draft::{Draft, cluster_alone};
pub use duration::HumanDuration;
pub use error::{InvalidScenario, KeyProblem, Place, Problem, ScenarioError, nearest};
pub use file::{
    ArrivalsForm, BurstForm, ClusterSection, CompareSection, ControlForm, GateSection, GrantSection,
    InterruptionSection, LibrarySection, LoadSection, MixingForm, ModelForm, NetworkSection, PartitionsForm,
    PartitionsWord, PopulationSection, RampForm, ScenarioFile, SkewForm, SloSection, VariantSection,
};
pub use library::LibrarySource;
pub use machine::{Cores, MachineSection, Placement};
pub use metric::{Direction, GateRole, Judged, METRICS, Metric, MetricName, MetricRow, Unit, UnknownMetric};
pub use mixing::{BlockShape, MOST_IN_FLIGHT};
pub use model::*;
pub use node_name::NodeName;
pub use shipped::{SHIPPED, Shipped};
pub use sweep::{SweepBy, SweepSection, SweepStep};

/// Parses a scenario. `source` is its name in errors.
pub fn parse(source: &str, text: &str) -> Result<Scenario, ScenarioError> {
    Draft::new(source, text).check()
}
