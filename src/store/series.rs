//! What several runs of one scenario have come to.

use std::path::Path;

use super::error::StoreError;
use super::file_names::{self, PAGE, SERIES};
use super::json::{Format, bytes, document};
use super::result_dir::ResultDir;
use super::run_files::read_run;
use reclaim_analysis::report::{self, SERIES_SCHEMA, Series};

/// `repeat.json`.
const FORMAT: Format = Format { now: SERIES_SCHEMA, before: None, what: "a series of runs" };

/// Reads a series, given as its directory or its `repeat.json`. What it concludes comes from the runs' own
/// results.
pub fn read_series(path: &Path) -> Result<Series, StoreError> {
    let (dir, file) = file_names::parts(path, SERIES);
    let stored: Series = document(&file, &FORMAT)?;
    let read = |own: &String| {
        read_run(&dir.join(own)).map_err(|source| StoreError::Part {
            of: format!("the run {own} of the series"),
            source: Box::new(source),
        })
    };
    let results = stored.runs().iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let without = || StoreError::Contradictory { path: file, what: "it names no run".to_owned() };
    stored.with_results(results).ok_or_else(without)
}

impl ResultDir {
    /// Replaces what a series of runs has come to so far; the runs themselves have directories of their own
    /// in here.
    pub fn store_series(&self, series: &Series) -> Result<(), StoreError> {
        let json = bytes(SERIES, series)?;
        self.put_summary(&series.markdown())?;
        let page = report::html::series(&[(&series.scenario, &series.repeated, &series.gate)]);
        self.put(PAGE, page.as_bytes())?;
        self.put(SERIES, &json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::Conclusion;
    use reclaim_analysis::judge::analyse_as;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record, scenario};

    /// Neither an interruption nor a pass: whoever reads the series later finds the error, in words and in
    /// figures.
    #[test]
    fn an_error_that_ended_a_series_is_kept_and_is_the_reason() {
        let output = tempfile::tempdir().unwrap();
        let dir = ResultDir::create(output.path(), "x-repeat").unwrap();
        let own = ResultDir::create(dir.path(), "x").unwrap();
        let mut record = record(&[GRANT_LANE], 1);
        record.scenario.gate.enforce = true;
        let result = analyse_as(record, &scenario(&[GRANT_LANE]));
        own.store_run(&result).unwrap();
        let mut series = Series::begin(&result.record.scenario.clone(), 1, 3);
        series.add(result, own.name());
        assert!(series.markdown().contains("exit 130"), "so far it is one that was cut short");
        series.end("the server did not start".to_owned());
        dir.store_series(&series).unwrap();
        let read = read_series(dir.path()).unwrap();
        for series in [&series, &read] {
            assert_eq!(series.gate.conclusion, Conclusion::Invalid);
            for text in [series.markdown(), series.pull_request(), series.junit()] {
                assert!(text.contains("the server did not start") && !text.contains("130"), "{text}");
            }
            assert!(series.markdown().contains("(exit 2)"));
        }
        for name in [SERIES, "summary.md", PAGE] {
            let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
            assert!(text.contains("the server did not start"), "{name}: {text}");
        }
    }
}
