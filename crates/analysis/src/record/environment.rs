//! Where a run was made: tool, machine, servers, library.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Conditions;
use crate::scenario::Provider;

/// The tool that made a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Crate version.
    pub version: String,
    /// Commit it was built from, with `-dirty` where the tree had changes; `unknown` outside a checkout.
    pub commit: String,
    /// Whether it was built without optimisation; such a result is no reference.
    pub debug_build: bool,
}

impl Tool {
    /// Whether its commit says what was built: of a checkout with changes, and outside of any, nobody knows.
    pub fn names_its_build(&self) -> bool {
        self.commit != "unknown" && !self.commit.ends_with("-dirty")
    }
}

/// Where a run ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The machine with the load generator.
    pub host: Host,
    /// The servers.
    pub valkey: ValkeyInfo,
    /// The function library that all primaries ran.
    pub library: LibraryInfo,
    /// Where threads ran, and whether cores slept; `None` in results of versions that left both to the
    /// system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
}

/// The machine with the load generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Model name.
    pub cpu: String,
    /// Logical cores that this process may use.
    pub cores: u32,
    /// Logical cores that there are, where they are more than this process may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores_present: Option<u32>,
    /// CPU time that a control group leaves this process, in microseconds per second: 500,000 is half a core.
    /// `None` without such a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_us_per_s: Option<u64>,
    /// Physical memory.
    pub memory_bytes: u64,
    /// Kernel name and release.
    pub kernel: String,
    /// What the kernel calls this start of the machine, in all of its containers: generators with the same
    /// one share a machine. `None` where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Which logical cores this process may use, where there are more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub which_cores: Vec<u32>,
}

impl Host {
    /// Whether two processes shared their cores, so that what the machine did on them is the same in both
    /// records.
    pub fn shares_cores_with(&self, other: &Self) -> bool {
        match (&self.boot, &other.boot) {
            (Some(one), Some(another)) => one == another && self.which_cores == other.which_cores,
            _ => self == other,
        }
    }

    /// Whether two processes ran on one machine.
    pub fn is_machine_of(&self, other: &Self) -> bool {
        match (&self.boot, &other.boot) {
            (Some(one), Some(another)) => one == another,
            _ => self == other,
        }
    }
}

/// The servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValkeyInfo {
    /// `valkey_version` of `INFO server`; all primaries agree.
    pub version: String,
    /// `mem_allocator`.
    pub allocator: String,
    /// `io-threads`.
    pub io_threads: u32,
    /// Primaries.
    pub primaries: u32,
    /// Replicas over all primaries.
    pub replicas: u32,
    /// Who ran the servers: `local`, `container`, `external`.
    pub provider: Provider,
    /// Whether the servers share the load generator's machine.
    pub same_machine: bool,
    /// Number of flow partitions that the executions are spread over.
    pub partitions: u32,
    /// Share of the partitions on the busiest primary over the mean share: 1.0 is even.
    pub hottest_share: f64,
    /// Whether others may use the cluster at the same time (`--shared`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// `redis_build_id` of `INFO server`: two builds of one version have different ones. `None` where the server
    /// does not say, and in results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Whether connections to the servers are encrypted; `None` in results of versions that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
}

/// The function library under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LibraryInfo {
    /// `flowfabric`.
    pub name: String,
    /// What `FCALL ff_version 0` answers on every primary.
    pub version: String,
    /// SHA-256 of the source that every primary holds (`FUNCTION LIST WITHCODE`).
    pub sha256: String,
}

/// The SDK that an arm's worker was built against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SdkInfo {
    /// As it was named: a version, a directory, or `<rev>:<path>`.
    pub source: String,
    /// Version that its manifest states.
    pub version: String,
    /// The commit that the revision was; `None` where it was not read with git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// SHA-256 of all that the worker was built from: its template, every source that lies in a directory,
    /// the lock file with the checksums of all others, features and editions, the compiler, its flags and
    /// cargo's settings. Equal ones are one program.
    pub sha256: String,
    /// The compiler, as `rustc --version` has it.
    pub compiler: String,
}
