use std::sync::OnceLock;

use proptest::prelude::*;

use super::samples::{HOSTILE, Sample, hour, named, samples};
use super::*;

/// What a reader sees: no markup, no style, no script; one line per block, charts by their title and description.
fn text_of(page: &str) -> String {
    let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
    let mut text = String::new();
    let mut rest = body;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let close = open + rest[open..].find('>').unwrap();
        let tag = &rest[open + 1..close];
        rest = &rest[close + 1..];
        // Marks repeat what the tables have.
        if tag.starts_with("svg") {
            let end = rest.find("</svg>").unwrap();
            let of = |name: &str| {
                let begin = rest.find(&format!("<{name}>")).unwrap() + name.len() + 2;
                &rest[begin..begin + rest[begin..].find("</").unwrap()]
            };
            for part in ["\n[", of("title"), ": ", of("desc"), "]\n"] {
                text.push_str(part);
            }
            rest = &rest[end + 6..];
        }
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        match name {
            "td" | "th" if tag.starts_with('/') => text.push_str(" | "),
            "a" | "span" | "strong" | "small" | "data" | "code" | "td" | "th" => {}
            _ => text.push('\n'),
        }
    }
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Both widths of a chart say the same.
    lines.dedup();
    lines.join("\n") + "\n"
}

/// Made once: they are judged as real results are.
fn all() -> &'static [Sample] {
    static ALL: OnceLock<Vec<Sample>> = OnceLock::new();
    ALL.get_or_init(samples)
}

fn sample(name: &str) -> &'static Sample {
    all().iter().find(|sample| sample.name == name).unwrap()
}

#[test]
fn pages_say_what_they_are_meant_to() {
    for name in [
        "run",
        "invalid",
        "control-failed",
        "capacity",
        "sweep-rtt",
        "series",
        "calibration",
        "history",
        "compared",
    ] {
        let page = sample(name);
        let text = text_of(&page.html);
        // The configuration and the seconds are long, and no words of the page.
        let short: Vec<&str> =
            text.lines().filter(|line| !line.starts_with(|c: char| c.is_ascii_digit())).collect();
        let end = short.iter().position(|line| *line == "The full configuration").unwrap_or(short.len());
        insta::assert_snapshot!(format!("page_{name}"), short[..end].join("\n"));
    }
}

/// Elements by name, with attributes' names: the skeleton of a page.
fn skeleton(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>').unwrap();
        let tag = &rest[open + 1..close];
        tags.push(tag.split([' ', '=']).next().unwrap().to_owned());
        rest = &rest[close + 1..];
    }
    tags
}

#[test]
fn a_page_of_hostile_names_has_no_element_of_theirs() {
    let page = &sample("hostile").html;
    assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt;"));
    assert!(!page.contains("<img") && !page.contains("alert('x')</script>"));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(HOSTILE.contains("<script>"));
}

#[test]
fn ten_million_claims_in_an_hour_fit_into_a_page() {
    let result = hour();
    let claims: u64 = result.variants.iter().map(|variant| variant.outcomes.claimed).sum();
    assert_eq!((claims, result.record.timeline.len(), result.variants.len()), (10_000_000, 3_600, 20));
    let page = runs(&[&result]);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let mut longer = result;
    let hour = longer.record.timeline.clone();
    longer.record.timeline = (0..24).flat_map(|_| hour.clone()).collect();
    for (n, second) in longer.record.timeline.iter_mut().enumerate() {
        second.t_s = (n + 1) as f64;
    }
    assert!(runs(&[&longer]).len() < page.len() + 200_000, "a longer window does not make a longer page");
}

#[test]
fn nothing_is_loaded_and_the_policy_says_so() {
    for sample in all() {
        let page = &sample.html;
        assert!(page.contains("default-src 'none'"), "{}", sample.name);
        for attribute in [" src=", " href=\"http", "url(", "@import"] {
            let found = page.matches(attribute).count();
            let escaped = page.matches(&format!("img{attribute}")).count();
            assert_eq!(found, escaped, "{}: {attribute}", sample.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever a file calls its scenario and variants: the page has the same elements.
    #[test]
    fn names_never_become_markup(name in "[<>&\"'/=a-z \\-!\\[\\]?;#]{1,40}") {
        let plain = runs(&[&named(&"n".repeat(name.chars().count()))]);
        prop_assert_eq!(skeleton(&runs(&[&named(&name)])), skeleton(&plain));
    }
}
