//! Who comes to a run: late, not at all, from the same machine, and with a plan, a build or a count that is not
//! the leader's.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use super::super::MeetingError;
use super::super::message::Hello;
use super::{MS, Run, WAIT, hello, library, local};
use crate::machine::Neighbours;

/// Later than somebody who says nothing is given up, and sooner than the wait ends.
#[tokio::test(start_paused = true)]
async fn who_comes_late_finds_those_still_there_who_came_at_once() {
    local(async {
        let run = Run::new(3);
        let comes = |n: usize, after: Duration| {
            let part = Rc::clone(&run.parts[n].0);
            spawn_local(async move {
                sleep(after).await;
                part.meet(hello(n as u32 + 2, 3), WAIT).await
            })
        };
        let (soon, late) = (comes(0, Duration::ZERO), comes(1, Duration::from_secs(28)));
        assert_eq!(run.leader.meet(WAIT, library(), true).await.map(|hosts| hosts.len()), Ok(3));
        assert!(soon.await.unwrap().is_ok() && late.await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_is_named_and_who_came_is_told() {
    local(async {
        let run = Run::new(4);
        let part = Rc::clone(&run.parts[1].0);
        let came = spawn_local(async move { part.meet(hello(3, 4), WAIT).await });
        let begun = Instant::now();
        let error = run.leader.meet(WAIT, library(), true).await.unwrap_err();
        assert!((WAIT..WAIT + 10 * MS).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(matches!(&error, MeetingError::Missing { missing, .. } if *missing == [2, 4]), "{error:?}");
        assert!(error.to_string().contains("generators 2 and 4 of 4 have not come within 30 s"), "{error}");
        run.leader.give_up(&error.to_string()).await;
        assert_eq!(came.await.unwrap().unwrap_err(), MeetingError::Ended { reason: error.to_string() });
    })
    .await;
}

/// Each task of a swarm has a name of its own; the second one is on the leader's machine, the third elsewhere.
#[tokio::test(start_paused = true)]
async fn generators_in_containers_of_one_machine_know_of_each_other() {
    local(async {
        let contained = |part: u32, boot: &str| Hello {
            host: format!("container-{part}"),
            boot: Some(boot.to_owned()),
            ..hello(part, 3)
        };
        let run = Run::led_by(contained(1, "one"));
        let comes = |n: usize, own: Hello| {
            let part = Rc::clone(&run.parts[n].0);
            spawn_local(async move { part.meet(own, WAIT).await })
        };
        let came = [comes(0, contained(2, "one")), comes(1, contained(3, "another"))];
        let known = run.leader.meet(WAIT, library(), true).await.unwrap();
        let of = |place, of| Neighbours { place, of, overlapping: false };
        assert_eq!(known, [of(0, 2), of(1, 2), Neighbours::NONE]);
        for part in came {
            assert_eq!(part.await.unwrap().unwrap().neighbours, known);
        }
    })
    .await;
}

/// It is refused by its version, and not for what it says.
#[test]
fn one_of_a_version_that_did_not_tell_its_machine_is_understood() {
    let before = serde_json::to_value(hello(2, 3)).unwrap();
    assert!(before.get("boot").is_none() && before.get("cores").is_none(), "{before}");
    assert_eq!(serde_json::from_value::<Hello>(before).unwrap(), hello(2, 3));
}

#[tokio::test(start_paused = true)]
async fn another_plan_another_build_and_another_count_are_told_apart() {
    type Case = (&'static str, fn(&mut Hello));
    let cases: [Case; 3] = [
        ("has another plan", |hello| hello.plan_sha256 = "another".into()),
        ("is version 1 of commit d, generator 1 is 1 of commit c", |hello| hello.commit = "d".into()),
        ("one of 7, generator 1 as one of 3", |hello| hello.of = 7),
    ];
    for (part_of_it, change) in cases {
        local(async {
            let run = Run::new(3);
            let mut other = hello(3, 3);
            change(&mut other);
            let part = Rc::clone(&run.parts[1].0);
            let came = spawn_local(async move { part.meet(other, WAIT).await });
            let error = run.leader.meet(WAIT, library(), true).await.unwrap_err().to_string();
            assert!(
                error.contains(part_of_it) && error.contains("generator 3 (process 103 on h)"),
                "{error}"
            );
            run.leader.give_up(&error).await;
            assert!(came.await.unwrap().unwrap_err().to_string().contains(part_of_it));
        })
        .await;
    }
}
