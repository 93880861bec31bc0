//! Comma-separated values (RFC 4180), as spreadsheets and plotting programs read them.

use csv::Writer;

/// Lines under a header.
pub(super) struct CsvTable {
    // Lines go into memory, and each has what its caller gives it: writing cannot fail.
    writer: Writer<Vec<u8>>,
}

impl CsvTable {
    /// With a header.
    pub(super) fn new<T: AsRef<[u8]>>(header: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self { writer: csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()) };
        table.line(header);
        table
    }

    /// Adds a line.
    pub(super) fn line<T: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = T>) {
        let _ = self.writer.write_record(fields);
    }

    /// The whole text.
    pub(super) fn text(self) -> String {
        self.writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// A figure as a field: empty where it is not known, or no number.
pub(super) fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| format!("{value:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_field() {
        let mut table = CsvTable::new(["name", "n"]);
        table.line(["a,\"b\"", "1"]);
        assert_eq!(table.text(), "name,n\n\"a,\"\"b\"\"\",1\n");
        assert_eq!([number(None), number(Some(f64::NAN)), number(Some(0.5))], ["", "", "0.500000"]);
    }
}
