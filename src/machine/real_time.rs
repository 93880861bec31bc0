//! Real-time priority for the threads that keep a schedule.
//!
//! Servers on the generator's machine run for some hundred microseconds at a time, and whoever wakes up
//! meanwhile waits for them: the send lag then measures the scheduler. With round-robin real-time priority
//! the generator's two threads run as soon as something is due. They sleep most of the time, so they take
//! nothing from the servers that they would not take later. Systems give it to root and to processes with
//! `CAP_SYS_NICE`; without it everything works as before.

use std::marker::PhantomData;

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::unix::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// The lowest real-time priorities: the clock goes before the thread that it wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends claims and reads replies.
    Driver = 1,
    /// Says when a claim is due.
    Clock = 2,
}

/// The calling thread goes before all ordinary ones until this is dropped.
#[derive(Debug)]
pub(crate) struct RealTime {
    /// Niceness to go back to; `None` where the system refused.
    niceness: Option<i32>,
    /// The thread that took it must give it back.
    _here: PhantomData<*const ()>,
}

impl RealTime {
    pub fn take(role: Role) -> Self {
        let niceness = getpriority_process(None).ok();
        let round_robin = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        Self { niceness: niceness.filter(|_| set(role as u8, round_robin)), _here: PhantomData }
    }

    /// Whether the system has given it.
    pub fn given(&self) -> bool {
        self.niceness.is_some()
    }
}

impl Drop for RealTime {
    fn drop(&mut self) {
        let Some(niceness) = self.niceness else { return };
        // The crate sets a niceness of its own with the policy. Nobody is left to tell that this failed.
        set(0, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other));
        let _ = setpriority_process(None, niceness);
    }
}

/// The calling thread runs only while nothing else would, from now on; whether the system has done it.
pub(super) fn run_idle() -> bool {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle).is_ok()
}

fn set(priority: u8, policy: ThreadSchedulePolicy) -> bool {
    let Ok(priority) = ThreadPriorityValue::try_from(priority) else { return false };
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> ThreadSchedulePolicy {
        thread_priority::unix::thread_schedule_policy().unwrap()
    }

    #[test]
    fn an_idle_thread_is_one() {
        let idle = std::thread::spawn(|| (run_idle(), policy())).join().unwrap();
        assert_eq!(idle, (true, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle)));
    }

    #[test]
    fn real_time_priority_is_given_back_with_the_niceness_of_before() {
        let before = (policy(), getpriority_process(None).unwrap());
        let real_time_priority = RealTime::take(Role::Clock);
        let real_time = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        assert_eq!(policy() == real_time, real_time_priority.given());
        drop(real_time_priority);
        assert_eq!((policy(), getpriority_process(None).unwrap()), before);
    }
}
