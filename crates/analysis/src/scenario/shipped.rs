//! The scenarios that come with the tool.

/// A scenario inside the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// The commented file.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../../../scenarios/", $name, ".toml")),
        }),*]
    };
}

/// All of them, in the order in which a newcomer would try them.
pub const SHIPPED: &[Shipped] = shipped![
    "smoke",
    "lane-ab",
    "claim-paths",
    "lease-reclaim",
    "worker-paths",
    "library-duet",
    "server-duet",
    "sdk-duet",
    "rtt-sweep",
    "conditions",
    "population",
    "steady",
    "storm",
    "ramp",
    "hot-partition",
    "partitions",
    "lane-skew",
    "grant-expiry",
    "contention",
    "capacity",
    "stall",
    "disconnect",
    "slot-move",
    "planned-failover",
    "failover",
    "partition",
    "failover-timeout",
    "storm-after-failover",
    "soak",
];

impl Shipped {
    /// The one with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SHIPPED.iter().find(|shipped| shipped.name == name)
    }
}
