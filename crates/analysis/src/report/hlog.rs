//! HdrHistogram's interval log: one line per variant and clock, for its own tools.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use super::run_csv::not_for_use;
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

/// All histograms of a result, values in nanoseconds, tagged `<variant>/<clock>`; the round trips of a claim
/// are `<variant>/step_<n>_<what>`. Of a run whose figures must not be used, or that was ended early, a second
/// comment says so.
pub fn hlog(result: &RunResult) -> Result<Vec<u8>, HlogError> {
    let record = &result.record;
    let mut serializer = V2DeflateSerializer::new();
    let mut out = Vec::new();
    let started = humantime::parse_rfc3339(&record.started).unwrap_or(std::time::UNIX_EPOCH);
    let failed = |name: &str, detail: String| HlogError { name: name.to_owned(), detail };
    let mut header = IntervalLogWriterBuilder::new();
    header.add_comment(&format!("reclaim-bench {}, {}", record.tool.version, record.label()));
    if let Some(caution) = not_for_use(result) {
        header.add_comment(&caution);
    }
    let mut log = header
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
    arm.clocks().into_iter().map(move |(clock, times)| (arm, clock.to_owned(), times)).chain(steps)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::record::InvalidReason;

    /// Reads a log from its format's description alone, without the crate that wrote it: tag and recorded
    /// values with their counts, in ascending order.
    fn read(log: &str) -> Vec<(String, Vec<(u64, u64)>)> {
        let lines = log.lines().filter(|line| line.starts_with("Tag="));
        lines
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                let packed = STANDARD.decode(fields[4]).unwrap();
                (fields[0].trim_start_matches("Tag=").to_owned(), values(&packed))
            })
            .collect()
    }

    /// Of one packed histogram (V2, deflated).
    fn values(packed: &[u8]) -> Vec<(u64, u64)> {
        let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(word(packed, 0), 0x1c84_9314, "deflated");
        assert_eq!(word(packed, 4) as usize, packed.len() - 8);
        let mut plain = Vec::new();
        flate2::read::ZlibDecoder::new(&packed[8..]).read_to_end(&mut plain).unwrap();
        assert_eq!((word(&plain, 0), word(&plain, 8), word(&plain, 12)), (0x1c84_9313, 0, 3));
        // Three significant digits: 2,048 steps in each power of two, of which the lower half is the one
        // before's.
        let half = 1_024;
        let lowest = u64::from_be_bytes(plain[16..24].try_into().unwrap());
        let unit = lowest.max(1).ilog2();
        let value = |index: u64| match (index / half).saturating_sub(1) {
            0 if index < 2 * half => index << unit,
            bucket => (half + index % half) << (bucket + u64::from(unit)),
        };
        let (mut index, mut values) = (0, Vec::new());
        let mut rest = &plain[40..];
        while !rest.is_empty() {
            match zigzag(&mut rest) {
                count @ 1.. => {
                    values.push((value(index), count as u64));
                    index += 1;
                }
                zeros => index += (-zeros).max(1) as u64,
            }
        }
        values
    }

    /// A signed number in as many groups of seven bits as it needs, the ninth with eight.
    fn zigzag(bytes: &mut &[u8]) -> i64 {
        let mut number = 0u64;
        for n in 0..9 {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            let kept = if n == 8 { *byte } else { byte & 0x7f };
            number |= u64::from(kept) << (7 * n);
            if n == 8 || byte & 0x80 == 0 {
                break;
            }
        }
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    #[test]
    fn a_log_of_a_run_whose_figures_must_not_be_used_says_so_and_reads_the_same() {
        let mut result = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        let log = |result: &RunResult| String::from_utf8(hlog(result).unwrap()).unwrap();
        let valid = log(&result);
        assert!(!valid.contains("INVALID"), "{valid}");
        result.valid = false;
        result.invalid_reasons = vec![InvalidReason::StockRanOut { claims: 12 }];
        let invalid = log(&result);
        let second = invalid.lines().nth(1).unwrap();
        assert!(second.starts_with("#INVALID, do not use these figures. 12 claims"), "{second}");
        assert_eq!(read(&invalid), read(&valid));
    }

    #[test]
    fn a_reader_that_knows_the_format_alone_finds_the_same_counts_and_quantiles() {
        let result = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        let log = String::from_utf8(hlog(&result).unwrap()).unwrap();
        let read = read(&log);
        let tags: Vec<&str> = read.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(tags, ["grant-lane/service", "hget-lane/service"]);
        for ((tag, values), variant) in read.iter().zip(&result.variants) {
            let service = variant.service_us.unwrap();
            let count: u64 = values.iter().map(|(_, count)| count).sum();
            assert_eq!(count, service.count, "{tag}");
            for (share, us) in [(0.5, service.p50), (0.99, service.p99), (1.0, service.max)] {
                let wanted = (share * count as f64).ceil() as u64;
                let mut below = 0;
                let found = values.iter().find(|(_, n)| {
                    below += n;
                    below >= wanted
                });
                let found_us = found.unwrap().0 as f64 / 1e3;
                assert!((found_us / us - 1.0).abs() < 1.1e-3, "{tag}, {share}: {found_us} is not {us}");
            }
        }
    }
}
