use tokio::io::AsyncReadExt as _;

use super::super::pipe;
use super::*;

/// So often commands and pipelines of two were sent, had no reply, and found their connection lost.
fn counted(wire: &Wire) -> (u64, u64, u64) {
    let counts = wire.inner.counts.borrow();
    (counts.sent.values().sum(), counts.unanswered, counts.lost)
}

async fn ping(wire: &Wire) -> Result<Value, WireError> {
    wire.call("ping", &redis::cmd("PING"), &mut WireCost::default()).await
}

#[tokio::test(flavor = "current_thread")]
async fn what_did_not_leave_is_not_sent_and_what_may_have_left_is() {
    let (wire, mut server) = pipe::wire().await;
    let twice = redis::pipe().cmd("PING").cmd("PING").clone();
    let pipeline = async || wire.pipeline(["ping"; 2], &twice, &mut WireCost::default()).await;
    let hangs_up = async move {
        let mut request = [0; 64];
        assert!(server.read(&mut request).await.unwrap() > 0);
    };
    let (answer, ()) = tokio::join!(pipeline(), hangs_up);
    assert!(matches!(answer, Err(WireError::Disconnected(_))), "{answer:?}");
    assert_eq!((counted(&wire), wire.is_lost()), ((2, 2, 1), true));
    let each = wire.on_each("ping", &redis::cmd("PING")).await.map(drop);
    for answer in [ping(&wire).await.map(drop), pipeline().await.map(drop), each] {
        assert!(matches!(answer, Err(WireError::Disconnected(_))), "{answer:?}");
    }
    assert_eq!((counted(&wire), wire.alive().await), ((2, 2, 1), false), "nothing left");
}

/// The first command after that finds it out.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_broke_while_nothing_was_asked_takes_nothing_with_it() {
    let (wire, server) = pipe::wire().await;
    drop(server);
    pipe::settled().await;
    assert_eq!((counted(&wire), wire.is_lost()), ((0, 0, 0), false), "nobody knows yet");
    let answer = ping(&wire).await;
    assert!(matches!(answer, Err(WireError::Disconnected(_))), "{answer:?}");
    assert_eq!((counted(&wire), wire.is_lost()), ((0, 0, 1), true));
}
