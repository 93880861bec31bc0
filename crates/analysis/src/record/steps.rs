//! How long each round trip of a claim took.

use std::time::Duration;

/// Round trips of one claim that are timed one by one; no variant has as many.
const MOST: usize = 8;

/// The times of a claim's round trips, in order. What goes beyond eight is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTimes {
    times: [Duration; MOST],
    count: u8,
}

impl StepTimes {
    /// Appends the next one.
    pub fn push(&mut self, time: Duration) {
        if let Some(place) = self.times.get_mut(usize::from(self.count)) {
            *place = time;
            self.count += 1;
        }
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Duration> + '_ {
        self.times[..usize::from(self.count)].iter().copied()
    }
}

impl FromIterator<Duration> for StepTimes {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut all = Self::default();
        times.into_iter().for_each(|time| all.push(time));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_in_order_and_are_bounded() {
        let ms: Vec<Duration> = (1..=10).map(Duration::from_millis).collect();
        let times: StepTimes = ms.iter().copied().collect();
        assert_eq!(times.iter().collect::<Vec<_>>(), ms[..MOST]);
        assert_eq!(StepTimes::default().iter().count(), 0);
    }
}
