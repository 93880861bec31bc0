use super::*;

fn claim(done: Duration, service: Duration) -> Stamps {
    Stamps {
        scheduled: None,
        sent: done.saturating_sub(service),
        done,
        resume: None,
        steps: crate::record::StepTimes::default(),
    }
}

#[test]
fn quiet_seconds_are_shown_as_quiet() {
    let mut timeline = Timeline::default();
    let ms = Duration::from_millis;
    timeline.record(&claim(ms(100), ms(1)), true, 9);
    timeline.record(&claim(ms(900), ms(1)), false, 8);
    let late = Stamps { scheduled: Some(ms(2_400)), ..claim(ms(2_500), ms(2)) };
    timeline.record(&late, true, 7);
    assert_eq!(timeline.so_far(), ms(2_500));
    let points = timeline.points();
    let counts: Vec<_> = points.iter().map(|p| (p.t_s, p.claimed, p.errors, p.stock)).collect();
    assert_eq!(counts, [(1.0, 1, 1, 8), (2.0, 0, 0, 8), (3.0, 1, 0, 7)]);
    assert_eq!(points[1].p50_us, None);
    assert_eq!((points[0].response_p99_us, points[2].response_p99_us.is_some()), (None, true));
    assert!(points[2].response_p50_us > points[2].p50_us);
}

#[test]
fn response_times_are_kept_by_second_only_where_that_is_asked() {
    let ms = Duration::from_millis;
    let due = |at: u64| Stamps { scheduled: Some(ms(at)), ..claim(ms(at + 7), ms(1)) };
    let responses = |mut timeline: Timeline| {
        timeline.record(&due(100), true, 0);
        timeline.record(&due(1_100), true, 0);
        timeline.points().into_iter().map(|point| point.response).collect::<Vec<_>>()
    };
    let mut one = LatencyHistogram::default();
    one.record(ms(7));
    let mut keeping = Timeline::default();
    keeping.keep_responses();
    assert_eq!(responses(keeping), [one.encode(), one.encode()]);
    assert!(responses(Timeline::default()).iter().all(Histogram::is_empty));
}

#[test]
fn cpu_is_shared_out_to_the_seconds_in_which_it_was_used() {
    let mut timeline = Timeline::default();
    let ms = Duration::from_millis;
    for at in [100, 1_100, 2_100, 3_100] {
        timeline.record(&claim(ms(at), ms(1)), true, 0);
    }
    // Half a core and a quarter from 0.5 s on, then a whole one and none.
    timeline.cpu(ms(500), ms(1_500), vec![0.5, 0.25]);
    timeline.cpu(ms(1_500), ms(2_500), vec![1.0, 0.0]);
    let cpu: Vec<_> = timeline.points().into_iter().map(|point| point.primary_cpu).collect();
    assert_eq!(cpu, [vec![0.5, 0.25], vec![0.75, 0.125], vec![1.0, 0.0], vec![]]);
}

#[test]
fn the_longest_span_without_a_claim_is_kept_and_staging_is_none() {
    let mut timeline = Timeline::default();
    let ms = Duration::from_millis;
    assert_eq!(timeline.longest_gap(), None);
    timeline.warmed_up(ms(900));
    timeline.record(&claim(ms(1_000), ms(1)), true, 0);
    assert_eq!(timeline.longest_gap(), Some(ms(100)));
    timeline.record(&claim(ms(2_000), ms(1)), false, 0);
    timeline.record(&claim(ms(3_500), ms(1)), true, 0);
    assert_eq!(timeline.longest_gap(), Some(ms(2_500)), "a failed claim is none");
    timeline.end_batch(ms(3_600));
    timeline.record(&claim(ms(50), ms(1)), true, 0);
    timeline.end_batch(ms(4_000));
    assert_eq!(timeline.longest_gap(), Some(ms(3_950)), "also one that the end of the window cuts");
    assert_eq!(timeline.stalled(), Some(ms(100 + 2_500 + 100 + 3_950)), "of a tenth of a second or more");
}

#[test]
fn nothing_of_the_warm_up_is_in_the_window() {
    let (mut timeline, ms) = (Timeline::default(), Duration::from_millis);
    timeline.cpu(ms(0), ms(900), vec![0.9]);
    timeline.warmed_up(ms(900));
    timeline.end_warmup();
    timeline.record(&claim(ms(700), ms(1)), true, 0);
    assert_eq!(timeline.longest_gap(), Some(ms(700)), "by the window's clock");
    timeline.cpu(ms(0), ms(1_000), vec![0.1]);
    timeline.end_batch(ms(1_000));
    assert_eq!(timeline.points()[0].primary_cpu, [0.1]);
}

