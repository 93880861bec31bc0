//! What a suspended execution waits for, in the JSON that `ff_suspend_execution` reads.
//!
//! The function's `initialize_condition` takes the matchers from `required_signal_names`; an empty list would
//! let any signal resume the execution.

use serde::Serialize;

/// What happens when a suspension outlives its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// The execution becomes runnable again, its attempt still interrupted.
    AutoResume,
    /// The execution fails.
    Fail,
}

impl OnTimeout {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::AutoResume => "auto_resume",
            Self::Fail => "fail",
        }
    }
}

/// Condition and policy of a resume, encoded once and used for any number of suspensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeCondition {
    pub(super) condition_json: String,
    pub(super) policy_json: String,
    pub(super) on_timeout: OnTimeout,
}

#[derive(Serialize)]
struct Condition<'a> {
    #[serde(rename = "condition_type")]
    kind: &'static str,
    required_signal_names: [&'a str; 1],
    signal_match_mode: &'static str,
    minimum_signal_count: u32,
    timeout_behavior: &'static str,
    allow_operator_override: bool,
}

#[derive(Serialize)]
struct Policy {
    resume_target: &'static str,
    consume_matched_signals: bool,
    retain_signal_buffer_until_closed: bool,
    close_waitpoint_on_resume: bool,
}

impl ResumeCondition {
    /// One signal with this name resumes the execution; so does an operator, and a timeout as `on_timeout`
    /// says.
    ///
    /// # Panics
    /// With an empty name, which would match every signal: a programming error.
    pub fn on_signal(name: &str, on_timeout: OnTimeout) -> Self {
        assert!(!name.is_empty(), "an empty signal name matches every signal");
        let condition = Condition {
            kind: "signal_set",
            required_signal_names: [name],
            signal_match_mode: "any",
            minimum_signal_count: 1,
            timeout_behavior: on_timeout.as_str(),
            allow_operator_override: true,
        };
        let policy = Policy {
            resume_target: "runnable",
            consume_matched_signals: true,
            retain_signal_buffer_until_closed: false,
            close_waitpoint_on_resume: true,
        };
        Self { condition_json: json(&condition), policy_json: json(&policy), on_timeout }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structs of text, numbers and flags always encode")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_and_stands_where_the_function_looks() {
        let condition = ResumeCondition::on_signal("say \"go\"", OnTimeout::AutoResume);
        let read: serde_json::Value = serde_json::from_str(&condition.condition_json).unwrap();
        assert_eq!(read["required_signal_names"], serde_json::json!(["say \"go\""]));
        assert_eq!(read["condition_type"], "signal_set");
        assert_eq!(read["minimum_signal_count"], 1);
        assert_eq!(read["timeout_behavior"], "auto_resume");
    }
}
