//! The parser under test, and a planted regression of it.
//!
//! Benchmarks are generic over [`Parser`] so that each one is compiled for its parser: a function pointer
//! would cost about as much as the parse.

use ff_core::partition::{Partition, PartitionFamily, PartitionKey, PartitionKeyParseError};

use super::floor;

/// Environment variable that chooses the parser under test; see [`UnderTest`].
pub const PARSER_ENV: &str = "RECLAIM_BENCH_PARSER";

/// One way of parsing a partition key.
pub trait Parser {
    /// Parses with the contract of [`PartitionKey::parse`].
    fn parse(key: &PartitionKey) -> Result<Partition, PartitionKeyParseError>;
}

/// ff-core's own.
pub enum Shipped {}

/// The hand-written yardstick.
pub enum Floor {}

/// ff-core's, with two owned copies on the way: what a careless change would look like.
pub enum Allocating {}

/// No parser: looks at the key and answers always the same. What calling one costs.
pub enum Nothing {}

impl Parser for Nothing {
    #[inline(never)]
    fn parse(key: &PartitionKey) -> Result<Partition, PartitionKeyParseError> {
        std::hint::black_box(key);
        Ok(Partition { family: PartitionFamily::Flow, index: 0 })
    }
}

impl Parser for Shipped {
    #[inline]
    fn parse(key: &PartitionKey) -> Result<Partition, PartitionKeyParseError> {
        key.parse()
    }
}

impl Parser for Floor {
    #[inline]
    fn parse(key: &PartitionKey) -> Result<Partition, PartitionKeyParseError> {
        floor::parse(key.as_str())
    }
}

impl Parser for Allocating {
    #[inline]
    fn parse(key: &PartitionKey) -> Result<Partition, PartitionKeyParseError> {
        let inner = key
            .as_str()
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or(PartitionKeyParseError::MissingBraces)?;
        let (prefix, index) = inner.split_once(':').ok_or(PartitionKeyParseError::MalformedBody)?;
        let (prefix, index) = (prefix.to_owned(), index.to_owned());
        let family = match prefix.as_str() {
            "fp" => PartitionFamily::Flow,
            "b" => PartitionFamily::Budget,
            "q" => PartitionFamily::Quota,
            _ => return Err(PartitionKeyParseError::UnknownFamilyPrefix(prefix)),
        };
        let number = index.parse().map_err(|_| PartitionKeyParseError::InvalidIndex(index))?;
        Ok(Partition { family, index: number })
    }
}

/// Which parser the `parse` benchmarks measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderTest {
    /// [`Shipped`]: the default.
    Shipped,
    /// [`Allocating`]: shows that a regression is seen.
    Allocating,
}

impl UnderTest {
    /// Reads [`PARSER_ENV`].
    ///
    /// # Panics
    /// On any value but `shipped` and `allocating`: a typing error must not measure the wrong thing quietly.
    pub fn from_env() -> Self {
        match std::env::var(PARSER_ENV).as_deref() {
            Err(_) | Ok("" | "shipped") => Self::Shipped,
            Ok("allocating") => Self::Allocating,
            Ok(other) => panic!("{PARSER_ENV}={other}: use `shipped` or `allocating`"),
        }
    }
}
