//! Text that only says something: what servers and files have put into a name cannot steer a terminal.

use std::borrow::Cow;

/// The text with U+FFFD for everything that a terminal obeys instead of showing it: control characters but
/// line breaks and tabs, and those that change the direction of what follows.
pub fn plain_text(text: &str) -> Cow<'_, str> {
    if text.contains(steers) { text.replace(steers, "\u{fffd}").into() } else { text.into() }
}

/// Whether a terminal obeys it, line breaks and tabs aside.
pub(super) fn steers(c: char) -> bool {
    let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || c.is_control() && !matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_taken_out_and_nothing_else() {
        for (text, plain) in [
            ("a\x1b[31mb", "a\u{fffd}[31mb"),
            ("title\x1b]0;x\x07", "title\u{fffd}]0;x\u{fffd}"),
            ("over\rwritten", "over\u{fffd}written"),
            ("c1 \u{9b}31m", "c1 \u{fffd}31m"),
            ("\u{202e}drow", "\u{fffd}drow"),
            ("µs, é, 中\n\tnext", "µs, é, 中\n\tnext"),
        ] {
            assert_eq!(plain_text(text), plain);
        }
    }
}
