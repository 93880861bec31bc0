//! `INFO` as a map, and what a server says about itself: is it a Valkey cluster node that we can use?

use std::collections::BTreeMap;

use redis::{InfoDict, Value};

use super::addr::NodeAddr;
use super::ask::text;
use super::error::ValkeyError;
use super::wire::Wire;

/// The oldest version whose functions and cluster commands suffice.
const OLDEST: (u32, u32) = (7, 2);

/// Fields of one `INFO` reply.
pub(crate) struct Info {
    addr: NodeAddr,
    fields: InfoDict,
}

impl Info {
    /// Reads the given sections, or the default ones where there are none.
    pub(crate) async fn read(wire: &Wire, sections: &[&str]) -> Result<Self, ValkeyError> {
        let text = text(wire, "INFO", redis::cmd("INFO").arg(sections), "info").await?;
        Ok(Self::parse(wire.addr().clone(), &text))
    }

    pub(crate) fn parse(addr: NodeAddr, text: &str) -> Self {
        Self { addr, fields: InfoDict::new(text) }
    }

    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        match self.fields.find(&field)? {
            Value::SimpleString(text) => Some(text),
            _ => None,
        }
    }

    /// A field that every supported version has.
    pub(crate) fn number<T: std::str::FromStr>(&self, field: &'static str) -> Result<T, ValkeyError> {
        self.get(field).and_then(|text| text.parse().ok()).ok_or_else(|| ValkeyError::Reply {
            addr: self.addr.clone(),
            doing: "INFO",
            detail: format!("no number in {field}: {:?}", self.get(field)),
        })
    }

    /// A time in seconds that every supported version has: finite and not negative, for it goes into sums.
    pub(crate) fn seconds(&self, field: &'static str) -> Result<f64, ValkeyError> {
        let seconds: f64 = self.number(field)?;
        if seconds.is_finite() && seconds >= 0.0 {
            return Ok(seconds);
        }
        Err(ValkeyError::Reply {
            addr: self.addr.clone(),
            doing: "INFO",
            detail: format!("no time in {field}: {seconds}"),
        })
    }

    /// Calls by command name, from the `commandstats` section.
    pub(crate) fn command_calls(&self) -> BTreeMap<String, u64> {
        let calls = |stats: &str| stats.strip_prefix("calls=")?.split(',').next()?.parse().ok();
        self.fields
            .keys()
            .filter_map(|field| {
                let command = field.strip_prefix("cmdstat_")?.to_ascii_lowercase();
                Some((command, calls(self.get(field)?)?))
            })
            .collect()
    }

    /// Microseconds that a command has taken, from the `commandstats` section; 0 where it was not called yet.
    pub(crate) fn command_us(&self, command: &str) -> u64 {
        let us = |stats: &str| stats.split(',').find_map(|part| part.strip_prefix("usec=")?.parse().ok());
        self.get(&format!("cmdstat_{command}")).and_then(us).unwrap_or(0)
    }

    /// Errors of one kind that the server has answered, from the `errorstats` section.
    pub(crate) fn error_count(&self, code: &str) -> u64 {
        let count = |stats: &str| stats.strip_prefix("count=")?.split(',').next()?.parse().ok();
        self.get(&format!("errorstat_{code}")).and_then(count).unwrap_or(0)
    }

    /// `valkey_version` of a cluster node that we can use. `INFO` must hold the sections `server` and
    /// `cluster`.
    pub(crate) fn usable_version(&self) -> Result<&str, ValkeyError> {
        let addr = || self.addr.clone();
        // Valkey shows `redis_version:7.2.4` for compatibility; only Valkey has the other field.
        let Some(version) = self.get("valkey_version") else {
            let software = match self.get("redis_version") {
                Some(version) => format!("{} {version}", self.get("server_name").unwrap_or("Redis")),
                None => "an unknown server".to_owned(),
            };
            return Err(ValkeyError::NotValkey { addr: addr(), software });
        };
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST {
            return Err(ValkeyError::TooOld { addr: addr(), version: version.to_owned() });
        }
        if self.get("cluster_enabled") != Some("1") {
            return Err(ValkeyError::NotACluster { addr: addr() });
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &str) -> Info {
        Info::parse(NodeAddr { host: "127.0.0.1".into(), port: 7000 }, text)
    }

    #[test]
    fn valkey_is_told_from_what_resembles_it() {
        let valkey =
            "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\ncluster_enabled:1\r\n";
        assert_eq!(info(valkey).usable_version().unwrap(), "9.1.2");
        let redis = info("redis_version:7.2.4\r\ncluster_enabled:1\r\n").usable_version().map(str::to_owned);
        assert!(
            matches!(&redis, Err(ValkeyError::NotValkey { software, .. }) if software == "Redis 7.2.4"),
            "{redis:?}"
        );
        let old = info("valkey_version:7.1.9\r\ncluster_enabled:1\r\n").usable_version().map(str::to_owned);
        assert!(matches!(&old, Err(ValkeyError::TooOld { version, .. }) if version == "7.1.9"), "{old:?}");
        let alone = info("valkey_version:8.0.1\r\ncluster_enabled:0\r\n").usable_version().map(str::to_owned);
        assert!(matches!(alone, Err(ValkeyError::NotACluster { .. })));
    }

    #[test]
    fn command_calls_are_read_by_lower_case_name() {
        let stats = "# Commandstats\r\ncmdstat_fcall:calls=12,usec=3,usec_per_call=0.25,rejected_calls=0\r\n\
                     cmdstat_config|get:calls=2,usec=19\r\n";
        let expected = BTreeMap::from([("fcall".to_owned(), 12), ("config|get".to_owned(), 2)]);
        assert_eq!(info(stats).command_calls(), expected);
        assert_eq!([info(stats).command_us("fcall"), info(stats).command_us("hget")], [3, 0]);
    }
}
