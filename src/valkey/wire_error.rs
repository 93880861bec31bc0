//! Why a command has no reply: a redirect, no answer in time, a lost connection, or what the server says
//! instead.

use std::time::Duration;

use redis::ErrorKind;

use super::addr::NodeAddr;
use reclaim_analysis::record::RedirectKind;

/// The three ways a cluster says "not here, not now".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// The slot lives elsewhere for good.
    Moved {
        /// The slot in question.
        slot: u16,
        /// Its owner.
        to: NodeAddr,
    },
    /// The slot is on its way; ask there once, behind `ASKING`.
    Ask {
        /// The slot in question.
        slot: u16,
        /// Where the key is or will be.
        to: NodeAddr,
    },
    /// Keys of one command are on both sides of a migration.
    TryAgain,
}

impl Redirect {
    /// Which of the three.
    pub fn kind(&self) -> RedirectKind {
        match self {
            Self::Moved { .. } => RedirectKind::Moved,
            Self::Ask { .. } => RedirectKind::Ask,
            Self::TryAgain => RedirectKind::TryAgain,
        }
    }
}

/// Why a command has no reply that its caller can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// MOVED, ASK or TRYAGAIN.
    #[error("redirected: {0:?}")]
    Redirect(Redirect),
    /// No answer within the connection's time limit; the command may still have run.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection broke; the command may still have run.
    #[error("connection lost: {0}")]
    Disconnected(String),
    /// The server refused the command itself (not a function's domain reply).
    #[error("server error {code}: {detail}")]
    Server {
        /// First word of the error, e.g. `BUSY`.
        code: String,
        /// The rest of it.
        detail: String,
    },
}

/// What a server answers that runs no command at the moment: it does not count the command either.
pub(crate) const NOT_RUN: [&str; 4] = ["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN"];

/// What a server said in place of a reply; `None` where none has said anything.
pub(super) fn refusal(error: &redis::RedisError) -> Option<WireError> {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
        .then(|| classify(error.code().unwrap_or("ERR"), error.detail().unwrap_or_default()))
}

/// An error of a server by its first word and the rest.
pub(super) fn classify(code: &str, detail: &str) -> WireError {
    let target = || {
        let mut words = detail.split_whitespace();
        let slot = words.next()?.parse().ok()?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        Some((slot, NodeAddr { host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? }))
    };
    let redirect = if code == "MOVED" {
        target().map(|(slot, to)| Redirect::Moved { slot, to })
    } else if code == "ASK" {
        target().map(|(slot, to)| Redirect::Ask { slot, to })
    } else if code == "TRYAGAIN" {
        Some(Redirect::TryAgain)
    } else {
        None
    };
    redirect.map_or_else(
        || WireError::Server { code: code.to_owned(), detail: detail.to_owned() },
        WireError::Redirect,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_told_apart_and_keep_their_target() {
        assert_eq!(
            classify("MOVED", "3999 127.0.0.1:6381"),
            WireError::Redirect(Redirect::Moved {
                slot: 3999,
                to: NodeAddr { host: "127.0.0.1".into(), port: 6381 }
            })
        );
        assert_eq!(
            classify("ASK", "3999 [::1]:6381"),
            WireError::Redirect(Redirect::Ask {
                slot: 3999,
                to: NodeAddr { host: "::1".into(), port: 6381 }
            })
        );
        assert_eq!(classify("TRYAGAIN", "Multiple keys"), WireError::Redirect(Redirect::TryAgain));
        assert!(matches!(classify("BUSY", "script"), WireError::Server { code, .. } if code == "BUSY"));
    }
}
