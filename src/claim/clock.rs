//! The servers' clock as a claim needs it: was a grant that is gone past its time?

use std::time::{SystemTime, UNIX_EPOCH};

use crate::flowfabric::{CallError, ReadServerTime, call};
use crate::valkey::Wire;
use reclaim_analysis::record::WireCost;

/// The servers' clock, read through this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// Server time minus local time, in microseconds.
    offset_us: i64,
}

impl ServerClock {
    /// Compares clocks over a wire by a few `TIME` commands and keeps the quickest.
    ///
    /// The answer is taken as if the server had read its clock the moment the command was sent. So the estimate is
    /// never behind the server, and ahead by one round trip at most: a grant that had expired is never taken for one
    /// that was refused.
    pub async fn measure(wire: &Wire) -> Result<Self, CallError> {
        const SAMPLES: u32 = 5;
        let mut offset_us = i64::MAX;
        for _ in 0..SAMPLES {
            let sent = local_us();
            let server = call(wire, &ReadServerTime, &mut WireCost::default()).await?;
            offset_us = offset_us.min(server - sent);
        }
        Ok(Self { offset_us })
    }

    /// The servers' time now, in milliseconds since the epoch.
    pub fn now_ms(self) -> u64 {
        u64::try_from((local_us() + self.offset_us) / 1_000).unwrap_or(0)
    }
}

/// This machine's time in microseconds since the epoch; zero for a clock before it.
fn local_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
