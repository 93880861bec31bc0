//! The waitpoint secret of a partition. Suspending mints a token with it, delivering a signal checks the
//! token.

use ff_core::keys::IndexKeys;
use ff_core::partition::Partition;
use redis::{Cmd, Value};

use super::encode::keyed;
use super::reply::{ReplyError, text_of};
use super::request::Request;

/// Reads which secret a partition mints with: `HGET … current_kid`. `None` where it has none, and suspending
/// would be refused.
pub struct ReadCurrentKid(
    /// The partition.
    pub Partition,
);

impl Request for ReadCurrentKid {
    const COMMAND: &'static str = "hget";
    const WHAT: &'static str = "HGET waitpoint_hmac current_kid";
    type Reply = Option<String>;

    fn command(&self) -> Cmd {
        keyed("HGET", &IndexKeys::new(&self.0).waitpoint_hmac_secrets(), &["current_kid"])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        Ok(text_of(Self::WHAT, reply)?.map(str::to_owned))
    }
}

/// Gives a partition its first secret: `HSET … current_kid <kid> secret:<kid> <hex>`. Only for partitions
/// where [`ReadCurrentKid`] found none: tokens that another secret minted would stop working.
pub struct WriteSecret<'a> {
    /// The partition.
    pub partition: Partition,
    /// Name of the secret, without a colon.
    pub kid: &'a str,
    /// The secret, hexadecimal.
    pub secret_hex: &'a str,
}

impl Request for WriteSecret<'_> {
    const COMMAND: &'static str = "hset";
    const WHAT: &'static str = "HSET waitpoint_hmac";
    type Reply = ();

    fn command(&self) -> Cmd {
        let field = format!("secret:{}", self.kid);
        let key = IndexKeys::new(&self.partition).waitpoint_hmac_secrets();
        keyed("HSET", &key, &["current_kid", self.kid, &field, self.secret_hex])
    }

    fn parse(reply: &Value) -> Result<(), ReplyError> {
        match reply {
            Value::Int(_) => Ok(()),
            other => Err(ReplyError::Malformed { what: Self::WHAT, problem: format!("{other:?}") }),
        }
    }
}
