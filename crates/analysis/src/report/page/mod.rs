//! Results as a page: one file to look at, for everyone. The answer and whether to believe it come first,
//! then the differences, then what the designer, the engineer and the operator of a system look for, then
//! where it all comes from.
//!
//! ```text
//! RunResult, Capacity, Sweep ... ─► answer, sections (charts with the table behind them) ─► shell: one HTML file
//! ```
//!
//! Everything passes through `maud`, which escapes what stands in a file or a scenario.

mod calibration;
mod capacity;
mod compared;
mod figures;
mod history;
mod parts;
mod primaries;
mod run;
#[cfg(any(test, feature = "fixtures"))]
mod samples;
mod series;
mod shell;
mod sweep;
mod sweep_by_value;

#[cfg(any(test, feature = "fixtures"))]
pub use self::samples::{Sample, hour, samples};
use crate::judge::capacity::Capacity;
use crate::judge::{
    Calibration, FigureComparison, Gate, Repeated, RunResult, StoredComparison, Sweep, Trend,
};

/// One run, or several side by side.
pub fn runs(results: &[&RunResult]) -> String {
    match results {
        [one] => shell::page(&run::body(one)),
        several => {
            let bodies: Vec<_> = several.iter().map(|result| run::body(result)).collect();
            shell::several(&run::beside::title(several), &run::beside::overview(several), &bodies)
        }
    }
}

/// Capacity searches.
pub fn capacities(searches: &[&Capacity]) -> String {
    all("Capacity searches side by side", &searches.iter().map(|one| capacity::body(one)).collect::<Vec<_>>())
}

/// Sweeps, each with its scenario's name.
pub fn sweeps(sweeps: &[(&str, &Sweep)]) -> String {
    all(
        "Sweeps side by side",
        &sweeps.iter().map(|(scenario, one)| sweep::body(scenario, one)).collect::<Vec<_>>(),
    )
}

/// Series of runs, each with its scenario's name.
pub fn series(series: &[(&str, &Repeated, &Gate)]) -> String {
    let bodies = series.iter().map(|(scenario, repeated, gate)| series::body(scenario, repeated, gate));
    all("Series side by side", &bodies.collect::<Vec<_>>())
}

/// Calibrations.
pub fn calibrations(calibrations: &[&Calibration]) -> String {
    all(
        "Calibrations side by side",
        &calibrations.iter().map(|one| calibration::body(one)).collect::<Vec<_>>(),
    )
}

/// Two stored results, one against the other, and each by itself.
pub fn compared(compared: &StoredComparison, base: &RunResult, candidate: &RunResult) -> String {
    let bodies = [run::body(base), run::body(candidate)];
    shell::several("Candidate against base", &compared::overview(compared), &bodies)
}

/// Figures without intervals against each other.
pub fn figures(compared: &FigureComparison) -> String {
    shell::page(&figures::body(compared))
}

/// Metrics over time.
pub fn history(trends: &[Trend]) -> String {
    shell::page(&history::body(trends))
}

fn all(title: &str, bodies: &[shell::Body]) -> String {
    match bodies {
        [one] => shell::page(one),
        several => shell::several(title, &shell::answers(several), several),
    }
}

#[cfg(test)]
mod tests;
