//! What the runs of a series say to their reader, each thing once.

use serde_json::Value;

use super::words;
use crate::judge::Repeated;
use crate::record::Warning;

/// What runs say to their reader.
struct Remark {
    /// What it is of, whatever its figures.
    topic: Value,
    /// As the first of them says it.
    text: String,
    first: usize,
    last: usize,
    runs: usize,
    /// Whether other runs have the same warning with different figures.
    differs: bool,
}

/// What the runs say to their reader, each thing once and with in how many runs. What differs in its figures
/// alone is one thing: hardly any share is the same in two runs.
pub(super) fn remarks(repeated: &Repeated) -> Vec<String> {
    let mut once: Vec<Remark> = Vec::new();
    for (n, attempt) in repeated.attempts.iter().enumerate() {
        for warning in &attempt.warnings {
            let (topic, text) = (topic(warning), words::warning(warning));
            match once.iter_mut().find(|known| known.last < n && known.topic == topic) {
                Some(known) => {
                    (known.last, known.runs) = (n, known.runs + 1);
                    known.differs |= known.text != text;
                }
                None => once.push(Remark { topic, text, first: n, last: n, runs: 1, differs: false }),
            }
        }
    }
    let all = repeated.attempts.len();
    let said = |Remark { text, first, runs, differs, .. }: Remark| match (runs == all, differs) {
        (true, false) => text,
        (false, false) => format!("in {runs} of {all} runs: {text}"),
        (_, true) => {
            format!("in {runs} of {all} runs, each with its own figures; in run {}: {text}", first + 1)
        }
    };
    once.into_iter().map(said).collect()
}

/// What a warning is of: its kind and all that it names, without its figures.
fn topic(warning: &Warning) -> Value {
    // What cannot be written is known by its sentence.
    let mut topic = serde_json::to_value(warning).unwrap_or_else(|_| Value::String(words::warning(warning)));
    drop_figures(&mut topic);
    topic
}

fn drop_figures(value: &mut Value) {
    match value {
        Value::Number(_) => *value = Value::Null,
        Value::Array(all) => all.iter_mut().for_each(drop_figures),
        Value::Object(all) => {
            for (key, of_key) in all {
                // These are names: of a generator, and of a fault.
                if !matches!(key.as_str(), "part" | "number") {
                    drop_figures(of_key);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
