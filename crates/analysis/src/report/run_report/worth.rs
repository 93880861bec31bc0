//! What a way of claiming is worth in servers.

use super::super::document::Block;
use super::super::format::{count, share};
use super::super::words::UNSEEN_ON_ONE_PRIMARY;
use crate::judge::{RunResult, Worth, WorthMissing, WorthRow};

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

/// Why there is no table, where neither the scenario nor the rest of the report shows it.
fn left_out(result: &RunResult) -> Option<Block> {
    let why = match result.worth_missing()? {
        WorthMissing::OneVariant | WorthMissing::NoTargets | WorthMissing::CpuUnknown => return None,
        WorthMissing::Contenders => {
            "several workers go for each grant, and the servers' CPU is known of one who asks, not of a lease"
        }
        WorthMissing::SkewOnOnePrimary => UNSEEN_ON_ONE_PRIMARY,
    };
    Some(Block::Line(format!("What the variants are worth in primaries is not told: {why}.")))
}

fn cell(row: Option<&WorthRow>) -> String {
    let primaries = |n: Option<u32>| n.map_or_else(|| "none".to_owned(), |n| count(u64::from(n)));
    let Some(row) = row else { return "-".to_owned() };
    if row.fewest == row.most {
        return primaries(row.sizing.primaries);
    }
    format!("{} [{}, {}]", primaries(row.sizing.primaries), primaries(row.fewest), primaries(row.most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::record::RunRecord;
    use crate::scenario::SkewForm;

    /// What stands in the table's place for a skewed load on one primary, after a change of the run.
    fn said(change: impl FnOnce(&mut RunRecord)) -> String {
        let mut record = record(&[GRANT_LANE, HGET_LANE], 1);
        record.environment.valkey.primaries = 1;
        record.scenario.population.skew = SkewForm::Zipf(1.6);
        change(&mut record);
        match block(&analyse(record).unwrap()) {
            Some(Block::Line(line)) => line,
            Some(_) => panic!("there is a table"),
            None => String::new(),
        }
    }

    #[test]
    fn skew_is_blamed_for_what_it_hides_and_for_nothing_else() {
        let skewed = said(|_| ());
        assert!(skewed.contains(UNSEEN_ON_ONE_PRIMARY), "{skewed}");
        let raced = said(|record| record.scenario.load.contenders = 4);
        assert!(raced.contains("several workers") && !raced.contains(UNSEEN_ON_ONE_PRIMARY), "{raced}");
        assert_eq!(said(|record| record.blocks.clear()), "");
    }
}
