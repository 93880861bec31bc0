//! A thread for work that must not stand in the way of claims.

use std::io;
use std::thread::{Builder, JoinHandle};

use super::real_time::run_idle;

/// Its name, by which a window leaves it unbound.
pub(super) const ASIDE: &str = "aside";

/// Has a thread of its own do something, on any core and only while nothing else of this session would run there. To be
/// called outside of a window: a thread begins where, and as urgently as, the one that starts it.
///
/// What it shares with others it must hold for an instant only: it may have to wait for a core meanwhile, and they
/// with it. The same goes for the allocator, where it frees what another thread has allocated.
pub(crate) fn aside(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(ASIDE.to_owned()).spawn(move || {
        // Where the system refuses, it is a thread like any other.
        run_idle();
        work();
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    #[test]
    fn it_runs_while_nothing_else_would() {
        let (tell, told) = mpsc::channel();
        aside(move || tell.send(thread_schedule_policy().unwrap()).unwrap()).unwrap().join().unwrap();
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(told.recv().unwrap(), idle);
    }
}
