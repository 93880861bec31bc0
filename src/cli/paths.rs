//! Paths in scenario files, and the files that they name.

use std::path::Path;

use crate::load::{TraceError, read_trace};
use reclaim_analysis::scenario::{
    Arrivals, ArrivalsForm, LibrarySource, Model, Override, Scenario, ScenarioFile,
};

/// Paths that stand in a scenario file of `dir` are relative to it; those of options are not.
pub fn seen_from(
    dir: &Path,
    mut file: ScenarioFile,
    options: &[Override],
) -> anyhow::Result<(ScenarioFile, Scenario)> {
    let set = |section: &str| options.iter().any(|option| option.key.starts_with(section));
    let rebase = |name: &mut Option<String>| {
        *name = name.take().map(|name| LibrarySource::rebase(&name, dir));
    };
    if !set("library") {
        rebase(&mut file.library.source);
    }
    if !set("variant") {
        file.variants.iter_mut().for_each(|variant| rebase(&mut variant.library));
    }
    let replaced = options.iter().any(|option| option.key == "load") || set("load.arrivals");
    if let Some(ArrivalsForm::Trace(trace)) = &mut file.load.arrivals
        && !replaced
        && Path::new(trace).is_relative()
    {
        *trace = dir.join(&*trace).display().to_string();
    }
    let scenario = Scenario::try_from(&file)?;
    Ok((file, scenario))
}

/// Reads the recorded arrivals that a scenario names, so that what is wrong with them is said before a server is looked
/// for.
pub fn check_trace(scenario: &Scenario) -> Result<(), TraceError> {
    match &scenario.load.model {
        Model::Open { arrivals: Arrivals::Trace { file }, .. } => read_trace(file).map(drop),
        Model::Open { .. } | Model::Closed { .. } => Ok(()),
    }
}
