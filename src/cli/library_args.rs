//! Function libraries named on the command line.

use anyhow::bail;
use clap::Args;

use reclaim_analysis::scenario::{Scenario, ScenarioFile};

/// The two sides of a library duet.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Function library")]
pub struct LibraryArgs {
    /// What the baseline runs: `published`, a file, or <REV>:<PATH> to read it with git
    #[arg(long, value_name = "LIBRARY")]
    base_library: Option<String>,
    /// What is compared with it: the library of every arm but the baseline
    #[arg(long, value_name = "LIBRARY")]
    candidate_library: Option<String>,
}

impl LibraryArgs {
    /// Puts the libraries into a scenario that is right so far, and checks it again.
    pub fn apply(
        &self,
        (mut file, scenario): (ScenarioFile, Scenario),
    ) -> anyhow::Result<(ScenarioFile, Scenario)> {
        let baseline = scenario.compare.as_ref().map(|compare| compare.baseline.as_str());
        if let Some(base) = &self.base_library {
            file.library.source = Some(base.clone());
            if let Some(arm) = file.variants.iter_mut().find(|arm| Some(arm.name.as_str()) == baseline) {
                arm.library = None;
            }
        }
        if let Some(candidate) = &self.candidate_library {
            let Some(baseline) = baseline else {
                bail!(
                    "--candidate-library: {} has a single variant, so there is nothing to compare with; use the \
                     scenario library-duet",
                    file.name
                );
            };
            for arm in file.variants.iter_mut().filter(|arm| arm.name != baseline) {
                arm.library = Some(candidate.clone());
            }
        }
        checked(file)
    }
}

fn checked(file: ScenarioFile) -> anyhow::Result<(ScenarioFile, Scenario)> {
    let scenario = Scenario::try_from(&file)?;
    Ok((file, scenario))
}
