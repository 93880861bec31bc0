//! A node of a running cluster, as a scenario or an option names it.

use std::fmt;

/// Where one node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// Name or address; one of IPv6 stands here without its brackets.
    pub host: String,
    /// Port, not 0.
    pub port: u16,
}

impl NodeName {
    /// Reads `host:port`. The error says what else it is and how to write it; what stands before an `@` is
    /// never in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some((_, node)) = text.rsplit_once('@') {
            return Err(format!(
                "`…@{node}` has a user or password in it: write the node alone, and give --user and \
                 RECLAIM_BENCH_PASSWORD or --password-file"
            ));
        }
        if let Some((scheme, node)) = text.split_once("://") {
            let tls = if scheme.ends_with('s') { ", and give --tls" } else { "" };
            let node = match node.split('/').next().unwrap_or(node) {
                "" => "10.0.0.1:6379".to_owned(),
                node if node.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':') => node.to_owned(),
                without_port => format!("{without_port}:6379"),
            };
            return Err(format!("`{text}` is a URL: write host:port, such as {node}{tls}"));
        }
        let no_node = || format!("`{text}` is not host:port, such as 10.0.0.1:6379");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once("]:").filter(|(host, _)| host.contains(':')).ok_or_else(no_node)?,
            None => text.rsplit_once(':').ok_or_else(no_node)?,
        };
        let address = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit() || ":.%".contains(c));
        if !text.starts_with('[') && host.contains(':') {
            if !address(host) {
                return Err(no_node());
            }
            return Err(format!("`{text}` is an address of IPv6 without brackets: write it like [::1]:6379"));
        }
        let strange = |c: char| c.is_whitespace() || c.is_control() || "/[]\"'`,".contains(c);
        match port.parse() {
            Ok(port) if port > 0 && !host.is_empty() && !host.contains(strange) => {
                Ok(Self { host: host.to_owned(), port })
            }
            _ => Err(no_node()),
        }
    }

    /// `text` without what stands before its last `@`, from `start` on: names of users and passwords do not
    /// belong into messages.
    pub(super) fn without_credentials(text: &str, start: usize) -> String {
        match text.rfind('@') {
            Some(at) if at >= start => format!("{}…{}", &text[..start], &text[at..]),
            _ => text.to_owned(),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_as_people_write_them() {
        for (text, host, port) in [
            ("10.0.0.1:6379", "10.0.0.1", 6379),
            (" valkey.example:1 ", "valkey.example", 1),
            ("[::1]:7000", "::1", 7000),
        ] {
            let node = NodeName::parse(text).unwrap();
            assert_eq!((node.host.as_str(), node.port), (host, port));
            assert_eq!(node.to_string(), text.trim());
        }
    }

    #[test]
    fn what_is_no_node_is_refused_with_the_right_form() {
        for (text, said) in [
            ("::1", "[::1]:6379"),
            ("::1:7000", "[::1]:6379"),
            ("fe80::1:6379", "brackets"),
            ("redis://127.0.0.1:7999", "a URL: write host:port, such as 127.0.0.1:7999"),
            ("rediss://h:7999/0", "such as h:7999, and give --tls"),
            ("valkeys://h", "such as h:6379, and give --tls"),
            ("unix:///run/valkey.sock", "such as 10.0.0.1:6379"),
            ("a:1;b:2", "is not host:port"),
            ("127.0.0.1", "host:port"),
            ("127.0.0.1:", "host:port"),
            ("127.0.0.1:0", "host:port"),
            ("127.0.0.1:65536", "host:port"),
            (":6379", "host:port"),
            ("[::1]", "host:port"),
            ("[host]:1", "host:port"),
            ("a b:1", "host:port"),
            ("", "host:port"),
        ] {
            let error = NodeName::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_stands_before_the_at_sign_is_never_said() {
        for text in ["bench:s3cret@h:1", "redis://bench:s3cret@h:1", "bench:s3cret@h", "bench:s3@cret@h:1"] {
            let error = NodeName::parse(text).unwrap_err();
            assert!(
                !error.contains("s3") && !error.contains("bench:") && error.contains("--user"),
                "{error}"
            );
        }
        assert_eq!(NodeName::without_credentials("--nodes u:p@h:1,x@i:2", 8), "--nodes …@i:2");
        assert_eq!(NodeName::without_credentials("--nodes h:1", 8), "--nodes h:1");
    }
}
