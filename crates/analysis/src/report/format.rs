//! Figures as a reader wants them.

use std::collections::BTreeSet;

use super::plain_text::steers;
use crate::stats::Estimate;

/// Text from files and servers as a terminal or a page may have it: in one line, without control characters
/// and without marks that turn the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if steers(c) => '\u{fffd}',
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

/// So many of something, by its name for one and for several.
pub(super) fn several(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { more })
}

/// Primaries of a cluster.
pub(super) fn primaries(n: u32) -> String {
    several(n.into(), "primary", "primaries")
}

/// Cores of a machine.
pub(super) fn cores(n: u32) -> String {
    several(n.into(), "core", "cores")
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
pub(super) fn within(value: f64, estimate: Option<&Estimate>) -> String {
    match estimate {
        Some(estimate) => format!("{} {}", figure(value), interval_of(estimate)),
        None => figure(value),
    }
}

/// An interval alone: `[1,198, 1,270]`.
pub(super) fn interval_of(estimate: &Estimate) -> String {
    format!("[{}, {}]", figure(estimate.low), figure(estimate.high))
}

/// A difference with its sign: `+61.6`, `-0.42`.
pub(super) fn signed(difference: f64) -> String {
    let sign = if difference < 0.0 { "" } else { "+" };
    format!("{sign}{}", figure(difference))
}

/// The same with its interval: `+61.6 [55.6, 68.1]`.
pub(super) fn signed_within(estimate: &Estimate) -> String {
    format!("{} {}", signed(estimate.estimate), interval_of(estimate))
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

/// Two figures as `usual` has them, with as many more digits as tell them apart where they differ: what made a verdict
/// must not be rounded away.
pub(super) fn apart(values: [f64; 2], usual: impl Fn(f64) -> String) -> [String; 2] {
    let shown = values.map(usual);
    // `2` and `2.00` look unlike and say the same.
    let number = |text: &String| text.replace(',', "").parse::<f64>().ok();
    if number(&shown[0]) != number(&shown[1]) {
        return shown;
    }
    let exactly = |digits: usize| values.map(|value| format!("{value:.digits$}"));
    (1..=9).map(exactly).find(|[one, other]| one != other).unwrap_or(shown)
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

/// Times of one sentence beside each other: where the longest takes seconds, no other is left in thousands of
/// microseconds.
pub(super) fn times_us<const N: usize>(times_us: [f64; N]) -> [String; N] {
    let longest = times_us.iter().copied().fold(0.0, f64::max);
    times_us.map(|us| {
        let between = longest >= 1e6 && (1e3..1e4).contains(&us);
        if between { format!("{:.2} ms", us / 1e3) } else { time_us(us) }
    })
}

/// The unit of all times in one table: the largest in which the shortest of them has three digits or so; none
/// where the longest would have seven digits in it, and each time has a unit of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeUnit {
    /// `µs`, `ms` or `s`; empty where each time has its own.
    name: &'static str,
    us: f64,
}

impl TimeUnit {
    /// For these times in microseconds.
    pub(super) fn fitting(times_us: impl IntoIterator<Item = f64>) -> Self {
        let times = times_us.into_iter().filter(|us| *us > 0.0);
        let (shortest, longest) =
            times.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), us| (low.min(us), high.max(us)));
        let common = Self::of_shortest(shortest);
        if longest / common.us >= 1e6 { Self { name: "", us: 1.0 } } else { common }
    }

    fn of_shortest(shortest: f64) -> Self {
        match shortest {
            us if us.is_finite() && us >= 1e6 => Self { name: "s", us: 1e6 },
            us if us.is_finite() && us >= 1e4 => Self { name: "ms", us: 1e3 },
            _ => Self { name: "µs", us: 1.0 },
        }
    }

    /// A time in this unit, or with its own.
    pub(super) fn figure(self, us: f64) -> String {
        if self.name.is_empty() { time_us(us) } else { figure(us / self.us) }
    }

    /// A heading over such times.
    pub(super) fn heading(self, title: &str) -> String {
        if self.name.is_empty() { title.to_owned() } else { format!("{title} ({})", self.name) }
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
    match percent {
        none if none.abs() < 1e-9 => "0 %".to_owned(),
        many if many.abs() >= 1_000.0 && many.is_finite() => format!("{} %", thousands_apart(many, 0)),
        some => format!("{some:+} %"),
    }
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

/// How long something will take, rounded up: `65 s`, `2 min`, `2.5 h`.
pub(super) fn length(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{:.0} s", (seconds / 5.0).ceil() * 5.0)
    } else if seconds < 5_400.0 {
        format!("{:.0} min", (seconds / 60.0).ceil())
    } else {
        format!("{:.1} h", seconds / 3_600.0)
    }
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

/// A share before what it is of, in words where there are some: `half`, `a tenth of`, `20 % of`.
pub(super) fn part_of(part: f64) -> String {
    let is = |wanted: f64| (part - wanted).abs() < 1e-9;
    if is(0.5) {
        "half".to_owned()
    } else if is(0.1) {
        "a tenth of".to_owned()
    } else {
        format!("{} of", share(part))
    }
}

/// The confidence that intervals have: `95 %`, or `95 % or 99 %` where not all have the same; that which they would
/// have where there is none.
pub(super) fn confidence<'a>(of: impl IntoIterator<Item = &'a Estimate>, otherwise: f64) -> String {
    let levels: BTreeSet<String> = of.into_iter().map(|one| share(one.confidence)).collect();
    if levels.is_empty() {
        return share(otherwise);
    }
    levels.into_iter().collect::<Vec<_>>().join(" or ")
}

/// Bytes in binary units.
pub(super) fn bytes(n: u64) -> String {
    match n {
        0..1_048_576 => format!("{} KiB", n >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", n >> 20),
        _ => format!("{:.1} GiB", n as f64 / f64::from(1 << 30)),
    }
}

pub(super) fn signed_percent(ratio: f64) -> String {
    let percent = 100.0 * (ratio - 1.0);
    let text = format!("{percent:+.1}");
    match text.as_str() {
        "-0.0" => "+0.0".into(),
        _ if percent.abs() >= 1_000.0 && percent.is_finite() => thousands_apart(percent, 1),
        _ => text,
    }
}

/// With a sign, thousands apart and so many decimals: `+3,719.3`.
fn thousands_apart(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if value < 0.0 { '-' } else { '+' };
    // More digits than a count holds come from no measurement.
    whole.parse().map_or_else(|_| format!("{sign}{text}"), |whole| format!("{sign}{}{rest}", count(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_as_rough_as_what_is_known_of_it() {
        assert_eq!([4.0, 61.0, 100.0, 9_000.0].map(length), ["5 s", "65 s", "2 min", "2.5 h"]);
    }

    #[test]
    fn escape_codes_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\u{9b}\nb\t\u{202e}µ"), "a\u{fffd}[31mred\u{fffd} b \u{fffd}µ");
    }

    #[test]
    fn times_of_a_failover_are_not_told_in_millions_of_microseconds() {
        let unit = TimeUnit::fitting([9_445.0, 7_524_581.0]);
        assert_eq!(unit.heading("Service time"), "Service time");
        assert_eq!([unit.figure(9_445.0), unit.figure(7_524_581.0)], ["9,445 µs", "7.52 s"]);
        let usual = TimeUnit::fitting([190.0, 152_000.0]);
        assert_eq!((usual.heading("p50"), usual.figure(152_000.0)), ("p50 (µs)".into(), "152,000".into()));
        assert_eq!(times_us([9_445.0, 6_690_000.0]), ["9.45 ms", "6.69 s"]);
        assert_eq!(times_us([412.0, 9_445.0]), ["412.0 µs", "9,445 µs"]);
    }

    #[test]
    fn intervals_are_called_by_the_confidence_that_they_have() {
        let at = |confidence| Estimate { estimate: 1.0, low: 1.0, high: 1.0, confidence };
        let said = [vec![], vec![at(0.9); 2], vec![at(0.99), at(0.95)]].map(|all| confidence(&all, 0.95));
        assert_eq!(said, ["95 %", "90 %", "95 % or 99 %"]);
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
        let unit = |us: f64| (TimeUnit::fitting([2.0 * us, us]).name, TimeUnit::fitting([us]).figure(us));
        assert_eq!(
            [unit(506.6), unit(27_542.0), unit(8_824_816.0), (TimeUnit::fitting([]).name, String::new())],
            [
                ("µs", "506.6".to_owned()),
                ("ms", "27.5".to_owned()),
                ("s", "8.82".to_owned()),
                ("µs", String::new())
            ]
        );
        assert_eq!([difference(1.214), difference(0.99999)], ["+21.4 %", "+0.0 %"]);
        assert_eq!(
            [difference(38.193), difference(11.0), difference(f64::INFINITY), round_difference(30.0)],
            ["+3,719.3 %", "+1,000.0 %", "+inf %", "+2,900 %"]
        );
        assert_eq!([share(0.02), share(0.125)], ["2 %", "12.5 %"]);
        assert_eq!([0.5, 0.1, 0.2].map(part_of), ["half", "a tenth of", "20 % of"]);
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
        assert_eq!(apart([2.0, 3.0], per_claim), ["2", "3"]);
        assert_eq!(apart([2.0, 2.0004], per_claim), ["2.0000", "2.0004"]);
        assert_eq!(apart([1_011.6, 1_012.2], per_claim), ["1011.6", "1012.2"]);
        assert_eq!(apart([12.0, 12.04], figure), ["12.00", "12.04"]);
        assert_eq!(apart([7.0, 7.0], per_claim), ["7", "7"]);
    }
}
