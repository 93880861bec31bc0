//! The page around its content: one file that loads nothing, says so to the browser, and works without its
//! script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::parts::Answer;
use crate::report::chart::STYLE;

const PAGE_STYLE: &str = include_str!("page.css");

/// Shows a mark's figures at once when it is pointed at; without it the browser shows them after a moment.
const HOVER: &str = include_str!("hover.js");

/// A part of a page with a heading of its own.
pub(super) struct Section {
    /// Names it within the page.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What is in it.
    pub body: Markup,
}

impl Section {
    /// What a terminal shows, which says everything.
    pub fn in_words(body: Markup) -> Self {
        Self { id: "report", title: "Everything in words and tables".to_owned(), body }
    }
}

/// What a page says, from its first line to its last.
pub(super) struct Body {
    /// The title.
    pub title: String,
    /// What kind of result it is of, and when it was made.
    pub kind: String,
    /// The answer.
    pub answer: Answer,
    /// What stands behind it.
    pub sections: Vec<Section>,
}

/// The whole file.
pub(super) fn page(body: &Body) -> String {
    let lists = body.sections.len() > 1;
    document(
        &body.title,
        &html! {
            header {
                h1 { (body.title) }
                p { (body.kind) }
            }
            main id="answer" {
                (body.answer.markup())
                @if lists {
                    nav aria-label="On this page" {
                        ul { @for section in &body.sections { li { a href=(format!("#{}", section.id)) { (section.title) } } } }
                    }
                }
                @for section in &body.sections { (section.markup()) }
            }
        },
    )
}

/// Several results on one page: what they say beside each other, then each by itself, folded.
pub(super) fn several(title: &str, overview: &Markup, bodies: &[Body]) -> String {
    document(
        title,
        &html! {
            header { h1 { (title) } p { (bodies.len()) " results side by side" } }
            main id="answer" {
                (overview)
                h2 { "Each by itself" }
                @for (n, body) in bodies.iter().enumerate() {
                    details {
                        summary { (n + 1) ". " (body.title) ", " (body.kind) }
                        article aria-label=(format!("Result {}", n + 1)) {
                            (body.answer.markup())
                            @for section in &body.sections { (section.nameless()) }
                        }
                    }
                }
            }
        },
    )
}

/// What each of several results says and how far to believe it, where nothing is said of all of them
/// together.
pub(super) fn answers(bodies: &[Body]) -> Markup {
    html! {
        div class="answer" {
            h2 { (bodies.len()) " results, each with an answer of its own" }
            ol {
                @for body in bodies {
                    li {
                        p { strong { (body.title) } ", " (body.kind) ": " (body.answer.sentence.trim_end_matches('.')) "." }
                        p class="soft" { (body.answer.belief.headline) }
                    }
                }
            }
        }
    }
}

impl Section {
    /// As a part of a page that can be jumped to.
    fn markup(&self) -> Markup {
        let heading = format!("{}-h", self.id);
        html! {
            section id=(self.id) aria-labelledby=(heading) {
                h2 id=(heading) { (self.title) }
                (self.body)
            }
        }
    }

    /// As a part of one of several results: without names, which must be its own within a page.
    fn nameless(&self) -> Markup {
        html! { section aria-label=(self.title) { h2 { (self.title) } (self.body) } }
    }
}

fn document(title: &str, content: &Markup) -> String {
    let script = STANDARD.encode(Sha256::digest(HOVER));
    let policy =
        format!("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{script}'");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // A browser would ask a server for an icon.
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(PAGE_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#answer" { "To the answer" }
                (content)
                footer { p { "Made by reclaim-bench from the stored result beside this file. Complete without scripts and without a network." } }
                script { (PreEscaped(HOVER)) }
            }
        }
    }
    .into_string()
}
