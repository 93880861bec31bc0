//! In which order blocks of one arm follow each other: groups that hold one of each, shuffled.

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::planned::{BlockKind, BlockPlan, Bundle, Sites, StratumPlan};
use reclaim_analysis::record::Purpose;
use reclaim_analysis::scenario::{Compare, Scenario};

/// Arms in blocks of their own: in every group one of each, and one more of the baseline for the control, in
/// random order. A block begins with claims that do not count, while its queue forms.
pub(super) fn side_bundles(
    scenario: &Scenario,
    compare: &Compare,
    total: u64,
    strata: &mut Vec<StratumPlan>,
    blocks: &mut Vec<BlockPlan>,
    rng: &mut ChaCha8Rng,
) -> Vec<Bundle> {
    let arm_count = scenario.variants.len() as u8;
    let baseline = scenario.baseline() as u8;
    let sides: Vec<u8> = (0..arm_count).chain(compare.is_controlled().then_some(baseline)).collect();
    let shape = scenario.block_shape(compare, total);
    let (mut bundles, clusters) = (Vec::new(), Sites::of_scenario(scenario));
    for group in 0..shape.groups {
        let plan = StratumPlan { control: false, sides: sides.clone(), apart: true, halved: false };
        let mut order: Vec<usize> = (0..sides.len()).collect();
        order.shuffle(rng);
        let mut ahead = clusters.taken_by_group(shape.all_claims());
        for side in order {
            let (arm, purpose) = (sides[side], plan.purpose(group, side));
            let kind = match purpose {
                Purpose::Control { .. } => BlockKind::Control,
                _ => BlockKind::Side,
            };
            let block = blocks.len() as u32;
            blocks.push(BlockPlan { group, arm, kind });
            let ramp_in = std::iter::repeat_n((arm, Purpose::Block), shape.ramp_in as usize);
            let claims = ramp_in.chain(std::iter::repeat_n((arm, purpose), shape.claims as usize)).collect();
            let on_control = kind == BlockKind::Control;
            let bundle = Bundle::new("a block of one arm", claims);
            bundles.push(Bundle { block: Some(block), on_control, ahead, ..bundle });
            ahead = 0;
        }
        strata.push(plan);
    }
    bundles
}

/// Blocks of one arm whose commands and CPU are counted: in every group one of each arm, in random order.
pub(super) fn block_bundles(
    scenario: &Scenario,
    compare: &Compare,
    blocks: &mut Vec<BlockPlan>,
    rng: &mut ChaCha8Rng,
) -> Vec<Bundle> {
    let (mut bundles, sites) = (Vec::new(), Sites::of_scenario(scenario));
    let arm_count = scenario.variants.len() as u8;
    for group in 0..compare.counter_blocks {
        let mut order: Vec<u8> = (0..arm_count).collect();
        order.shuffle(rng);
        let mut ahead = sites.taken_by_group(compare.block_claims.into());
        for arm in order {
            let block = blocks.len() as u32;
            blocks.push(BlockPlan { group, arm, kind: BlockKind::Counters });
            let claims = vec![(arm, Purpose::Block); compare.block_claims as usize];
            let bundle = Bundle::new("a counter block", claims);
            bundles.push(Bundle { block: Some(block), ahead, ..bundle });
            ahead = 0;
        }
    }
    bundles
}
