//! `INFO` as a map, and what a server says about itself: is it a Valkey cluster node that we can use?

use std::collections::BTreeMap;

use redis::Value;

use super::error::ClusterError;
use super::topology::NodeAddr;
use super::wire::Wire;
use reclaim_analysis::record::WireCost;

/// The oldest version whose functions and cluster commands suffice.
const OLDEST: (u32, u32) = (7, 2);

/// Fields of one `INFO` reply.
pub(super) struct Info {
    addr: NodeAddr,
    fields: BTreeMap<String, String>,
}

impl Info {
    /// Reads the given sections, or the default ones where there are none.
    pub(super) async fn read(wire: &Wire, sections: &[&str]) -> Result<Self, ClusterError> {
        let text = text(wire, "INFO", redis::cmd("INFO").arg(sections), "info").await?;
        Ok(Self::parse(wire.addr().clone(), &text))
    }

    fn parse(addr: NodeAddr, text: &str) -> Self {
        let fields = text
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Self { addr, fields }
    }

    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// A field that every supported version has.
    pub(super) fn number<T: std::str::FromStr>(&self, field: &'static str) -> Result<T, ClusterError> {
        self.get(field).and_then(|text| text.parse().ok()).ok_or_else(|| ClusterError::Reply {
            addr: self.addr.clone(),
            doing: "INFO",
            detail: format!("no number in {field}: {:?}", self.get(field)),
        })
    }

    /// Calls by command name, from the `commandstats` section.
    pub(super) fn command_calls(&self) -> BTreeMap<String, u64> {
        let calls = |stats: &str| stats.strip_prefix("calls=")?.split(',').next()?.parse().ok();
        self.fields
            .iter()
            .filter_map(|(field, stats)| {
                Some((field.strip_prefix("cmdstat_")?.to_ascii_lowercase(), calls(stats)?))
            })
            .collect()
    }

    /// `valkey_version` of a cluster node that we can use. `INFO` must hold the sections `server` and `cluster`.
    pub(super) fn usable_version(&self) -> Result<&str, ClusterError> {
        let addr = || self.addr.clone();
        // Valkey shows `redis_version:7.2.4` for compatibility; only Valkey has the other field.
        let Some(version) = self.get("valkey_version") else {
            let software = match self.get("redis_version") {
                Some(version) => format!("{} {version}", self.get("server_name").unwrap_or("Redis")),
                None => "an unknown server".to_owned(),
            };
            return Err(ClusterError::NotValkey { addr: addr(), software });
        };
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST {
            return Err(ClusterError::TooOld { addr: addr(), version: version.to_owned() });
        }
        if self.get("cluster_enabled") != Some("1") {
            return Err(ClusterError::NotACluster { addr: addr() });
        }
        Ok(version)
    }
}

/// Asks a command whose reply is text.
pub(super) async fn text(
    wire: &Wire,
    doing: &'static str,
    cmd: &redis::Cmd,
    name: &'static str,
) -> Result<String, ClusterError> {
    match ask(wire, doing, cmd, name).await? {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => Ok(text),
        Value::Okay => Ok("OK".to_owned()),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(unexpected(wire, doing, &other)),
    }
}

/// Asks a command and gives its errors the right meaning.
pub(super) async fn ask(
    wire: &Wire,
    doing: &'static str,
    cmd: &redis::Cmd,
    name: &'static str,
) -> Result<Value, ClusterError> {
    wire.call(name, cmd, &mut WireCost::default())
        .await
        .map_err(|error| ClusterError::from_wire(wire.addr(), doing, error))
}

pub(super) fn unexpected(wire: &Wire, doing: &'static str, value: &Value) -> ClusterError {
    let mut detail = format!("{value:?}");
    detail.truncate(detail.floor_char_boundary(200));
    ClusterError::Reply { addr: wire.addr().clone(), doing, detail }
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
            matches!(&redis, Err(ClusterError::NotValkey { software, .. }) if software == "Redis 7.2.4"),
            "{redis:?}"
        );
        let old = info("valkey_version:7.1.9\r\ncluster_enabled:1\r\n").usable_version().map(str::to_owned);
        assert!(matches!(&old, Err(ClusterError::TooOld { version, .. }) if version == "7.1.9"), "{old:?}");
        let alone = info("valkey_version:8.0.1\r\ncluster_enabled:0\r\n").usable_version().map(str::to_owned);
        assert!(matches!(alone, Err(ClusterError::NotACluster { .. })));
    }

    #[test]
    fn command_calls_are_read_by_lower_case_name() {
        let stats = "# Commandstats\r\ncmdstat_fcall:calls=12,usec=3,usec_per_call=0.25,rejected_calls=0\r\n\
                     cmdstat_config|get:calls=2,usec=19\r\n";
        let expected = BTreeMap::from([("fcall".to_owned(), 12), ("config|get".to_owned(), 2)]);
        assert_eq!(info(stats).command_calls(), expected);
    }
}
