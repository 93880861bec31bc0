use super::*;
use crate::judge::Trust;
use crate::judge::fixtures::HGET_LANE;
use crate::record::Warning;
use crate::report::sweep_fixture::{curve, with_lines};

#[test]
fn a_run_whose_figures_must_not_be_used_is_marked_in_tables_and_hollow_in_charts() {
    let mut curve = curve();
    let chart = |curve: &Sweep| by_value(curve, &TIME).both_widths().into_string();
    assert!(!chart(&curve).contains("hollow") && !chart(&curve).contains("invalid"));
    curve.points[1].valid = false;
    let chart = chart(&curve);
    assert!(chart.contains("hget-lane, invalid, a,b (invalid): ") && chart.contains("hollow t1"), "{chart}");
    assert!(chart.contains("hget-lane, 0 µs: ") && !chart.contains("0 µs (invalid)"), "{chart}");
    for (table, rows) in [(figures_by_value(&curve, &TIME), 2), (differences(&curve), 1)] {
        let table = table.into_string();
        assert_eq!(table.matches("a,b (invalid)").count(), rows, "{table}");
    }
    let forest = forest(&curve).unwrap();
    assert!(forest.description.contains("a,b (invalid): "), "{}", forest.description);
}

/// As the pages of the runs that warn do.
#[test]
fn a_sweep_is_believed_no_more_than_what_its_runs_warn_of_allows() {
    let believed = |change: fn(&mut Sweep)| {
        let mut curve = curve();
        change(&mut curve);
        let Belief { level, headline, reasons } = belief(&curve);
        let reasons: String = reasons.into_iter().map(Markup::into_string).collect();
        (level, headline, reasons)
    };
    // Of a machine that generator and servers share, differences are what they are.
    let (level, headline, reasons) = believed(|_| ());
    assert!(level == Trust::Yes && headline == "All runs are valid.", "{headline}");
    assert!(reasons.contains("1 thing to keep in mind."), "{reasons}");
    let (_, _, reasons) = believed(|curve| curve.points.iter_mut().for_each(|p| p.warnings.clear()));
    assert!(!reasons.contains("keep in mind"), "{reasons}");
    let (level, headline, reasons) = believed(|curve| curve.points[1].warnings.push(Warning::NoRealTime));
    assert!(level == Trust::Careful && headline.contains("something to keep in mind"), "{headline}");
    assert!(reasons.contains("2 things to keep in mind."), "{reasons}");
    // Without a difference its figures are all that there is.
    let (level, ..) = believed(|curve| curve.points[0].noise_threshold = None);
    assert!(level == Trust::Careful, "figures of a machine that is shared");
}

#[test]
fn a_slope_is_no_number_of_round_trips_and_what_was_not_measured_is_marked() {
    let mut curve = with_lines(&[HGET_LANE]);
    let said = |curve: &Sweep| (slopes(curve).into_string(), lines(curve).into_string());
    let (slope, table) = said(&curve);
    assert!(slope.contains("only where claims do not queue") && !slope.contains("any network"), "{slope}");
    assert!(table.contains("round-trip times more") && !table.contains("beyond"), "{table}");
    curve.points[0].added_rtt_us = Some(50.0);
    assert_eq!(said(&curve).1.matches("</data> (beyond what was measured)").count(), 1);
}
