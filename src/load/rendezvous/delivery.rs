//! How a record goes from a part to the leader: as JSON, deflated, in pieces under a key of its own.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use redis::Value;

use super::error::MeetingError;
use super::registry::{Names, RECORD_LIFE};
use crate::valkey::{Wire, ask};
use reclaim_analysis::json::{FromJson as _, ToJsonLine as _};
use reclaim_analysis::record::RunRecord;

/// Size of a piece: a command of a few milliseconds for the server.
const PIECE: usize = 512 * 1024;

/// The record in pieces.
fn packed(record: &RunRecord) -> Result<Vec<Vec<u8>>, String> {
    let json = record.to_json_line().map_err(|error| error.to_string())?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder
        .write_all(json.as_bytes())
        .and_then(|()| encoder.finish())
        .map_err(|error| error.to_string())?;
    Ok(deflated.chunks(PIECE).map(<[u8]>::to_vec).collect())
}

/// The record of these pieces.
fn unpacked(pieces: &[Vec<u8>]) -> Result<RunRecord, String> {
    let mut json = String::new();
    let deflated = pieces.concat();
    DeflateDecoder::new(&deflated[..]).read_to_string(&mut json).map_err(|error| error.to_string())?;
    RunRecord::from_json(&json).map_err(|error| error.to_string())
}

/// Lays a part's record down for the leader; in how many pieces.
pub(super) async fn lay_down(
    wire: &Wire,
    names: &Names,
    part: u32,
    record: &RunRecord,
) -> Result<u32, MeetingError> {
    let pieces = packed(record).map_err(|detail| MeetingError::Record { part, detail })?;
    let (key, count) = (names.record(part), pieces.len() as u32);
    for piece in pieces {
        let mut push = redis::cmd("RPUSH");
        push.arg(&key).arg(piece);
        ask(wire, "RPUSH record", &push, "rpush").await?;
        let mut expire = redis::cmd("PEXPIRE");
        expire.arg(&key).arg(RECORD_LIFE.as_millis() as u64);
        ask(wire, "PEXPIRE record", &expire, "pexpire").await?;
    }
    Ok(count)
}

/// Takes a part's record, which lies on the server in `pieces` pieces.
pub(super) async fn pick_up(
    wire: &Wire,
    names: &Names,
    part: u32,
    count: u32,
) -> Result<RunRecord, MeetingError> {
    let key = names.record(part);
    let lost = |detail: String| MeetingError::Record { part, detail };
    let mut pieces = Vec::new();
    for number in 1..=count {
        let mut pop = redis::cmd("LPOP");
        pop.arg(&key);
        let popped = ask(wire, "LPOP record", &pop, "lpop").await;
        match popped? {
            Value::BulkString(piece) => pieces.push(piece),
            _ => return Err(lost(format!("piece {number} of {count} is not there"))),
        }
    }
    unpacked(&pieces).map_err(lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, HGET_LANE, record};

    #[test]
    fn a_record_arrives_as_it_was_sent_and_a_damaged_one_is_refused() {
        let record = record(&[GRANT_LANE, HGET_LANE], 7);
        let mut pieces = packed(&record).unwrap();
        assert_eq!(unpacked(&pieces).unwrap(), record);
        let last = pieces.last_mut().unwrap();
        last.truncate(last.len() / 2);
        assert!(unpacked(&pieces).is_err());
        assert!(unpacked(&[]).is_err());
    }
}
