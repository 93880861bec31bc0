//! What a way of claiming is worth in servers.

use super::super::document::Block;
use super::super::format::{count, share};
use super::super::words::UNSEEN_ON_ONE_PRIMARY;
use crate::judge::{RunResult, Worth, WorthRow};

/// Primaries by rate and variant.
pub(super) fn block(result: &RunResult) -> Option<Block> {
    let Some(first) = result.worth.first() else { return left_out(result) };
    let row = |n: usize, arm: &Worth| {
        let rate = count(first.rows[n].sizing.rate_per_s as u64);
        vec![rate, arm.name.clone(), cell(arm.rows.get(n))]
    };
    let rows = (0..first.rows.len()).flat_map(|n| result.worth.iter().map(move |arm| row(n, arm)));
    Some(Block::Table {
        heading: format!(
            "What it is worth: primaries needed, main threads at most {} busy (95 % interval of the server CPU)",
            share(first.basis.utilisation)
        ),
        header: vec!["claims/s", "variant", "primaries"],
        rows: rows.collect(),
        words: vec![1],
    })
}

/// Why there is no table, where more primaries might be a remedy or none.
fn left_out(result: &RunResult) -> Option<Block> {
    let record = &result.record;
    let skewed = record.scenario.population.is_skewed();
    let alone = record.environment.valkey.primaries == 1;
    (record.arms.len() > 1 && alone && skewed).then(|| {
        Block::Line(format!("What the variants are worth in primaries is not told: {UNSEEN_ON_ONE_PRIMARY}."))
    })
}

fn cell(row: Option<&WorthRow>) -> String {
    let primaries = |n: Option<u32>| n.map_or_else(|| "none".to_owned(), |n| count(u64::from(n)));
    let Some(row) = row else { return "-".to_owned() };
    if row.fewest == row.most {
        return primaries(row.sizing.primaries);
    }
    format!("{} [{}, {}]", primaries(row.sizing.primaries), primaries(row.fewest), primaries(row.most))
}
