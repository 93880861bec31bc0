//! The reference of the scenario format and of results, as Markdown for docs/: made from the types by way of
//! their JSON schemas, so that it says what is read and written, with the words that stand beside each field.

mod result;
mod scenario;
mod words;

pub use result::result_reference;
pub use scenario::scenario_reference;
