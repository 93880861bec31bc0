//! Options as changes to a scenario.

use reclaim_analysis::scenario::Override;

/// Collects changes, each with the option that errors will name.
#[derive(Default)]
pub struct Changes(Vec<Override>);

impl Changes {
    /// Sets a key to a TOML value; `given` is what was written on the command line.
    pub fn set(&mut self, option: &str, given: &str, key: &str, value: String) {
        self.0.push(Override { shown: format!("{option} {given}"), key: key.to_owned(), value: Some(value) });
    }

    /// As [`Self::set`], where what was written is the value.
    pub fn plain(&mut self, option: &str, key: &str, value: &impl ToString) {
        let value = value.to_string();
        self.set(option, &value.clone(), key, value);
    }

    /// As [`Self::plain`], if the option is there.
    pub fn option(&mut self, option: &str, key: &str, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.plain(option, key, value);
        }
    }

    /// Takes a key out.
    pub fn drop(&mut self, key: &str) {
        self.0.push(Override { shown: String::new(), key: key.to_owned(), value: None });
    }
}

impl From<Changes> for Vec<Override> {
    fn from(changes: Changes) -> Self {
        changes.0
    }
}
