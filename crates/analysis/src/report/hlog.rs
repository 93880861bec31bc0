//! HdrHistogram's interval log: one line per variant and clock, for its own tools.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use crate::judge::RunResult;
use crate::record::{ArmRecord, Histogram};

/// Nanoseconds in the log's column of maxima, which is in milliseconds as the format's tools expect.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// Why a result has no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the histogram {name} cannot be written as a log ({detail}); take the result from its original file")]
pub struct HlogError {
    name: String,
    detail: String,
}

/// All histograms of a result, values in nanoseconds, tagged `<variant>/<clock>`; the round trips of a claim are
/// `<variant>/step_<n>_<what>`.
pub fn hlog(result: &RunResult) -> Result<Vec<u8>, HlogError> {
    let record = &result.record;
    let mut serializer = V2DeflateSerializer::new();
    let mut out = Vec::new();
    let started = humantime::parse_rfc3339(&record.started).unwrap_or(std::time::UNIX_EPOCH);
    let failed = |name: &str, detail: String| HlogError { name: name.to_owned(), detail };
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("reclaim-bench {}, {}", record.tool.version, record.label()))
        .with_start_time(started)
        .with_max_value_divisor(MAX_VALUE_DIVISOR)
        .begin_log_with(&mut out, &mut serializer)
        .map_err(|error| failed("header", error.to_string()))?;
    for (arm, clock, Histogram(packed)) in record.arms.iter().flat_map(clocks) {
        let Some(packed) = packed else { continue };
        // A tag ends at a comma or a blank.
        let name = format!("{}/{}", arm.name, clock.replace([',', ' '], "_"));
        let bytes = STANDARD.decode(packed).map_err(|error| failed(&name, error.to_string()))?;
        let histogram: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| failed(&name, format!("{error:?}")))?;
        let length = Duration::try_from_secs_f64(arm.active_s).unwrap_or_default();
        log.write_histogram(&histogram, Duration::ZERO, length, Tag::new(&name))
            .map_err(|error| failed(&name, format!("{error:?}")))?;
    }
    Ok(out)
}

fn clocks(arm: &ArmRecord) -> impl Iterator<Item = (&ArmRecord, String, &Histogram)> {
    let steps = arm.steps.iter().enumerate();
    let steps = steps.map(move |(n, step)| (arm, format!("step {} {}", n + 1, step.title), &step.time));
    [
        (arm, "service", &arm.service),
        (arm, "response", &arm.response),
        (arm, "send_lag", &arm.send_lag),
        (arm, "resume", &arm.resume),
        (arm, "error_service", &arm.error_service),
    ]
    .into_iter()
    .map(|(arm, clock, times)| (arm, clock.to_owned(), times))
    .chain(steps)
}
