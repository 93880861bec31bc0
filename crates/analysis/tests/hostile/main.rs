//! Scenario files and stored results, whole, damaged and hostile: an error that says what is wrong, never a
//! panic, an abort or a hang.

mod harness;

use harness::withstands;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::stats::Latencies;
use reclaim_analysis::{report, scenario};

const SCENARIO_WORDS: &[&str] = &[
    "schema = 1\n",
    "[load]\n",
    "[population]\n",
    "[[variant]]\n",
    "[compare]\n",
    "[slo]\n",
    "[capacity]\n",
    "[gate]\n",
    "mode = \"churn\"\n",
    "mode = \"storm\"\n",
    "model = \"open\"\n",
    "rate = 1e300\n",
    "rate = nan\n",
    "rate = -0.0\n",
    "claims = 9223372036854775807\n",
    "claims = 0\n",
    "duration = \"9999999999h\"\n",
    "duration = \"0s\"\n",
    "arrivals = { burst = { size = 0, every = \"0s\" } }\n",
    "skew = { zipf = inf }\n",
    "partitions = 65536\n",
    "lanes = 4294967296\n",
    "strata = 1\n",
    "path = \"hget-lane\"\n",
    "name = \"\\u0000\"\n",
    "\"",
    "'",
    "=",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "-1",
    "1e400",
    "0x7fffffffffffffff",
    "\u{feff}",
    "\u{202e}",
    "null",
];

#[test]
fn a_hostile_scenario_file_is_read_or_refused() {
    let shipped = scenario::SHIPPED.iter().map(|shipped| shipped.text.as_bytes().to_vec()).collect();
    withstands("scenario", shipped, SCENARIO_WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        match scenario::parse("hostile", &text) {
            Ok(scenario) => {
                // What a result keeps of a scenario can be read again.
                let kept = serde_json::to_value(scenario.file()).unwrap();
                let back: scenario::ScenarioFile = serde_json::from_value(kept.clone()).unwrap();
                assert_eq!(serde_json::to_value(&back).unwrap(), kept);
            }
            Err(error) => assert!(!error.to_string().trim().is_empty()),
        }
    });
}

const RESULT_WORDS: &[&str] = &[
    "null",
    "-1",
    "0",
    "1e308",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "[]",
    "{}",
    "true",
    ",",
    ":",
    "\"NaN\"",
    "[[[[[[[[",
    "\\u0000",
    "\\ud800",
    "9999999999999999999999",
    "AAAAAAAA",
    "HISTFAAA",
    "\"",
    "}",
];

#[test]
fn a_hostile_result_is_read_or_refused() {
    let whole = include_bytes!("corpus/result/lane-ab.json");
    assert!(serde_json::from_slice::<RunResult>(whole).is_ok(), "the corpus holds what can be read");
    withstands("result", Vec::new(), RESULT_WORDS, |input| {
        let Ok(result) = serde_json::from_slice::<RunResult>(input) else { return };
        for arm in &result.record.arms {
            let _ = Latencies::decode(&arm.service);
        }
        assert!(!report::text(&result, None).is_empty() && !report::markdown(&result).is_empty());
        let _ = reclaim_analysis::judge::analyse(result.record);
    });
}
