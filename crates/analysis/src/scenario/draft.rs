//! A scenario on its way from its file to what is run: everything is laid over the text first, then checked
//! once.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::{KeyProblem, Place, ScenarioError};
use super::file::{ScenarioFile, VariantSection};
use super::library::LibrarySource;
use super::load_section::ArrivalsForm;
use super::model::{ClusterSpec, Scenario};
use super::overrides::{Override, Sources};
use super::sdk_source::SdkSource;
use super::server::ServerForm;
use super::{capacity_rules, validate};

/// A scenario's text, and what a command line changes in it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The file's name in errors.
    pub source: String,
    /// Its text.
    pub text: String,
    /// The directory that paths in the text are relative to; empty for the current one. Paths in options are
    /// always relative to the current one.
    pub dir: PathBuf,
    /// Options that set keys; later ones win.
    pub overrides: Vec<Override>,
    /// `--base-library`: what the baseline runs.
    pub base_library: Option<String>,
    /// `--candidate-library`: what every arm but the baseline runs.
    pub candidate_library: Option<String>,
    /// `--base-server` and `--base-config`: the server of the baseline.
    pub base_server: ServerOption,
    /// `--candidate-server` and `--candidate-config`: that of every arm but the baseline.
    pub candidate_server: ServerOption,
    /// `--base-sdk`: what the baseline's worker is built against.
    pub base_sdk: Option<String>,
    /// `--candidate-sdk`: what every other worker is built against.
    pub candidate_sdk: Option<String>,
    /// Whether a capacity search has to be able to work with it.
    pub for_capacity: bool,
}

/// What options say of the server of an arm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerOption {
    /// Its binary.
    pub path: Option<String>,
    /// Its settings.
    pub config: Vec<(String, String)>,
}

impl ServerOption {
    fn is_given(&self) -> bool {
        self.path.is_some() || !self.config.is_empty()
    }

    /// As it was written, for errors; `side` is `base` or `candidate`.
    fn shown(&self, side: &str) -> String {
        let path = self.path.iter().map(|path| format!("--{side}-server {path}"));
        let config = self.config.iter().map(|(name, value)| format!("--{side}-config {name}={value}"));
        path.chain(config).collect::<Vec<_>>().join(" ")
    }
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

    /// Applies everything, then checks everything. The error names each problem with its file, line and key,
    /// or with the option that it comes from.
    pub fn check(&self) -> Result<Scenario, ScenarioError> {
        let sources = Sources::new(&self.source, &self.text, &self.overrides)?;
        let mut document = Document::new(&sources)?;
        let mut file = document.typed()?;
        self.rebase(&mut file, &document);
        self.lay_libraries(&mut file, &mut document)?;
        self.lay_servers(&mut file, &mut document)?;
        self.lay_sdks(&mut file, &mut document)?;
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
            if document.stands_in_file(&format!("variant[{n}].sdk")) {
                variant.sdk = variant.sdk.take().map(|sdk| SdkSource::rebase(&sdk, &self.dir));
            }
        }
        for (n, variant) in file.variants.iter_mut().enumerate() {
            if let Some(server) =
                variant.server.as_mut().filter(|_| document.stands_in_file(&format!("variant[{n}].server")))
            {
                server.rebase(&self.dir);
            }
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
            let baseline =
                baseline.ok_or_else(|| nothing_to_compare(file, option.clone(), "library-duet"))?;
            for (n, arm) in file.variants.iter_mut().enumerate().filter(|(_, arm)| arm.name != baseline) {
                arm.library = Some(candidate.clone());
                document.comes_from(&format!("variant[{n}].library"), &option);
            }
        }
        Ok(())
    }

    /// The servers of a server duet.
    fn lay_servers(&self, file: &mut ScenarioFile, document: &mut Document<'_>) -> Result<(), ScenarioError> {
        if !self.base_server.is_given() && !self.candidate_server.is_given() {
            return Ok(());
        }
        let baseline = file.compare.as_ref().and_then(|compare| compare.baseline.clone());
        let option =
            format!("{} {}", self.base_server.shown("base"), self.candidate_server.shown("candidate"));
        let option = option.trim().to_owned();
        let baseline = baseline.ok_or_else(|| nothing_to_compare(file, option, "server-duet"))?;
        for (n, arm) in file.variants.iter_mut().enumerate() {
            let (given, side) = if arm.name == baseline {
                (&self.base_server, "base")
            } else {
                (&self.candidate_server, "candidate")
            };
            if given.is_given() {
                arm.server = Some(ServerForm::with(arm.server.as_ref(), given.path.as_ref(), &given.config));
                let key = format!("variant[{n}].server");
                for (name, _) in &given.config {
                    document.comes_from(&format!("{key}.config.{name}"), &given.shown(side));
                }
                document.comes_from(&format!("{key}.path"), &given.shown(side));
                document.comes_from(&key, &given.shown(side));
            }
        }
        Ok(())
    }

    /// The sides of an SDK duet. Only a scenario whose arms have SDKs has any.
    fn lay_sdks(&self, file: &mut ScenarioFile, document: &mut Document<'_>) -> Result<(), ScenarioError> {
        let baseline = file.compare.as_ref().and_then(|compare| compare.baseline.clone());
        for (sdk, name, is_base) in
            [(&self.base_sdk, "--base-sdk", true), (&self.candidate_sdk, "--candidate-sdk", false)]
        {
            let Some(sdk) = sdk else { continue };
            let option = format!("{name} {sdk}");
            let side =
                |arm: &VariantSection| arm.sdk.is_some() && (Some(&arm.name) == baseline.as_ref()) == is_base;
            if !file.variants.iter().any(side) {
                let what = format!(
                    "{} has no such side with an SDK of its own; use the scenario sdk-duet",
                    file.name
                );
                let problem = KeyProblem { key: "variant".to_owned(), what };
                return Err(ScenarioError::one(Place::Option(option), problem));
            }
            for (n, arm) in file.variants.iter_mut().enumerate().filter(|(_, arm)| side(arm)) {
                arm.sdk = Some(sdk.clone());
                document.comes_from(&format!("variant[{n}].sdk"), &option);
            }
        }
        Ok(())
    }
}

/// An option for arms beside the baseline, where there are none.
fn nothing_to_compare(file: &ScenarioFile, option: String, scenario: &str) -> ScenarioError {
    let what = format!(
        "{} has a single one, so there is nothing to compare with; use the scenario {scenario}",
        file.name
    );
    ScenarioError::one(Place::Option(option), KeyProblem { key: "variant".to_owned(), what })
}

/// The cluster that options alone ask for, for commands that run no scenario.
pub fn cluster_alone(overrides: &[Override]) -> Result<ClusterSpec, ScenarioError> {
    let sources = Sources::new("", "", overrides)?;
    let document = Document::new(&sources)?;
    let section = document.cluster()?;
    validate::check_cluster_alone(&section).map_err(|invalid| document.locate(invalid.0))
}
