//! Random streams: one seed, one named stream for each use, the same on every machine.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// The random stream called `name` of a run with this seed. Streams with different names are independent, so
/// adding one draw to one of them changes nothing elsewhere.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name.as_bytes()).finalize();
    ChaCha8Rng::from_seed(digest.into())
}

/// A number below `bound`, by multiply and shift: its bias is below `bound` / 2^32, far less than resampling
/// noise.
pub fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}
