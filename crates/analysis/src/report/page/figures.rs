//! Figures without intervals against each other. There is nothing to draw: a chart of differences without
//! intervals would look like an answer.

use maud::html;

use super::parts::{Answer, Belief, ONE_AFTER_THE_OTHER, UNKNOWN_WHETHER_WORSE, blocks};
use super::shell::{Body, Section};
use crate::judge::{FigureComparison, Trust};
use crate::report::ci::figure_blocks;
use crate::report::document::Block;
use crate::report::words::WITHOUT_INTERVALS;

pub(super) fn body(compared: &FigureComparison) -> Body {
    let all = figure_blocks(compared);
    let shown: Vec<Block> =
        all.into_iter().filter(|block| !matches!(block, Block::Title(_) | Block::Alarm(_))).collect();
    let answer = Answer {
        sentence: UNKNOWN_WHETHER_WORSE.into(),
        figure: None,
        tone: "",
        details: Vec::new(),
        belief: Belief {
            level: Trust::WITHOUT_INTERVALS,
            headline: WITHOUT_INTERVALS.into(),
            reasons: vec![html! { (ONE_AFTER_THE_OTHER) }],
        },
    };
    Body {
        title: format!("{}: figures side by side", compared.candidate.scenarios.join(", ")),
        kind: format!("{} against {}", compared.candidate.started, compared.base.started),
        answer,
        sections: vec![Section { id: "figures", title: "Figure by figure".into(), body: blocks(&shown) }],
    }
}