#[test]
fn the_first_claim_of_each_failure_and_a_stall_are_marked_with_their_moment() {
    let mut timeline = Timeline::default();
    let ms = Duration::from_millis;
    timeline.record(&claim(ms(400), ms(1)), true, 0);
    timeline.ended_as(&Outcome::Claimed, ms(400));
    timeline.ended_as(&Outcome::TimedOut, ms(900));
    timeline.ended_as(&Outcome::TimedOut, ms(950));
    timeline.record(&claim(ms(2_400), ms(1)), true, 0);
    timeline.end_batch(ms(2_500));
    timeline.ended_as(&Outcome::Refused("fence_required".into()), ms(500));
    let seen: Vec<_> = timeline.events().into_iter().map(|event| (event.t_s, event.what)).collect();
    let refused = WindowEventKind::FirstRefused { code: "fence_required".into() };
    assert_eq!(
        seen,
        [
            (0.4, WindowEventKind::StallBegan),
            (0.9, WindowEventKind::FirstTimedOut),
            (2.4, WindowEventKind::StallEnded),
            (3.0, refused)
        ]
    );
    for n in 0..100 {
        timeline.ended_as(&Outcome::Refused(n.to_string()), ms(1));
    }
    assert!(timeline.events().len() < 40, "a broken function may answer anything");
}

#[test]
fn how_late_claims_were_sent_is_kept_by_second() {
    let mut timeline = Timeline::default();
    let ms = Duration::from_millis;
    let sent = |at: u64, late: u64| Stamps {
        scheduled: Some(ms(at)),
        sent: ms(at + late),
        ..claim(ms(at + late + 1), ms(1))
    };
    timeline.record(&sent(100, 5), true, 0);
    timeline.record(&sent(1_100, 50), false, 0);
    let lags: Vec<_> = timeline.points().iter().map(|p| p.send_lag_p99_us.unwrap().round()).collect();
    assert!((lags[0] - 5_000.0).abs() < 10.0 && (lags[1] - 50_000.0).abs() < 100.0, "{lags:?}");
}

#[test]
fn what_merging_needs_is_kept_only_where_that_is_asked() {
    let (mut timeline, ms) = (Timeline::default(), Duration::from_millis);
    let ns = |ms: u64| ms * 1_000_000;
    timeline.keep_for_merging();
    timeline.warmed_up(ms(50));
    timeline.record(&claim(ms(200), ms(1)), true, 0);
    timeline.record(&claim(ms(250), ms(1)), true, 0);
    timeline.record(&claim(ms(900), ms(1)), false, 0);
    timeline.note_end(ms(950), vec![1]);
    timeline.end_batch(ms(950));
    timeline.record(&claim(ms(120), ms(1)), false, 0);
    let first = BatchNote {
        active_ns: ns(950),
        arms: vec![1],
        succeeded: true,
        quiet_since_ns: ns(250),
        quiet_ns: vec![[ns(50), ns(200)]],
    };
    let second = BatchNote { active_ns: ns(120), arms: vec![0, 1], ..BatchNote::default() };
    assert_eq!(timeline.batches(vec![0, 1]), [first, second], "the one that goes on included");
    let point = timeline.points().remove(0);
    let mut service = LatencyHistogram::default();
    service.add(&point.times.unwrap().service).unwrap();
    assert_eq!((service.count(), service.quantile_us(0.5)), (2, point.p50_us));
    let mut without = Timeline::default();
    without.record(&claim(ms(200), ms(1)), true, 0);
    without.note_end(ms(300), vec![0]);
    assert_eq!((without.batches(vec![0]), without.points().remove(0).times), (Vec::new(), None));
}

#[test]
fn the_last_second_says_how_much_of_it_was_measured() {
    let (mut timeline, ms) = (Timeline::default(), Duration::from_millis);
    for at in [200, 700, 1_100, 1_250] {
        timeline.record(&claim(ms(at), ms(1)), true, 0);
    }
    let last = |timeline: &Timeline| timeline.points().last().map(|p| (p.t_s, p.claimed, p.length_s()));
    assert_eq!(last(&timeline), Some((2.0, 2, 0.25)), "so far");
    timeline.end_batch(ms(1_500));
    assert_eq!(last(&timeline), Some((2.0, 2, 0.5)), "to the end, not to the last claim");
    let point = timeline.points().remove(1);
    assert_eq!((point.claims_per_sec(), timeline.points()[0].part_s), (Some(4.0), None));
    assert_eq!(timeline.unfinished(), Some(point));
    timeline.record(&claim(ms(300), ms(1)), true, 0);
    assert_eq!(last(&timeline), Some((2.0, 3, 0.8)), "the next batch goes on in it");
    timeline.end_batch(ms(2_500));
    let counts: Vec<_> = timeline.points().iter().map(|point| (point.claimed, point.part_s)).collect();
    assert_eq!(counts, [(2, None), (3, None), (0, None), (0, None)], "quiet seconds at the end are seconds");
    assert_eq!((timeline.active(), timeline.unfinished()), (ms(4_000), None));
}

#[test]
fn staging_between_batches_takes_no_time() {
    let mut timeline = Timeline::default();
    timeline.record(&claim(Duration::from_millis(600), Duration::from_micros(5)), true, 0);
    timeline.end_batch(Duration::from_millis(700));
    timeline.record(&claim(Duration::from_millis(200), Duration::from_micros(5)), true, 0);
    assert_eq!(timeline.points().len(), 1);
    timeline.record(&claim(Duration::from_millis(400), Duration::from_micros(5)), true, 0);
    assert_eq!(timeline.points().len(), 2);
}
