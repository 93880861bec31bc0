//! A scenario on its way from its file to what is run: everything is laid over the text first, then checked once.

use std::path::{Path, PathBuf};

use super::document::{Document, Override, Sources};
use super::error::{KeyProblem, Place, ScenarioError};
use super::file::{ArrivalsForm, ScenarioFile};
use super::library::LibrarySource;
use super::model::{ClusterSpec, Scenario};
use super::{capacity_rules, validate};

/// A scenario's text, and what a command line changes in it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The file's name in errors.
    pub source: String,
    /// Its text.
    pub text: String,
    /// The directory that paths in the text are relative to; empty for the current one. Paths in options are always
    /// relative to the current one.
    pub dir: PathBuf,
    /// Options that set keys; later ones win.
    pub overrides: Vec<Override>,
    /// `--base-library`: what the baseline runs.
    pub base_library: Option<String>,
    /// `--candidate-library`: what every arm but the baseline runs.
    pub candidate_library: Option<String>,
    /// Whether a capacity search has to be able to work with it.
    pub for_capacity: bool,
}

impl Draft {
    /// The text as it stands.
    pub fn new(source: &str, text: &str) -> Self {
        Self { source: source.to_owned(), text: text.to_owned(), ..Self::default() }
    }

    /// With options on top.
    #[must_use]
    pub fn with(self, overrides: &[Override]) -> Self {
        Self { overrides: overrides.to_vec(), ..self }
    }

    /// Applies everything, then checks everything. The error names each problem with its file, line and key, or with
    /// the option that it comes from.
    pub fn check(&self) -> Result<Scenario, ScenarioError> {
        let sources = Sources::new(&self.source, &self.text, &self.overrides)?;
        let mut document = sources.document()?;
        let mut file = document.typed()?;
        self.rebase(&mut file, &document);
        self.lay_libraries(&mut file, &mut document)?;
        let checked = validate::check(file).and_then(|scenario| {
            if self.for_capacity {
                capacity_rules::suits(scenario.file())?;
            }
            Ok(scenario)
        });
        checked.map_err(|invalid| document.locate(invalid.0))
    }

    /// Paths that stand in the file are seen from its directory.
    fn rebase(&self, file: &mut ScenarioFile, document: &Document<'_>) {
        if self.dir == Path::new("") {
            return;
        }
        let rebase = |key: &str, name: &mut Option<String>| {
            if document.stands_in_file(key) {
                *name = name.take().map(|name| LibrarySource::rebase(&name, &self.dir));
            }
        };
        rebase("library.source", &mut file.library.source);
        for (n, variant) in file.variants.iter_mut().enumerate() {
            rebase(&format!("variant[{n}].library"), &mut variant.library);
        }
        if let Some(ArrivalsForm::Trace(trace)) = &mut file.load.arrivals
            && document.stands_in_file("load.arrivals.trace")
            && Path::new(trace).is_relative()
        {
            *trace = self.dir.join(&*trace).display().to_string();
        }
    }

    /// The sides of a library duet. Which keys they are depends on the baseline.
    fn lay_libraries(
        &self,
        file: &mut ScenarioFile,
        document: &mut Document<'_>,
    ) -> Result<(), ScenarioError> {
        file.resolve();
        let baseline = file.compare.as_ref().and_then(|compare| compare.baseline.clone());
        if let Some(base) = &self.base_library {
            file.library.source = Some(base.clone());
            document.comes_from("library.source", &format!("--base-library {base}"));
            if let Some(arm) = file.variants.iter_mut().find(|arm| Some(&arm.name) == baseline.as_ref()) {
                arm.library = None;
            }
        }
        if let Some(candidate) = &self.candidate_library {
            let option = format!("--candidate-library {candidate}");
            let Some(baseline) = baseline else {
                let what = format!(
                    "{} has a single one, so there is nothing to compare with; use the scenario library-duet",
                    file.name
                );
                let problem = KeyProblem { key: "variant".to_owned(), what };
                return Err(ScenarioError::one(Place::Option(option), problem));
            };
            for (n, arm) in file.variants.iter_mut().enumerate().filter(|(_, arm)| arm.name != baseline) {
                arm.library = Some(candidate.clone());
                document.comes_from(&format!("variant[{n}].library"), &option);
            }
        }
        Ok(())
    }
}

/// The cluster that options alone ask for, for commands that run no scenario.
pub fn cluster_alone(overrides: &[Override]) -> Result<ClusterSpec, ScenarioError> {
    let sources = Sources::new("", "", overrides)?;
    let document = sources.document()?;
    let section = document.cluster()?;
    validate::check_cluster_alone(&section).map_err(|invalid| document.locate(invalid.0))
}
