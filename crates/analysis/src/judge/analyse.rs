//! The whole analysis of one run on one screen.

use crate::record::RunRecord;
use crate::scenario::{InvalidScenario, Scenario};

use super::beside_others::allowance;
use super::comparison::{Judgement, judge};
use super::generators;
use super::profile::profile;
use super::recovery::recoveries;
use super::result::{RunResult, SCHEMA};
use super::runs_before::add_next_run;
use super::summary::summarise;
use super::validity::{invalid_reasons, warnings};
use super::worth_in_primaries::worth;

/// Draws every conclusion from a stored record, by the scenario that it holds.
pub fn analyse(record: RunRecord) -> Result<RunResult, InvalidScenario> {
    let scenario = Scenario::try_from(&record.scenario)?;
    Ok(analyse_as(record, &scenario))
}

/// Draws every conclusion from a record. `scenario` is the validated form of `record.scenario`; the record's
/// own seed drives resampling, so the result of a record is always the same.
pub fn analyse_as(record: RunRecord, scenario: &Scenario) -> RunResult {
    let invalid_reasons = invalid_reasons(&record, scenario);
    let mut warnings = warnings(&record, scenario);
    let variants = summarise(&record);
    let allowed = allowance(&record, &warnings);
    let Judgement { mut comparisons, exact, control, remarks } =
        scenario.compare.as_ref().map(|compare| judge(&record, compare, allowed)).unwrap_or_default();
    add_next_run(&mut comparisons, &record.runs_before);
    warnings.extend(remarks);
    RunResult {
        schema: SCHEMA.to_owned(),
        valid: invalid_reasons.is_empty(),
        invalid_reasons,
        warnings,
        variants,
        comparisons,
        exact,
        control,
        worth: worth(&record),
        recoveries: recoveries(&record),
        profile: profile(&record),
        generator_summaries: generators::summarise(&record, scenario),
        record,
    }
}

#[cfg(test)]
mod control_tests;
#[cfg(test)]
mod counter_tests;
#[cfg(test)]
mod invalid_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
