//! Hostile replies of a server: `INFO` and `CLUSTER SLOTS` text, redirects, values of any shape.

use redis::Value;

use super::counters::NodeCounters;
use super::info::Info;
use super::slots::parse;
use super::wire::classify;
use super::{NodeAddr, Topology, WireError, reply_len};
use crate::hostile::withstands;

/// Values in one array that is made up, and how deep such arrays lie in each other: more gains nothing.
const ITEMS: usize = 64;
const DEPTH: usize = 16;

fn addr() -> NodeAddr {
    NodeAddr { host: "127.0.0.1".into(), port: 7000 }
}

/// The reply that the bytes are. Where they are none, because a change has made a length wrong, the reply
/// that their lines make whatever the lengths: else nearly no changed input would get past the client
/// library.
pub(crate) fn reply(input: &[u8]) -> Value {
    redis::parse_redis_value(input).unwrap_or_else(|_| {
        let mut lines = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        made_up(&mut lines, 0)
    })
}

fn made_up<'a>(lines: &mut impl Iterator<Item = &'a [u8]>, depth: usize) -> Value {
    let Some(line) = lines.next() else { return Value::Nil };
    let (kind, rest) = line.split_first().map_or((b'$', line), |(kind, rest)| (*kind, rest));
    let text = String::from_utf8_lossy(rest).into_owned();
    match kind {
        b'*' if depth < DEPTH => {
            let items = text.parse().unwrap_or(0).min(ITEMS);
            Value::Array((0..items).map(|_| made_up(lines, depth + 1)).collect())
        }
        b'$' if text == "-1" => Value::Nil,
        b'$' => lines.next().map_or(Value::Nil, |line| Value::BulkString(line.to_vec())),
        b':' => text.parse().map_or(Value::Nil, Value::Int),
        b'+' => Value::SimpleString(text),
        _ => Value::BulkString(line.to_vec()),
    }
}

const INFO_WORDS: &[&str] = &[
    "valkey_version:9.1.2\r\n",
    "redis_version:7.2.4\r\n",
    "cluster_enabled:1\r\n",
    "run_id:a\r\n",
    "used_cpu_user_main_thread:1.5\r\n",
    "used_cpu_sys_main_thread:nan\r\n",
    "used_active_time_main_thread:inf\r\n",
    "used_cpu_user:-1\r\n",
    "used_cpu_sys:1e308\r\n",
    "total_net_input_bytes:18446744073709551615\r\n",
    "total_net_output_bytes:0\r\n",
    "cmdstat_fcall:calls=18446744073709551615,usec=3\r\n",
    "cmdstat_hget:calls=0\r\n",
    "errorstat_OOM:count=-1\r\n",
    "evicted_keys:18446744073709551616\r\n",
    "# Cpu\r\n",
    ":",
    "=",
    ",",
    "\r\n",
    "\u{202e}",
    "\0",
];

#[test]
fn hostile_info_is_read_or_refused() {
    let earlier = std::cell::RefCell::new(None::<NodeCounters>);
    withstands("info", Vec::new(), INFO_WORDS, |input| {
        let info = Info::parse(addr(), &String::from_utf8_lossy(input));
        if let Err(error) = info.usable_version() {
            assert!(!error.to_string().is_empty());
        }
        let _ = info.error_count("OOM");
        let mut earlier = earlier.borrow_mut();
        for io_threads in [1, 4] {
            let Ok(counters) = NodeCounters::from_info(&addr(), &info, io_threads) else { continue };
            let times = [counters.main_thread_cpu_us, counters.process_cpu_us];
            assert!(times.iter().all(|us| us.is_finite() && *us >= 0.0), "{times:?}");
            // Of the same moment nothing has happened; of any other one, something or an error.
            let nothing = counters.since(&counters).expect("the same server");
            assert!(nothing.calls.is_empty() && nothing.net_in_bytes == 0);
            let _ = earlier.as_ref().map(|earlier| counters.since(earlier));
            *earlier = Some(counters);
        }
    });
}

const SLOTS_WORDS: &[&str] = &[
    "*0\r\n",
    "*3\r\n",
    "*-1\r\n",
    ":0\r\n",
    ":16383\r\n",
    ":16384\r\n",
    ":65535\r\n",
    ":-1\r\n",
    ":9223372036854775807\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$1\r\n?\r\n",
    "$9\r\n127.0.0.1\r\n",
    "\r\n",
];

#[test]
fn a_hostile_slot_map_is_read_or_refused() {
    withstands("slots", Vec::new(), SLOTS_WORDS, |input| {
        let reply = reply(input);
        let _ = reply_len(&reply);
        let Some(shards) = parse(&reply, &addr()) else { return };
        match Topology::new(shards) {
            Ok(topology) => {
                let primaries = topology.primaries();
                let slots: u32 = primaries.iter().map(|primary| primary.slots).sum();
                assert_eq!(slots, 16_384);
                assert!(
                    (0..16_384).all(|slot| { usize::from(topology.owner_of_slot(slot).0) < primaries.len() })
                );
                assert!(topology.hottest_share(256) >= 1.0);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

#[test]
fn a_hostile_redirect_leads_nowhere_or_to_an_address() {
    let words = ["MOVED", " ", ":", "[::1]:1", "65536", "-1", "h:0", "16384 h:70000"];
    withstands("redirect", Vec::new(), &words, |input| {
        let text = String::from_utf8_lossy(input);
        for code in ["MOVED", "ASK", "TRYAGAIN", "ERR"] {
            match classify(code, &text) {
                WireError::Redirect(_) => assert_ne!(code, "ERR"),
                error => assert!(!error.to_string().is_empty()),
            }
        }
    });
}
