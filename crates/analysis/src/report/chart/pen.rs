//! A line from place to place, cut where it leaves the part within the axes: drawn along their edge it would
//! show values that nothing has.

use std::fmt::Write as _;

use super::px;

/// In pixels: x and y.
pub(super) type Place = [f64; 2];

/// Shorter than this is no way, in pixels.
const NO_WAY: f64 = 1e-6;

/// Writes the lines of an SVG path.
pub(super) struct Pen {
    /// From where to where it draws: on the x axis, and on the y axis.
    within: [[f64; 2]; 2],
    at: Option<Place>,
    /// Where the path ends so far, as it is written.
    written: Option<[String; 2]>,
    path: String,
}

impl Pen {
    /// That draws between these pixels alone.
    pub(super) fn new(x: [f64; 2], y: [f64; 2]) -> Self {
        Self { within: [x, y], at: None, written: None, path: String::new() }
    }

    /// The next place begins a line.
    pub(super) fn lift(&mut self) {
        (self.at, self.written) = (None, None);
    }

    /// Straight to there.
    pub(super) fn go(&mut self, to: Place) {
        if let Some(from) = self.at.replace(to)
            && let Some(seen) = self.seen(from, to)
        {
            self.draw(seen);
        }
    }

    /// Level until there, then up or down.
    pub(super) fn step(&mut self, to: Place) {
        if let Some([_, y]) = self.at {
            self.go([to[0], y]);
        }
        self.go(to);
    }

    /// All that was drawn.
    pub(super) fn path(self) -> String {
        self.path
    }

    /// The part of a line that lies within; `None` where none does.
    fn seen(&self, from: Place, to: Place) -> Option<[Place; 2]> {
        let (mut begin, mut end) = (0.0_f64, 1.0_f64);
        for (axis, [low, high]) in self.within.into_iter().enumerate() {
            let (start, way) = (from[axis], to[axis] - from[axis]);
            if way.abs() < NO_WAY {
                if start < low - NO_WAY || start > high + NO_WAY {
                    return None;
                }
                continue;
            }
            let [one, other] = [(low - start) / way, (high - start) / way];
            begin = begin.max(one.min(other));
            end = end.min(one.max(other));
        }
        let place = |share: f64| [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]));
        (begin < end).then(|| [place(begin), if end < 1.0 { place(end) } else { to }])
    }

    fn draw(&mut self, line: [Place; 2]) {
        let [begin, end] = line.map(|place| place.map(px));
        // Writing to a String cannot fail.
        if self.written.as_ref() != Some(&begin) {
            let _ = write!(self.path, "M{} {}", begin[0], begin[1]);
        }
        let [x, y] = &end;
        let _ = match (*x == begin[0], *y == begin[1]) {
            (true, true) => Ok(()),
            (true, false) => write!(self.path, "V{y}"),
            (false, true) => write!(self.path, "H{x}"),
            (false, false) => write!(self.path, "L{x} {y}"),
        };
        self.written = Some(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(draw: impl FnOnce(&mut Pen)) -> String {
        let mut pen = Pen::new([10.0, 110.0], [0.0, 50.0]);
        draw(&mut pen);
        pen.path()
    }

    #[test]
    fn what_lies_within_is_drawn_as_it_is() {
        let line =
            drawn(|pen| [[10.0, 50.0], [20.0, 30.0], [110.0, 0.0]].into_iter().for_each(|to| pen.go(to)));
        assert_eq!(line, "M10 50L20 30L110 0");
        let steps = drawn(|pen| [[10.0, 50.0], [20.0, 30.0]].into_iter().for_each(|to| pen.step(to)));
        assert_eq!(steps, "M10 50H20V30");
        let along = drawn(|pen| [[10.0, 50.0], [110.0, 50.0]].into_iter().for_each(|to| pen.go(to)));
        assert_eq!(along, "M10 50H110", "nothing at all is a value");
        let gap = drawn(|pen| {
            pen.go([10.0, 50.0]);
            pen.go([20.0, 40.0]);
            pen.lift();
            pen.go([30.0, 40.0]);
            pen.go([40.0, 50.0]);
        });
        assert_eq!(gap, "M10 50L20 40M30 40L40 50");
    }

    #[test]
    fn a_line_ends_at_the_edge_that_it_crosses_and_goes_on_where_it_comes_back() {
        let through = drawn(|pen| {
            for to in [[90.0, 20.0], [130.0, 40.0], [130.0, 10.0], [90.0, 30.0]] {
                pen.go(to);
            }
        });
        assert_eq!(through, "M90 20L110 30M110 20L90 30");
        let over = drawn(|pen| {
            for to in [[20.0, -30.0], [60.0, -80.0]] {
                pen.go(to);
            }
        });
        assert_eq!(over, "");
        let steps = drawn(|pen| {
            for to in [[20.0, 30.0], [130.0, 10.0]] {
                pen.step(to);
            }
        });
        assert_eq!(steps, "M20 30H110");
    }
}
