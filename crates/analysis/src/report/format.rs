//! Figures as a reader wants them.

use crate::stats::Estimate;

/// Text from files and servers as a terminal or a page may have it: in one line, without control characters and without
/// marks that turn the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}

/// A count with thousands apart.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Four significant digits or so: `0.42`, `27.3`, `1,234`.
pub(super) fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 1_000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(size.round() as u64))
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// As [`figure`], or a dash.
pub(super) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), figure)
}

/// A figure with its interval, or alone: `1,234 [1,198, 1,270]`.
pub(super) fn within(value: f64, interval: Option<&Estimate>) -> String {
    match interval {
        Some(interval) => format!("{} [{}, {}]", figure(value), figure(interval.low), figure(interval.high)),
        None => figure(value),
    }
}

/// Per-claim counts, which are whole numbers most of the time.
pub(super) fn per_claim(value: f64) -> String {
    if value >= 1_000.0 {
        figure(value)
    } else if (value - value.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// A time in the unit that fits it.
pub(super) fn time_us(us: f64) -> String {
    if us >= 1_000_000.0 {
        format!("{:.2} s", us / 1_000_000.0)
    } else if us >= 10_000.0 {
        format!("{:.1} ms", us / 1_000.0)
    } else {
        format!("{} µs", figure(us))
    }
}

/// The unit of all times in one table: the largest in which the shortest of them has three digits or so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeUnit {
    /// `µs`, `ms` or `s`.
    pub name: &'static str,
    us: f64,
}

impl TimeUnit {
    /// For these times in microseconds.
    pub(super) fn of(times_us: impl IntoIterator<Item = f64>) -> Self {
        let shortest = times_us.into_iter().filter(|us| *us > 0.0).fold(f64::INFINITY, f64::min);
        match shortest {
            us if us.is_finite() && us >= 1e6 => Self { name: "s", us: 1e6 },
            us if us.is_finite() && us >= 1e4 => Self { name: "ms", us: 1e3 },
            _ => Self { name: "µs", us: 1.0 },
        }
    }

    /// A time in this unit.
    pub(super) fn figure(self, us: f64) -> String {
        figure(us / self.us)
    }
}

/// A round time, as an axis has it: `500 µs`, `1.5 ms`, `2 s`.
pub(super) fn round_time_us(us: f64) -> String {
    let (value, unit) = match us.abs() {
        size if size >= 1e6 => (us / 1e6, "s"),
        size if size >= 1e3 => (us / 1e3, "ms"),
        _ => (us, "µs"),
    };
    let value = (1_000.0 * value).round() / 1_000.0;
    if value.abs() < 1e-9 { "0".to_owned() } else { format!("{value} {unit}") }
}

/// A round number, as an axis has it: `0.5`, `20`, `1,500`.
pub(super) fn round_number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        figure(value)
    } else {
        format!("{}", (1_000.0 * value).round() / 1_000.0 + 0.0)
    }
}

/// A round ratio as a difference, as an axis has it: `+20 %`, `0 %`.
pub(super) fn round_difference(ratio: f64) -> String {
    let percent = (1_000.0 * (ratio - 1.0)).round() / 10.0;
    if percent.abs() < 1e-9 { "0 %".to_owned() } else { format!("{percent:+} %") }
}

/// A ratio as a signed difference: 1.214 is `+21.4 %`.
pub(super) fn difference(ratio: f64) -> String {
    format!("{} %", signed_percent(ratio))
}

/// A ratio and its interval: `+21.4 % [20.1, 22.8]`.
pub(super) fn difference_within(ratio: &Estimate) -> String {
    let end = |ratio: f64| signed_percent(ratio).trim_start_matches('+').to_owned();
    format!("{} % [{}, {}]", signed_percent(ratio.estimate), end(ratio.low), end(ratio.high))
}

/// A share as per cent: 0.02 is `2 %`.
pub(super) fn share(share: f64) -> String {
    let percent = 100.0 * share;
    if (percent - percent.round()).abs() < 1e-9 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The same to whole per cent, for what is not known more closely.
pub(super) fn rough(part: f64) -> String {
    share((100.0 * part).round() / 100.0)
}

/// Bytes in binary units.
pub(super) fn bytes(n: u64) -> String {
    match n {
        0..1_048_576 => format!("{} KiB", n >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", n >> 20),
        _ => format!("{:.1} GiB", n as f64 / f64::from(1 << 30)),
    }
}

fn signed_percent(ratio: f64) -> String {
    let text = format!("{:+.1}", 100.0 * (ratio - 1.0));
    if text == "-0.0" { "+0.0".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_codes_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\u{9b}\nb\t\u{202e}µ"), "a\u{fffd}[31mred\u{fffd} b \u{fffd}µ");
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(
            [count(0), count(999), count(20_000), count(1_234_567)],
            ["0", "999", "20,000", "1,234,567"]
        );
        assert_eq!([figure(0.424), figure(27.31), figure(1_234.5)], ["0.42", "27.3", "1,235"]);
        assert_eq!(
            [time_us(227.0), time_us(12_300.0), time_us(2_500_000.0)],
            ["227.0 µs", "12.3 ms", "2.50 s"]
        );
        let unit = |us: f64| (TimeUnit::of([2.0 * us, us]).name, TimeUnit::of([us]).figure(us));
        assert_eq!(
            [unit(506.6), unit(27_542.0), unit(8_824_816.0), (TimeUnit::of([]).name, String::new())],
            [
                ("µs", "506.6".to_owned()),
                ("ms", "27.5".to_owned()),
                ("s", "8.82".to_owned()),
                ("µs", String::new())
            ]
        );
        assert_eq!([difference(1.214), difference(0.99999)], ["+21.4 %", "+0.0 %"]);
        assert_eq!([share(0.02), share(0.125)], ["2 %", "12.5 %"]);
        assert_eq!(
            [round_time_us(0.0), round_time_us(500.0), round_time_us(1_500.0), round_time_us(2e6)],
            ["0", "500 µs", "1.5 ms", "2 s"]
        );
        assert_eq!([round_number(-0.0), round_number(0.25), round_number(1_500.0)], ["0", "0.25", "1,500"]);
        assert_eq!(
            [round_difference(1.2), round_difference(1.0), round_difference(0.945)],
            ["+20 %", "0 %", "-5.5 %"]
        );
        assert_eq!([per_claim(2.0), per_claim(2.5)], ["2", "2.50"]);
    }
}
