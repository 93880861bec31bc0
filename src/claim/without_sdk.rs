//! Stands in for `sdk` in a build without that feature.

use std::rc::Rc;

use super::path::{ClaimPath, ClaimSetup};
use super::sdk_login::{SdkError, SdkLogin};
use reclaim_analysis::scenario::VariantPath;

/// Whether this build has FlowFabric's SDK.
pub const SDK_BUILT: bool = false;

/// Never made.
pub enum Sdk {}

impl Sdk {
    /// Refuses: there is no SDK to connect.
    #[allow(clippy::unused_async, reason = "as with the feature")]
    pub async fn connect(_: &SdkLogin<'_>) -> Result<Self, SdkError> {
        Err(SdkError::NotBuilt)
    }
}

/// One of the SDK's ways of claiming: there is none without a worker.
pub fn sdk_path(_: VariantPath, worker: &Rc<Sdk>, _: ClaimSetup) -> Box<dyn ClaimPath> {
    match **worker {}
}
