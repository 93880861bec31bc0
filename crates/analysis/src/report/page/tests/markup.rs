//! Pages as markup: of whatever names, of however long a run, loading nothing.

use proptest::prelude::*;

use super::super::runs;
use super::super::samples::{HOSTILE, hour, lane_ab_but, named, within_a_day};
use super::{all, sample};
use crate::record::InvalidReason;

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
    // Nor has one that says why a run must not be used.
    let plain = |detail: &str| {
        let invalid = lane_ab_but(|record| {
            record.invalid_reasons.push(InvalidReason::Infrastructure { detail: detail.into() });
        });
        runs(&[&invalid])
    };
    let invalid = plain(HOSTILE);
    assert!(invalid.contains("&lt;script&gt;alert('x')&lt;/script&gt;"));
    assert_eq!(skeleton(&invalid), skeleton(&plain("something broke")));
}

#[test]
fn no_page_has_an_empty_heading_or_answer() {
    for sample in all() {
        for empty in ["<h1></h1>", "<h2></h2>", "<h3></h3>", "<li></li>"] {
            assert!(!sample.html.contains(empty), "{}: {empty}", sample.name);
        }
    }
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

#[test]
fn ten_million_claims_in_an_hour_fit_into_a_page() {
    let result = hour();
    let claims: u64 = result.variants.iter().map(|variant| variant.outcomes.claimed).sum();
    assert_eq!((claims, result.record.timeline.len(), result.variants.len()), (10_000_000, 3_600, 20));
    let page = runs(&[&result]);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let longer = within_a_day(result.record);
    assert_eq!(longer.record.timeline.len(), 86_400);
    assert!(runs(&[&longer]).len() < page.len() + 200_000, "a longer window does not make a longer page");
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
