//! Scenario files: parsed once into a [`Scenario`] that needs no further checks.
//!
//! ```text
//! Draft (TOML, options, libraries) ─► overrides (options laid over the file) ─► document (places)
//!       ─► ScenarioFile (types, defaults) ─► Scenario (validated)
//! ```

mod arrivals;
mod build;
mod capacity;
mod capacity_rules;
mod checker;
mod choices;
mod clusters;
mod combination;
mod compare_section;
mod cost;
mod document;
mod draft;
mod duration;
mod error;
mod fault;
mod fault_rules;
#[cfg(test)]
mod fault_tests;
mod file;
mod gate_section;
mod library;
mod load_rules;
mod load_section;
mod machine;
mod metric;
mod metric_name;
mod mixing;
mod model;
mod node_name;
mod overrides;
mod p99;
mod plan_size;
mod population_sections;
mod profile;
mod revision;
mod sdk_rules;
mod sdk_source;
mod server;
mod server_rules;
mod shape;
mod shipped;
mod sweep;
#[cfg(test)]
mod tests;
mod validate;

pub use arrivals::{Arrivals, Ramp};
pub use build::partition_count;
pub use capacity::{CapacitySection, TooFewForP99};
pub use capacity_rules::HIGHEST_SEARCHED_PER_S;
pub use choices::{Mode, Provider, VariantPath};
pub use clusters::ArmCluster;
pub use combination::{plain_of, stock_for};
pub use compare_section::{CompareSection, ControlForm, MixingForm};
pub use cost::{ExpectedCost, Step, Steps, TASK_CONTEXT, WAIT, all_steps, expected_cost, steps};
pub use draft::{Draft, ServerOption, cluster_alone};
pub use duration::HumanDuration;
pub use error::{InvalidScenario, KeyProblem, Place, Problem, ScenarioError, did_you_mean, suggest};
pub use fault::{CutFrom, FaultKind, FaultSection, FaultSpec, FaultTarget, SlotMoveForm};
pub use file::{ClusterSection, LibrarySection, ScenarioFile, VariantSection};
pub use gate_section::{GateSection, SloSection};
pub use library::LibrarySource;
pub use load_section::{ArrivalsForm, BurstForm, LoadSection, ModelForm, NetworkSection, RampForm};
pub use machine::{Cores, MachineSection, Placement};
pub use metric::{Direction, GateRole, Judged, METRICS, Metric, MetricRow, Unit};
pub use metric_name::{MetricName, UnknownMetric};
pub use mixing::{BlockShape, MOST_IN_FLIGHT, ROUND_TRIPS};
pub use model::*;
pub use node_name::NodeName;
pub use overrides::Override;
pub use p99::{P99, P99_ONE_IN};
pub use population_sections::{
    GrantSection, InterruptionSection, PartitionsForm, PartitionsWord, PopulationSection, SkewForm,
};
pub use profile::{ProfileLibraries, profiled};
pub use sdk_source::SdkSource;
pub use server::{ArmServer, MOST_CLUSTERS, ServerForm, ServerTable, same_setting};
pub use shipped::{SHIPPED, Shipped};
pub use sweep::{SweepBy, SweepSection, SweepStep};
pub use validate::MOST_CONNECTIONS;

/// Parses a scenario. `source` is its name in errors.
pub fn parse(source: &str, text: &str) -> Result<Scenario, ScenarioError> {
    Draft::new(source, text).check()
}
