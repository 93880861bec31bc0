//! What a chart with two axes is made of: axes, and layers from back to front. `xy` draws it.

use super::{Scale, Tone};

/// A chart with two axes.
pub struct Xy {
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// From back to front.
    pub layers: Vec<Layer>,
    /// Height of the part within the axes, in pixels at full width.
    pub height: f64,
}

/// One axis.
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Its scale.
    pub scale: Scale,
    /// How its values are written.
    pub format: Box<dyn Fn(f64) -> String>,
}

/// One thing in a chart.
pub enum Layer {
    /// Points that belong together.
    Series(PointSeries),
    /// From here to there on the x axis.
    AcrossX {
        /// Begin.
        from: f64,
        /// End.
        to: f64,
    },
    /// From here to there on the y axis.
    AcrossY {
        /// Begin.
        from: f64,
        /// End.
        to: f64,
    },
    /// A moment or a load, with its name.
    MarkX {
        /// Where.
        at: f64,
        /// What.
        name: String,
        /// Its colour.
        tone: Tone,
    },
    /// A level, with its name.
    MarkY {
        /// Where.
        at: f64,
        /// What.
        name: String,
        /// Its colour.
        tone: Tone,
    },
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// From point to point.
    Line,
    /// The same, thin and without single points: a fit rather than a measurement.
    Fit,
    /// Level until the next point.
    Steps,
    /// Points with their intervals.
    Dots,
    /// The same, hollow: measured, but not what is asked about.
    Hollow,
}

/// Points that belong together.
pub struct PointSeries {
    /// Its name in the key; empty keeps it out of there.
    pub name: String,
    /// Its colour and shape.
    pub tone: Tone,
    /// How it is drawn.
    pub look: Look,
    /// In the order of the x axis.
    pub points: Vec<Point>,
}

/// One point.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// On the x axis.
    pub x: f64,
    /// On the y axis; what is not finite leaves a gap.
    pub y: f64,
    /// Its interval on the y axis.
    pub interval: Option<(f64, f64)>,
    /// What it says when pointed at; empty for the two values alone.
    pub tip: String,
}

impl Point {
    /// Without an interval.
    pub fn at(x: f64, y: f64) -> Self {
        Self { x, y, ..Self::default() }
    }
}
