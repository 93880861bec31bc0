//! The named situations in which a partition key is parsed: each benchmark's input, and what must come out of
//! it.

use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey, PartitionKeyParseError};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::inputs;

/// The path that a key takes through the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Parses to this family; the index is written with this many digits.
    Valid(PartitionFamily, u32),
    /// No `{` or no `}`.
    MissingBraces,
    /// No `:` between the braces.
    MalformedBody,
    /// A family that does not exist.
    UnknownPrefix,
    /// An index with a character that is no digit.
    IndexNotANumber,
    /// An index above 65,535.
    IndexTooLarge,
    /// What a worker parses: the default flow partitions, evenly.
    MixOfClaims,
    /// What a public entry point parses: all families and widths, two in a hundred broken.
    MixOfAll,
}

/// One benchmark of the parser.
#[derive(Clone, Debug)]
pub struct ParseCase {
    /// Last part of the benchmark's name, e.g. `fp/1-digit`.
    pub name: String,
    /// Where its keys go.
    pub path: Path,
}

const FAMILIES: [(PartitionFamily, &str); 3] =
    [(PartitionFamily::Flow, "fp"), (PartitionFamily::Budget, "b"), (PartitionFamily::Quota, "q")];

const ERRORS: [(Path, &str); 5] = [
    (Path::MissingBraces, "error/missing-braces"),
    (Path::MalformedBody, "error/malformed-body"),
    (Path::UnknownPrefix, "error/unknown-prefix"),
    (Path::IndexNotANumber, "error/index-not-a-number"),
    (Path::IndexTooLarge, "error/index-too-large"),
];

/// The keys of each of [`single_cases`] all take one path.
pub fn single_cases() -> Vec<ParseCase> {
    let valid = FAMILIES.into_iter().flat_map(|(family, name)| {
        (1..=5).map(move |digits| ParseCase {
            name: format!("{name}/{digits}-digit"),
            path: Path::Valid(family, digits),
        })
    });
    let broken = ERRORS.into_iter().map(|(path, name)| ParseCase { name: name.to_owned(), path });
    valid.chain(broken).collect()
}

/// Mixes, whose throughput is what matters.
pub fn mix_cases() -> Vec<ParseCase> {
    [(Path::MixOfClaims, "mix/claims"), (Path::MixOfAll, "mix/all")]
        .into_iter()
        .map(|(path, name)| ParseCase { name: name.to_owned(), path })
        .collect()
}

impl ParseCase {
    /// This case's pool.
    pub fn keys(&self) -> Vec<PartitionKey> {
        inputs::pool(&self.name, |rng| draw(rng, self.path))
    }
}

/// Finds a case by its name.
///
/// # Panics
/// When there is none.
pub fn case(name: &str) -> ParseCase {
    single_cases()
        .into_iter()
        .chain(mix_cases())
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("no case is named {name}"))
}

fn draw(rng: &mut ChaCha8Rng, path: Path) -> PartitionKey {
    let index = rng.random_range(0..=u16::MAX);
    match path {
        Path::Valid(family, digits) => inputs::partition(rng, family, digits).into(),
        // The braces go missing on either side, as a cut-off message would lose them.
        Path::MissingBraces if rng.random_ratio(1, 2) => inputs::key_from_wire(&format!("fp:{index}}}")),
        Path::MissingBraces => inputs::key_from_wire(&format!("{{fp:{index}")),
        Path::MalformedBody => inputs::key_from_wire(&format!("{{fp{index}}}")),
        Path::UnknownPrefix => {
            let letter = char::from(rng.random_range(b'r'..=b'z'));
            inputs::key_from_wire(&format!("{{{letter}{letter}:{index}}}"))
        }
        Path::IndexNotANumber => inputs::key_from_wire(&format!("{{fp:{}x}}", index / 10)),
        Path::IndexTooLarge => {
            inputs::key_from_wire(&format!("{{fp:{}}}", rng.random_range(u32::from(u16::MAX) + 1..100_000)))
        }
        Path::MixOfClaims => {
            let index = rng.random_range(0..PartitionConfig::default().num_flow_partitions);
            Partition { family: PartitionFamily::Flow, index }.into()
        }
        Path::MixOfAll if rng.random_ratio(2, 100) => {
            let (path, _) = ERRORS[rng.random_range(0..ERRORS.len())];
            draw(rng, path)
        }
        Path::MixOfAll => {
            let (family, _) = FAMILIES[rng.random_range(0..FAMILIES.len())];
            let digits = rng.random_range(1..=5);
            inputs::partition(rng, family, digits).into()
        }
    }
}

/// The path that a key with this parse result took, as far as the result can tell.
pub fn path_taken(key: &PartitionKey, parsed: &Result<Partition, PartitionKeyParseError>) -> Path {
    match parsed {
        Ok(partition) => {
            let digits = key.as_str().bytes().filter(u8::is_ascii_digit).count();
            Path::Valid(partition.family, digits as u32)
        }
        Err(PartitionKeyParseError::MissingBraces) => Path::MissingBraces,
        Err(PartitionKeyParseError::MalformedBody) => Path::MalformedBody,
        Err(PartitionKeyParseError::UnknownFamilyPrefix(_)) => Path::UnknownPrefix,
        Err(PartitionKeyParseError::InvalidIndex(index)) if index.bytes().all(|b| b.is_ascii_digit()) => {
            Path::IndexTooLarge
        }
        Err(PartitionKeyParseError::InvalidIndex(_)) => Path::IndexNotANumber,
    }
}
