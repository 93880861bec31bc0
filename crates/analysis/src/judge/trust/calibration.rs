//! How far a calibration can be believed.

use super::level::Trust;
use crate::judge::Calibration;

impl Calibration {
    /// How far it can be believed: not at all where it has problems, with care where it was disturbed.
    pub fn trust(&self) -> Trust {
        if !self.valid {
            Trust::No
        } else if self.disturbed.is_empty() {
            Trust::Yes
        } else {
            Trust::Careful
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::assess;
    use crate::judge::fixtures::calibration_record;
    use crate::record::Disturbance;

    #[test]
    fn a_busy_machine_makes_a_calibration_one_to_be_read_with_care() {
        let mut calibration = assess(calibration_record());
        calibration.disturbed.clear();
        assert_eq!(calibration.trust(), Trust::Yes);
        calibration.disturbed.push(Disturbance::OthersBusy { share: 0.3 });
        assert_eq!(calibration.trust(), Trust::Careful);
        calibration.valid = false;
        assert_eq!(calibration.trust(), Trust::No);
    }
}
