//! Random streams: one seed, one named stream for each use, the same on every machine.

use rand::seq::SliceRandom as _;
use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// The random stream called `name` of a run with this seed. Streams with different names are independent, so
/// adding one draw to one of them changes nothing elsewhere.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name.as_bytes()).finalize();
    ChaCha8Rng::from_seed(digest.into())
}

/// The order in which a sweep makes its runs, each by its value's place. Results of a version before do not say
/// which value a run is of, and are read by it: it must stay what it is.
pub fn sweep_order(seed: u64, runs: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs).collect();
    order.shuffle(&mut stream(seed, "sweep"));
    order
}

/// A number below `bound`, by multiply and shift: its bias is below `bound` / 2^32, far less than resampling
/// noise.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}
