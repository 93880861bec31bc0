//! What a way of claiming is worth in servers.

use super::super::document::Block;
use super::super::format::{count, share};
use super::super::words::UNSEEN_ON_ONE_PRIMARY;
use crate::judge::{RunResult, Worth, WorthMissing, WorthRow};
use crate::scenario::{ModelForm, VariantPath};
use crate::stats::CONFIDENCE;

/// Primaries by rate and variant, and of which load the servers' CPU is; or why there are none.
pub(super) fn blocks(result: &RunResult) -> Vec<Block> {
    match result.worth.first() {
        Some(first) => vec![primaries(result, first), Block::Line(of_which_load(result))],
        None => left_out(result).into_iter().collect(),
    }
}

/// A claim costs less CPU on a server that has more to do at a time, and what variants differ by shrinks with it. And
/// which variants' claims have the grant's cost in them.
pub(in crate::report) fn of_which_load(result: &RunResult) -> String {
    let load = &result.record.scenario.load;
    let load = match (load.model, load.in_flight()) {
        (ModelForm::Open, _) => "at the rate of this run".to_owned(),
        (ModelForm::Closed, 1) => "with 1 claim in flight".to_owned(),
        (ModelForm::Closed, n) => format!("with {} claims in flight", count(u64::from(n))),
    };
    format!(
        "That is by the servers' CPU of a claim {load}. Servers with more to do at a time take less for each as a rule, and variants differ \
         by less there: a capacity search measures at the rate itself. {}",
        grants(result)
    )
}

/// Whether grants are counted, which another function issues for all variants but `fused`.
fn grants(result: &RunResult) -> String {
    let own = |arm: &&Worth| result.record.arm(&arm.name).is_some_and(|arm| arm.path == VariantPath::Fused);
    let fused: Vec<&str> = result.worth.iter().filter(own).map(|arm| arm.name.as_str()).collect();
    if fused.is_empty() {
        return "Counted are claims alone: issuing their grants comes on top.".to_owned();
    }
    if fused.len() == result.worth.len() {
        return "Claims issue their own grants here, which are counted.".to_owned();
    }
    format!(
        "Counted are claims alone: issuing their grants comes on top, except for {}, whose claims issue their own.",
        fused.join(" and ")
    )
}

fn primaries(result: &RunResult, first: &Worth) -> Block {
    let row = |n: usize, arm: &Worth| {
        let rate = count(first.rows[n].sizing.rate_per_s as u64);
        vec![rate, arm.name.clone(), cell(arm.rows.get(n))]
    };
    let rows = (0..first.rows.len()).flat_map(|n| result.worth.iter().map(move |arm| row(n, arm)));
    Block::Table {
        heading: format!(
            "What it is worth: primaries needed, main threads at most {} busy ({} interval of the server CPU)",
            share(first.basis.utilisation),
            share(CONFIDENCE)
        ),
        header: vec!["claims/s", "variant", "primaries"],
        rows: rows.collect(),
        words: vec![1],
    }
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
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record};
    use crate::record::RunRecord;
    use crate::scenario::SkewForm;

    /// What stands in the table's place for a skewed load on one primary, after a change of the run.
    fn said(change: impl FnOnce(&mut RunRecord)) -> String {
        let mut record = record(&[GRANT_LANE, HGET_LANE], 1);
        record.environment.valkey.primaries = 1;
        record.scenario.population.skew = SkewForm::Zipf(1.6);
        change(&mut record);
        match blocks(&analyse(record).unwrap()).as_slice() {
            [Block::Line(line)] => line.clone(),
            [] => String::new(),
            more => panic!("there is a table: {more:?}"),
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

    #[test]
    fn a_grant_is_counted_for_fused_and_for_nobody_else() {
        let said = |arms: &[SimulatedArm]| of_which_load(&analyse(record(arms, 1)).unwrap());
        let fused = |name| SimulatedArm { name, path: VariantPath::Fused, ..GRANT_LANE };
        let alone = said(&[GRANT_LANE, HGET_LANE]);
        assert!(alone.ends_with("issuing their grants comes on top."), "{alone}");
        let mixed = said(&[GRANT_LANE, fused("fused")]);
        assert!(mixed.ends_with("comes on top, except for fused, whose claims issue their own."), "{mixed}");
        let all = said(&[fused("one"), fused("two")]);
        assert!(all.ends_with("which are counted.") && !all.contains("on top"), "{all}");
    }
}
