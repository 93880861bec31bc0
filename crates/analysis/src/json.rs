//! JSON of whole documents, made and read here for every crate that needs it.
//!
//! What serde derives is generic over the format, so a crate that calls `serde_json::from_str::<RunRecord>`
//! compiles the reading of every type in a record once more. These functions are not generic: a caller links
//! to what this crate has.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Result, Value};

/// A document that is written as a line of JSON.
pub trait ToJsonLine {
    /// Without the line break.
    fn to_json_line(&self) -> Result<String>;

    /// As a tree.
    fn to_json_value(&self) -> Result<Value> {
        serde_json::from_str(&self.to_json_line()?)
    }
}

/// A document that has a file of its own.
pub trait ToJsonFile {
    /// Indented, with a line break at its end.
    fn to_json_file(&self) -> Result<String>;
}

/// A document that is read from JSON.
pub trait FromJson: Sized {
    /// What a text says.
    fn from_json(text: &str) -> Result<Self>;

    /// What a tree says.
    fn from_json_value(json: &Value) -> Result<Self> {
        // By way of its text: serde's code for a second format would be as much again.
        Self::from_json(&json.to_string())
    }
}

/// Writes documents of these types as lines, where they are defined.
macro_rules! to_json_line {
    ($($document:ty),+ $(,)?) => {$(
        impl $crate::json::ToJsonLine for $document {
            fn to_json_line(&self) -> serde_json::Result<String> {
                serde_json::to_string(self)
            }
        }
    )+};
}

/// Writes documents of these types as files, where they are defined.
macro_rules! to_json_file {
    ($($document:ty),+ $(,)?) => {$(
        impl $crate::json::ToJsonFile for $document {
            fn to_json_file(&self) -> serde_json::Result<String> {
                Ok(serde_json::to_string_pretty(self)? + "\n")
            }
        }
    )+};
}

/// Reads documents of these types, where they are defined.
macro_rules! from_json {
    ($($document:ty),+ $(,)?) => {$(
        impl $crate::json::FromJson for $document {
            fn from_json(text: &str) -> serde_json::Result<Self> {
                serde_json::from_str(text)
            }
        }
    )+};
}

pub(crate) use {from_json, to_json_file, to_json_line};

/// Several documents as one text: a list of them, as [`ToJsonFile::to_json_file`] would have it.
pub fn pretty_list(documents: &[impl ToJsonFile]) -> Result<String> {
    let indented = |document| {
        // A string in JSON has no line break of its own.
        ToJsonFile::to_json_file(document)
            .map(|text| format!("\n  {}", text.trim_end().replace('\n', "\n  ")))
    };
    let all = documents.iter().map(indented).collect::<Result<Vec<_>>>()?;
    Ok(if all.is_empty() { "[]\n".to_owned() } else { format!("[{}\n]\n", all.join(",")) })
}

/// Writes a document within another one: for `#[serde(with = "reclaim_analysis::json")]`.
pub fn serialize<S: Serializer>(
    document: &impl ToJsonLine,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    document.to_json_value().map_err(serde::ser::Error::custom)?.serialize(serializer)
}

/// Reads a document within another one: for `#[serde(with = "reclaim_analysis::json")]`.
pub fn deserialize<'a, T: FromJson, D: Deserializer<'a>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    T::from_json_value(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Within {
        #[serde(with = "crate::json")]
        document: Vec<u64>,
    }

    to_json_line!(Vec<u64>);
    to_json_file!(Vec<u64>, String);
    from_json!(Vec<u64>);

    #[test]
    fn a_list_of_documents_is_what_serde_json_makes_of_all_of_them() {
        let text = "two\nlines".to_owned();
        for documents in [vec![], vec![vec![]], vec![vec![1, 2], vec![], vec![3]]] {
            let whole = serde_json::to_string_pretty(&documents).unwrap() + "\n";
            assert_eq!(pretty_list(&documents).unwrap(), whole);
        }
        let texts = [text.clone(), text];
        assert_eq!(pretty_list(&texts).unwrap(), serde_json::to_string_pretty(&texts).unwrap() + "\n");
    }

    #[test]
    fn a_document_within_another_is_as_serde_has_it_and_damage_is_named() {
        let within = Within { document: vec![1, u64::MAX] };
        let text = serde_json::to_string(&within).unwrap();
        assert_eq!(text, format!(r#"{{"document":[1,{}]}}"#, u64::MAX));
        assert_eq!(serde_json::from_str::<Within>(&text).unwrap(), within);
        let error = serde_json::from_str::<Within>(r#"{"document":[-1]}"#).unwrap_err().to_string();
        assert!(error.contains("-1"), "{error}");
    }
}
