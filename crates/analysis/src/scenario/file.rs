//! The file form of a scenario (TOML), as results embed it.
//!
//! Each section is in this file or in one of its own. Every default stands there once: in the section's
//! `Default`, or in [`ScenarioFile::resolve`] where it depends on another key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacitySection;
use super::choices::{Provider, VariantPath};
use super::compare_section::CompareSection;
use super::duration::HumanDuration;
use super::fault::FaultSection;
use super::gate_section::{GateSection, SloSection};
use super::load_section::{ArrivalsForm, LoadSection, ModelForm};
use super::machine::MachineSection;
use super::population_sections::{GrantSection, InterruptionSection, PopulationSection};
use super::server::ServerForm;
use super::sweep::SweepSection;
use crate::json::{from_json, to_json_line};

/// A scenario as written: what a TOML file says, with every default filled in once it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Version of this format: 1.
    pub schema: u32,
    /// Name: lower-case letters, digits and `-`; the first part of the result directory's name.
    pub name: String,
    /// One line.
    pub summary: String,
    /// What cluster to use.
    #[serde(default)]
    pub cluster: ClusterSection,
    /// The function library under test.
    #[serde(default)]
    pub library: LibrarySection,
    /// Who is interrupted.
    #[serde(default)]
    pub population: PopulationSection,
    /// How: relative weights. Without the section, signals only.
    #[serde(default)]
    pub interruption: InterruptionSection,
    /// What the reclaim scanner issues.
    #[serde(default)]
    pub grant: GrantSection,
    /// How claims are offered.
    #[serde(default)]
    pub load: LoadSection,
    /// How the arms are compared. Without it, two or more variants are compared with the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareSection>,
    /// When a difference from a stored result fails a build.
    #[serde(default)]
    pub gate: GateSection,
    /// The arms: at least one.
    #[serde(default, rename = "variant")]
    pub variants: Vec<VariantSection>,
    /// Where threads run, and whether cores may sleep.
    #[serde(default, skip_serializing_if = "MachineSection::is_empty")]
    pub machine: MachineSection,
    /// Service level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<SloSection>,
    /// What is done to the servers in the window.
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSection>,
    /// How the capacity command searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySection>,
    /// The same run for several values of one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSection>,
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSection {
    /// Who runs the servers.
    pub provider: Provider,
    /// Primaries of a cluster that the tool builds, 1 to 64.
    pub primaries: u16,
    /// Replicas of each primary, 0 to 5.
    pub replicas: u16,
    /// Some nodes of a running cluster, as `host:port`; the others are discovered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// How long servers that the tool starts wait for a silent one before they call it failed (their
    /// `cluster-node-timeout`). Default `"5s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_timeout: Option<HumanDuration>,
}

impl Default for ClusterSection {
    fn default() -> Self {
        Self { provider: Provider::Auto, primaries: 3, replicas: 0, nodes: Vec::new(), node_timeout: None }
    }
}

/// `[library]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LibrarySection {
    /// Another version of the library: the path of its source, `<rev>:<path>` to read it with git, or
    /// `published`, which is the default. Paths in a scenario file are relative to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// `[[variant]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantSection {
    /// Name in results: lower-case letters, digits and `-`.
    pub name: String,
    /// The way of claiming.
    pub path: VariantPath,
    /// A function library of this arm's own, named as in `[library]`: a library duet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The SDK that this arm's worker is built against, a program of its own: a version that is published
    /// (`0.15.0`), the directory of the crate `ff-sdk`, or `<rev>:<path>` of it to read it with git. An SDK
    /// duet. Without it the SDK that is built in makes the claims of an sdk path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<String>,
    /// Whether the arm's library is a copy that counts and times what its functions call, as `reclaim-bench
    /// profile` has it; it is read out around the counter blocks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub instrumented: bool,
    /// A server of this arm's own: the path of a valkey-server, `"default"` for the one that the run's other
    /// servers are, or a table with `path`, `config` and `replicas`. The arm claims on a cluster of its own
    /// of it, which runs beside the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerForm>,
    /// Replicas that must have each claim before it counts as done: `WAIT` on the claim's own connection, on
    /// which other claims wait with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_replicas: Option<u16>,
    /// Longest wait for them; a claim that they do not have by then holds its lease and is counted. Default
    /// `"1s"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<HumanDuration>,
}

impl VariantSection {
    /// One that makes its claims in this way and does nothing else.
    pub fn new(name: String, path: VariantPath) -> Self {
        Self {
            name,
            path,
            library: None,
            sdk: None,
            instrumented: false,
            server: None,
            wait_replicas: None,
            wait_timeout: None,
        }
    }

    /// How long a claim waits for `wait_replicas`.
    pub(super) fn waits_for(&self) -> HumanDuration {
        self.wait_timeout.unwrap_or(HumanDuration::from_secs(1))
    }

    fn resolve(&mut self) {
        if self.wait_replicas.is_some() {
            self.wait_timeout = Some(self.waits_for());
        }
    }
}

to_json_line!(ScenarioFile);
from_json!(ScenarioFile);

impl ScenarioFile {
    /// The file that says this.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Differences smaller than this share are noise; 0 where nothing is compared.
    pub fn noise_threshold(&self) -> f64 {
        self.compare.as_ref().map_or(0.0, |compare| compare.noise_threshold)
    }

    /// Whether a service level of response times is given.
    pub fn has_response_level(&self) -> bool {
        self.slo.as_ref().is_some_and(|slo| slo.response_p99.is_some())
    }

    /// Fills in the defaults that depend on other keys. Doing it twice changes nothing.
    pub fn resolve(&mut self) {
        match self.load.model {
            ModelForm::Closed => self.load.concurrency = Some(self.load.in_flight()),
            ModelForm::Open => {
                self.load.arrivals.get_or_insert(ArrivalsForm::Constant);
            }
        }
        self.faults.iter_mut().for_each(FaultSection::resolve);
        self.variants.iter_mut().for_each(VariantSection::resolve);
        if self.variants.len() > 1 {
            let first = &self.variants[0].name;
            let compare = self.compare.get_or_insert_default();
            compare.baseline.get_or_insert_with(|| first.clone());
            compare.control_strata = Some(compare.own_control_strata());
        }
    }
}
