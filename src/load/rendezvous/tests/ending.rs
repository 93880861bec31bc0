//! How a run ends before its last window: somebody is gone, fails, is told to end, or says what cannot be said
//! then.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::message::{Order, Says, ToLeader};
use super::super::{ALIVE, LOST, MeetingError};
use super::{MS, Run, hello, local};

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_in_a_window_is_named_within_half_a_minute_and_all_others_end() {
    for killed in [2, 5] {
        local(async {
            let run = Run::new(5);
            let mut parts = run.work(1, Duration::from_mins(10));
            let led = run.lead(1, Duration::from_mins(10), MS);
            let killing = async {
                sleep(Duration::from_mins(1)).await;
                let place = killed as usize - 2;
                parts[place].abort();
                run.parts[place].2.abort();
                Instant::now()
            };
            let (led, died) = tokio::join!(led, killing);
            let error = led.unwrap_err();
            assert!(matches!(&error, MeetingError::Gone { part, .. } if *part == killed), "{error:?}");
            assert!(died.elapsed() < Duration::from_secs(30), "{:?}", died.elapsed());
            assert_eq!(run.leader.gone(), [killed]);
            assert!(error.to_string().contains(&format!("process {} on h", 100 + killed)), "{error}");
            run.leader.give_up(&error.to_string()).await;
            for (n, part) in parts.drain(..).enumerate().filter(|(n, _)| n + 2 != killed as usize) {
                let ended = part.await.unwrap().unwrap_err();
                assert_eq!(ended, MeetingError::Ended { reason: error.to_string() }, "{n}");
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn parts_whose_leader_is_gone_say_so_by_themselves() {
    local(async {
        let run = Run::new(3);
        let parts = run.work(1, Duration::from_mins(10));
        let killing = async {
            tokio::select! {
                led = run.lead(1, Duration::from_mins(10), MS) => panic!("{led:?}"),
                () = sleep(Duration::from_mins(1)) => run.listening.abort(),
            }
        };
        killing.await;
        for part in parts {
            let error = part.await.unwrap().unwrap_err();
            assert!(matches!(error, MeetingError::Gone { part: 1, .. }), "{error:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_said_now_and_what_is_no_message_end_the_run() {
    let says = |part, says| serde_json::to_string(&ToLeader { part, says }).unwrap();
    let window = 0;
    let done = |part| says(part, Says::Done { window, sent: Vec::new(), connections: None });
    for (text, named) in [
        (done(2), "generator 2 said `done`"),
        (says(3, Says::Silent { window }), "generator 3 said `silent`"),
        (says(2, Says::Ready { window: 4, connections: None }), "generator 2 said `ready`"),
        (says(2, Says::Here(hello(2, 3))), "generator 2 said `here`"),
        (says(9, Says::Alive), "generator 9 said `alive`"),
        ("{\"part\":2,\"says\":\"sleeps\"}".to_owned(), "a message that is none"),
        ("nonsense".to_owned(), "a message that is none"),
    ] {
        local(async {
            let run = Run::new(3);
            let parts = run.work(1, Duration::from_secs(3));
            let (led, ()) = tokio::join!(run.lead(1, Duration::from_secs(3), MS), async {
                // Both are in the window by then.
                sleep(Duration::from_secs(1)).await;
                let out_of_place =
                    if named.contains("done") { text.replace("window\":0", "window\":1") } else { text };
                run.to_leader.send(out_of_place).unwrap();
            });
            let error = led.unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
            assert!(run.leader_end.is_cancelled());
            drop(parts);
        })
        .await;
    }
    local(async {
        let run = Run::new(2);
        let mut parts = run.work(1, Duration::from_secs(3));
        run.to_parts[0].send(serde_json::to_string(&Order::Closed { window: 0 }).unwrap()).unwrap();
        let error = parts.remove(0).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("generator 1 said `closed`"), "{error}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_to_end_ends_everybodys_run_in_order() {
    for (leader, at_s) in [(true, 3), (false, 3), (true, 61), (false, 61)] {
        local(async {
            let run = Run::new(4);
            let parts = run.work(3, Duration::from_mins(1));
            let (led, ()) = tokio::join!(run.lead(3, Duration::from_mins(1), MS), async {
                sleep(Duration::from_secs(at_s)).await;
                if leader { run.leader_end.cancel() } else { run.parts[1].1.cancel() }
            });
            let windows = led.unwrap().len();
            assert_eq!(windows, 1 + usize::from(at_s > 60), "{leader} {at_s}");
            for part in parts {
                assert_eq!(part.await.unwrap().unwrap().len(), windows);
            }
            assert!(run.said("order stop") == 1 && run.log.broke_silence.get() == 0);
            assert_eq!(run.said("report stopping"), u64::from(!leader));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_says_why_and_ends_it_for_all() {
    local(async {
        let run = Run::new(3);
        let mut parts = run.work(1, Duration::from_mins(10));
        let (led, ()) = tokio::join!(run.lead(1, Duration::from_mins(10), MS), async {
            sleep(Duration::from_secs(5)).await;
            run.parts[0].0.give_up("no memory").await;
        });
        let error = led.unwrap_err();
        assert_eq!(error.to_string(), "generator 2 (process 102 on h) failed: no memory");
        run.leader.give_up(&error.to_string()).await;
        let other = parts.remove(1).await.unwrap().unwrap_err();
        assert!(other.to_string().contains("no memory"), "{other}");
        assert!(LOST > ALIVE);
    })
    .await;
}
