//! What is drawn from a run's seed: the streams of `reclaim-statistics`, and the order of a sweep.

use rand::seq::SliceRandom as _;

pub use reclaim_statistics::stream;

/// The order in which a sweep makes its runs, each by its value's place. Results of a version before do not say
/// which value a run is of, and are read by it: it must stay what it is.
pub fn sweep_order(seed: u64, runs: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs).collect();
    order.shuffle(&mut stream(seed, "sweep"));
    order
}
