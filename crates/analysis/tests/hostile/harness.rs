//! Hostile inputs: a committed corpus, as it is and then changed at random, for a bounded time.
//!
//! `corpus/TARGET/` holds what a target must withstand; an input that broke it once is added there.
//! `RECLAIM_BENCH_FUZZ_SECONDS` is how long each target goes on (one second where it is not set),
//! `RECLAIM_BENCH_FUZZ_CASES` how many inputs it tries instead.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Inputs between two looks at the clock.
const BATCH: u32 = 64;

/// Longest piece that is cut out or repeated, in bytes.
const PIECE: usize = 64;

/// A change of an input.
#[derive(Clone, Debug)]
pub enum Change {
    Cut {
        at: Index,
        length: usize,
    },
    Repeat {
        at: Index,
        length: usize,
        times: usize,
    },
    Byte {
        at: Index,
        byte: u8,
    },
    /// Puts one of the target's own words in.
    Word {
        at: Index,
        word: Index,
    },
    /// Goes on with the end of another input.
    Splice {
        at: Index,
        other: Index,
        from: Index,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), 1..PIECE).prop_map(|(at, length)| Change::Cut { at, length }),
        1 => (at(), 1..PIECE, 1..4usize).prop_map(|(at, length, times)| Change::Repeat { at, length, times }),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte { at, byte }),
        4 => (at(), at()).prop_map(|(at, word)| Change::Word { at, word }),
        1 => (at(), at(), at()).prop_map(|(at, other, from)| Change::Splice { at, other, from }),
    ]
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>, words: &[&str], corpus: &[Vec<u8>]) {
        let place = |at: &Index, within: &[u8]| at.index(within.len() + 1);
        match self {
            Self::Cut { at, length } => {
                let at = place(at, input);
                input.drain(at..input.len().min(at + length));
            }
            Self::Repeat { at, length, times } => {
                let at = place(at, input);
                let piece = input[at..input.len().min(at + length)].repeat(*times);
                input.splice(at..at, piece);
            }
            Self::Byte { at, byte } => {
                let at = place(at, input);
                input.splice(at..input.len().min(at + 1), [*byte]);
            }
            Self::Word { at, word } => {
                let at = place(at, input);
                input.splice(at..at, words[word.index(words.len())].bytes());
            }
            Self::Splice { at, other, from } => {
                let other = &corpus[other.index(corpus.len())];
                input.truncate(place(at, input));
                input.extend_from_slice(&other[place(from, other)..]);
            }
        }
    }
}

/// The committed inputs of a target.
fn committed(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(file!()).parent().unwrap().join("corpus").join(target);
    // `file!()` is relative to the workspace, tests run in their package.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join(&corpus))
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| panic!("no corpus for {target}"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(&corpus).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", corpus.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

/// Feeds `check` the corpus and `more`, then changed inputs until the time or the number of cases is reached.
/// `check` panics where the target fails; that it returns an error is what should happen.
pub fn withstands(target: &str, more: Vec<Vec<u8>>, words: &[&str], check: impl Fn(&[u8])) {
    let corpus: Vec<Vec<u8>> = committed(target).into_iter().chain(more).collect();
    for input in &corpus {
        check(input);
    }
    let cases = variable("RECLAIM_BENCH_FUZZ_CASES");
    let time = Duration::from_secs(variable("RECLAIM_BENCH_FUZZ_SECONDS").unwrap_or(1));
    let (begun, mut tried) = (Instant::now(), 0);
    // At least one batch, on a machine of any speed.
    while tried == 0 || cases.map_or(begun.elapsed() < time, |cases| tried < cases) {
        batch(target, tried, &corpus, words, &check);
        tried += u64::from(BATCH);
    }
}

/// The inputs of a batch follow from its number.
fn batch(target: &str, number: u64, corpus: &[Vec<u8>], words: &[&str], check: &impl Fn(&[u8])) {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let config = Config { cases: BATCH, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let changed = |(first, changes): &(Index, Vec<Change>)| {
        let mut input = corpus[first.index(corpus.len())].clone();
        for change in changes {
            change.apply(&mut input, words, corpus);
        }
        input
    };
    let outcome = runner.run(&(any::<Index>(), prop::collection::vec(change(), 1..6)), |drawn| {
        check(&changed(&drawn));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, drawn)) => panic!(
            "{target} does not withstand this input ({why}); mend it and keep the input in corpus/{target}:\n{}",
            String::from_utf8_lossy(&changed(&drawn)).escape_debug()
        ),
        Err(TestError::Abort(why)) => panic!("{target}: {why}"),
    }
}
