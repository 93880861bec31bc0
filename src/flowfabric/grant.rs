//! The reclaim grant: what a producer hands to a worker.

use ff_core::contracts::ResumeGrant;
use ff_core::partition::{Partition, PartitionKey, PartitionKeyParseError};
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use serde::{Deserialize, Serialize};

/// A grant for a resumed (`attempt_interrupted`) execution, consumed by `ff_claim_resumed_execution`.
///
/// FlowFabric calls this type `ResumeGrant` since 0.12 and gave the old name to another path; here the name
/// that the claim path was designed under stands. It converts into FlowFabric's without loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReclaimGrant {
    /// The execution that may be resumed.
    pub execution_id: ExecutionId,
    /// Opaque handle of the execution's partition.
    pub partition_key: PartitionKey,
    /// Key of the grant hash.
    pub grant_key: String,
    /// Server time in milliseconds at which the grant vanishes.
    pub expires_at_ms: u64,
    /// The execution's lane, read by the producer so that the worker need not.
    pub lane_id: LaneId,
}

impl ReclaimGrant {
    /// The partition behind [`Self::partition_key`]. `Execution` comes back as `Flow`: they share a tag.
    pub fn partition(&self) -> Result<Partition, PartitionKeyParseError> {
        self.partition_key.parse()
    }
}

impl From<ReclaimGrant> for ResumeGrant {
    fn from(grant: ReclaimGrant) -> Self {
        Self::new(
            grant.execution_id,
            grant.partition_key,
            grant.grant_key,
            grant.expires_at_ms,
            grant.lane_id,
        )
    }
}

/// Who claims. A grant is bound to the worker, a lease to the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// The logical worker that grants are issued to.
    pub worker_id: WorkerId,
    /// This process of it.
    pub instance_id: WorkerInstanceId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff_core::partition::PartitionFamily;

    const WIRE: &str = r#"{
        "execution_id": "{fp:7}:6f2b3b9e-0f0e-4a51-9d63-000000000001",
        "partition_key": "{fp:7}",
        "grant_key": "ff:exec:{fp:7}:{fp:7}:6f2b3b9e-0f0e-4a51-9d63-000000000001:claim_grant",
        "expires_at_ms": 1700000000000,
        "lane_id": "gpu"
    }"#;

    fn grant() -> ReclaimGrant {
        serde_json::from_str(WIRE).unwrap()
    }

    fn with_partition_key(key: &str) -> ReclaimGrant {
        ReclaimGrant { partition_key: serde_json::from_value(key.into()).unwrap(), ..grant() }
    }

    #[test]
    fn the_wire_form_has_exactly_these_fields() {
        let wire: serde_json::Value = serde_json::from_str(WIRE).unwrap();
        assert_eq!(serde_json::to_value(grant()).unwrap(), wire);
        for field in wire.as_object().unwrap().keys() {
            let mut less = wire.clone();
            less.as_object_mut().unwrap().remove(field);
            let error = serde_json::from_value::<ReclaimGrant>(less).unwrap_err();
            assert!(error.to_string().contains(field), "{error} does not name {field}");
        }
        let mut more = wire;
        more["worker_id"] = "w".into();
        let error = serde_json::from_value::<ReclaimGrant>(more).unwrap_err();
        assert!(error.to_string().contains("unknown field `worker_id`"), "{error}");
    }

    #[test]
    fn ids_are_checked_on_the_way_in() {
        let bare = WIRE.replacen("{fp:7}:6f2b", "6f2b", 1);
        assert!(serde_json::from_str::<ReclaimGrant>(&bare).is_err());
        assert!(serde_json::from_str::<ReclaimGrant>(&WIRE.replace("gpu", "")).is_err());
    }

    #[test]
    fn grants_compare_by_every_field() {
        assert_eq!(grant().clone(), grant());
        assert_ne!(ReclaimGrant { expires_at_ms: 0, ..grant() }, grant());
        assert_ne!(ReclaimGrant { lane_id: LaneId::new("cpu"), ..grant() }, grant());
    }

    #[test]
    fn a_partition_is_read_or_refused_by_name() {
        let good = |family, index| Ok(Partition { family, index });
        assert_eq!(grant().partition(), good(PartitionFamily::Flow, 7));
        assert_eq!(with_partition_key("{b:0}").partition(), good(PartitionFamily::Budget, 0));
        assert_eq!(with_partition_key("{q:65535}").partition(), good(PartitionFamily::Quota, 65_535));
        let cases = [
            ("fp:7", PartitionKeyParseError::MissingBraces),
            ("{fp7}", PartitionKeyParseError::MalformedBody),
            ("{zz:7}", PartitionKeyParseError::UnknownFamilyPrefix("zz".into())),
            ("{fp:65536}", PartitionKeyParseError::InvalidIndex("65536".into())),
        ];
        for (key, error) in cases {
            assert_eq!(with_partition_key(key).partition(), Err(error), "{key}");
        }
    }

    #[test]
    fn an_execution_partition_comes_back_as_the_flow_partition_with_the_same_tag() {
        let made = Partition { family: PartitionFamily::Execution, index: 7 };
        let read = ReclaimGrant { partition_key: made.into(), ..grant() }.partition().unwrap();
        assert_eq!(read.family, PartitionFamily::Flow);
        assert_eq!(read.hash_tag(), made.hash_tag());
    }

    #[test]
    fn the_modern_name_holds_the_same_grant() {
        let modern = ResumeGrant::from(grant());
        assert_eq!(modern.execution_id, grant().execution_id);
        assert_eq!(
            (&modern.partition_key, modern.partition()),
            (&grant().partition_key, grant().partition())
        );
        assert_eq!(modern.grant_key, grant().grant_key);
        assert_eq!((modern.expires_at_ms, modern.lane_id.as_str()), (1_700_000_000_000, "gpu"));
    }
}
