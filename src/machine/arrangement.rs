//! Arranges this machine for measuring: threads on their cores and cores awake, window by window.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use reclaim_analysis::record::{AwakeBy, ConditionRemark, Conditions, NoSpinning};
use reclaim_analysis::scenario::{Cores, MachineSection, Placement};

use super::aside::ASIDE;
use super::awake::{LatencyLimit, Spinner};
use super::binding::{bind_process, cpu_of, refusal};
use super::cores::Available;
use super::neighbours::Neighbours;
use super::plan::{Means, ServersAt, plan};

/// Threads of this process that must stay where they are: whoever restarts a server hands its cores on to it, and what is
/// done aside keeps off the generator's.
const NOT_BOUND: [&str; 3] = ["child-servers", "container", ASIDE];

/// What was decided for a run, and the means to do it.
#[derive(Debug)]
pub struct Arrangement {
    asked: MachineSection,
    servers: ServersAt,
    conditions: RefCell<Conditions>,
    /// Logical cores that everything may use again after a window.
    all: Vec<u32>,
    spinner: RefCell<Option<Spinner>>,
    open: Cell<bool>,
    /// Servers that were bound since the window was opened.
    bound: RefCell<Vec<u32>>,
    /// Processes that work for this one, where it works.
    beside: RefCell<Vec<u32>>,
}

impl Arrangement {
    /// Decides, and starts what will be needed. Nothing is bound yet and nothing spins.
    pub fn new(asked: MachineSection, servers: ServersAt) -> Rc<Self> {
        let (conditions, spinner) = decided(asked, servers, Neighbours::NONE);
        Rc::new(Self {
            asked,
            servers,
            conditions: conditions.into(),
            all: Available::here().logical(),
            spinner: spinner.into(),
            open: Cell::new(false),
            bound: RefCell::default(),
            beside: RefCell::default(),
        })
    }

    /// Decides anew beside other generators of the run on these cores. Not in a window.
    pub fn share_with(&self, neighbours: Neighbours) {
        if neighbours == Neighbours::NONE {
            return;
        }
        // The old one first: two would spin on the same cores.
        self.spinner.replace(None);
        let (conditions, spinner) = decided(self.asked, self.servers, neighbours);
        self.conditions.replace(conditions);
        self.spinner.replace(spinner);
    }

    /// Has processes that work for this one placed as this one is.
    pub fn beside(&self, pids: Vec<u32>) {
        self.beside.replace(pids);
    }

    /// CPU of those processes so far.
    pub fn beside_cpu(&self) -> Duration {
        self.beside.borrow().iter().filter_map(|&pid| cpu_of(pid)).sum()
    }

    fn bind_generator(&self, cores: &[u32]) {
        bind_process(std::process::id(), &NOT_BOUND, cores);
        self.beside.borrow().iter().for_each(|&pid| bind_process(pid, &[], cores));
    }

    /// Opens a window: until what this returns is dropped, threads are on their cores and cores awake.
    /// `servers` are the processes that are ours to place. A window within a window moves nothing but servers
    /// that have come since.
    pub fn window(self: &Rc<Self>, servers: &[u32]) -> Arranged {
        let outermost = !self.open.replace(true);
        if outermost && self.conditions.borrow().placement != Placement::Free {
            self.bind_generator(&self.conditions.borrow().generator_on);
        }
        // None where nothing is placed.
        self.bind_servers(servers);
        if !outermost {
            return Arranged { of: None, latency: None };
        }
        let awake_by = self.conditions.borrow().awake_by.clone();
        let latency = match awake_by {
            Some(AwakeBy::DmaLatency) => LatencyLimit::hold().map_err(|error| self.lost(&error)).ok(),
            Some(AwakeBy::Spinning { .. }) => {
                self.spin(true);
                None
            }
            None => None,
        };
        Arranged { of: Some(Rc::clone(self)), latency }
    }

    /// Binds those of them that are not bound yet.
    fn bind_servers(&self, servers: &[u32]) {
        let conditions = self.conditions.borrow();
        if conditions.servers_on.is_empty() {
            return;
        }
        let mut bound = self.bound.borrow_mut();
        for &pid in servers {
            if !bound.contains(&pid) {
                bind_process(pid, &[], &conditions.servers_on);
                bound.push(pid);
            }
        }
    }

    /// CPU of the threads that spin, so far; `None` where none does or the system does not tell.
    pub fn kept_awake(&self) -> Option<Duration> {
        self.spinner.borrow().as_ref()?.used()
    }

    /// What was asked for and what was done.
    pub fn conditions(&self) -> Conditions {
        self.conditions.borrow().clone()
    }

    fn spin(&self, on: bool) {
        let ordered = self.spinner.borrow_mut().as_mut().map_or(Ok(()), |spinner| spinner.spin(on));
        if let Err(error) = ordered {
            self.lost(&error);
            self.spinner.replace(None);
        }
    }

    fn lost(&self, error: &io::Error) {
        sleepy(&mut self.conditions.borrow_mut(), error);
    }
}

/// What is to be done, and what was started for it.
fn decided(
    asked: MachineSection,
    servers: ServersAt,
    neighbours: Neighbours,
) -> (Conditions, Option<Spinner>) {
    let available = Available::here();
    let means = Means {
        no_binding: refusal(&available.logical()),
        latency_limit: LatencyLimit::is_enough(),
        no_spinning: Spinner::refusal(),
    };
    started(means, |means| plan(asked, available, (servers, neighbours), means), Spinner::start)
}

/// What is planned with these means, and what spins for it. Where that does not start, what is planned without it:
/// servers keep to the threads that spin, and without any they would leave the others of their cores empty.
fn started<S>(
    means: Means,
    planned: impl Fn(&Means) -> Conditions,
    start: impl FnOnce(&[u32]) -> io::Result<S>,
) -> (Conditions, Option<S>) {
    let conditions = planned(&means);
    let Some(AwakeBy::Spinning { on }) = &conditions.awake_by else { return (conditions, None) };
    match start(on) {
        Ok(spinner) => (conditions, Some(spinner)),
        Err(error) => {
            let no_spinning = Some(NoSpinning::NotStarted { detail: error.to_string() });
            (planned(&Means { no_spinning, ..means }), None)
        }
    }
}

/// What keeps cores awake is lost.
fn sleepy(conditions: &mut Conditions, lost: &io::Error) {
    conditions.cores = Cores::Free;
    conditions.awake_by = None;
    conditions.remarks.push(ConditionRemark::AwakeLost { detail: lost.to_string() });
}

/// An open window.
#[derive(Debug)]
#[must_use = "the window closes when this is dropped"]
pub struct Arranged {
    of: Option<Rc<Arrangement>>,
    #[expect(dead_code, reason = "held while the window is open")]
    latency: Option<LatencyLimit>,
}

impl Drop for Arranged {
    fn drop(&mut self) {
        let Some(of) = &self.of else { return };
        of.spin(false);
        if of.conditions.borrow().placement != Placement::Free {
            of.bind_generator(&of.all);
        }
        of.bound.take().into_iter().for_each(|pid| bind_process(pid, &[], &of.all));
        of.open.set(false);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Child, Command};

    use super::super::aside::aside;
    use super::*;
    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_getaffinity};

    /// Where a process may run; the calling thread without one.
    fn allowed(pid: Option<Pid>) -> Vec<usize> {
        let set = sched_getaffinity(pid).unwrap();
        (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
    }

    fn bound_to() -> Vec<usize> {
        allowed(None)
    }

    /// In a process of its own, since it binds every thread of one: run by the test below.
    fn windows() {
        let before = bound_to();
        let arrangement = Arrangement::new(MachineSection::default(), ServersAt::Elsewhere);
        let conditions = arrangement.conditions();
        // Where the system keeps cores awake by itself, anybody can have it.
        let spins = matches!(conditions.awake_by, Some(AwakeBy::Spinning { .. }));
        assert!(!spins, "a test is not the program that could spin: {conditions:?}");
        assert_eq!(conditions.cores == Cores::Awake, conditions.awake_by.is_some());
        assert_eq!(bound_to(), before, "nothing is bound before a window");
        let (ask, asked) = std::sync::mpsc::channel::<()>();
        let (answer, answered) = std::sync::mpsc::channel();
        let beside = aside(move || asked.iter().for_each(|()| answer.send(bound_to()).unwrap())).unwrap();
        let aside_on = || {
            ask.send(()).unwrap();
            answered.recv().unwrap()
        };
        assert_eq!(aside_on(), before);
        let window = arrangement.window(&[]);
        assert_eq!(aside_on(), before, "it keeps off the generator's core");
        if conditions.placement == Placement::Apart {
            assert_eq!(bound_to(), [conditions.generator_on[0] as usize]);
            let inherited = std::thread::spawn(bound_to).join().unwrap();
            assert_eq!(inherited, bound_to(), "clocks start inside");
        }
        drop(arrangement.window(&[]));
        assert_eq!(bound_to().len() == before.len(), conditions.placement == Placement::Free, "still open");
        drop(window);
        assert_eq!(bound_to(), before);
        drop(ask);
        beside.join().unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _window = arrangement.window(&[]);
            panic!("a window that ends badly");
        }));
        assert!(panicked.is_err());
        assert_eq!(bound_to(), before, "however a window ends");
        servers_of_a_window_within(&before);
    }

    /// In nested windows bound servers keep their cores; a newly started one is bound too.
    fn servers_of_a_window_within(before: &[usize]) {
        let arrangement = Arrangement::new(MachineSection::default(), ServersAt::Ours { count: 2 });
        let on: Vec<usize> = arrangement.conditions().servers_on.iter().map(|&core| core as usize).collect();
        if on.is_empty() {
            return;
        }
        let mut servers: Vec<Child> =
            (0..2).map(|_| Command::new("sleep").arg("60").spawn().unwrap()).collect();
        let pids: Vec<u32> = servers.iter().map(Child::id).collect();
        let where_they_are = || -> Vec<Vec<usize>> {
            pids.iter().map(|&pid| allowed(Pid::from_raw(pid.cast_signed()))).collect()
        };
        let window = arrangement.window(&pids[..1]);
        assert_eq!(where_they_are(), [on.clone(), before.to_vec()]);
        // Moved by hand: whoever bound it again would be seen.
        bind_process(pids[0], &[], &arrangement.all);
        drop(arrangement.window(&pids));
        assert_eq!(where_they_are(), [before.to_vec(), on], "the first is not bound twice");
        drop(window);
        assert_eq!(where_they_are(), [before, before], "and all are given back");
        for server in &mut servers {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Two threads to each of three cores, of which servers have one each where a thread of ours spins on it.
    #[test]
    fn a_helper_that_does_not_start_leaves_all_as_it_is_without_one() {
        let physical = vec![vec![0, 4], vec![1, 5], vec![2, 6]];
        let available = Available { physical, present: None, quota_us_per_s: None };
        let servers = (ServersAt::Ours { count: 2 }, Neighbours::NONE);
        let planned = |means: &Means| plan(MachineSection::default(), &available, servers, means);
        for latency_limit in [false, true] {
            let means = || Means { no_binding: None, latency_limit, no_spinning: None };
            let (spun, spinner) = started(means(), planned, |on| Ok(on.to_vec()));
            assert_eq!((spun.servers_on, spinner), (vec![0, 1], Some(vec![0, 1, 2])));
            let (alone, spinner) = started(means(), planned, |_| Err::<u32, _>(io::Error::other("no room")));
            let because = NoSpinning::NotStarted { detail: "no room".into() };
            let without = planned(&Means { no_spinning: Some(because.clone()), ..means() });
            assert_eq!((&alone, spinner), (&without, None));
            assert_eq!(alone.servers_on, [0, 1, 4, 5]);
            assert_eq!(alone.awake_by, latency_limit.then_some(AwakeBy::DmaLatency));
            let said = if latency_limit {
                ConditionRemark::NothingSpins { because }
            } else {
                ConditionRemark::MaySleep { because }
            };
            assert_eq!(alone.remarks, [said]);
        }
    }

    #[test]
    fn cores_whose_keeper_is_lost_may_sleep_for_the_systems_reason() {
        let awake_by = Some(AwakeBy::DmaLatency);
        let mut conditions = Conditions { cores: Cores::Awake, awake_by, ..Conditions::default() };
        sleepy(&mut conditions, &io::Error::other("broken pipe"));
        let remarks = vec![ConditionRemark::AwakeLost { detail: "broken pipe".into() }];
        assert_eq!(conditions, Conditions { remarks, ..Conditions::default() });
    }

    #[test]
    fn a_window_binds_and_gives_back_however_it_ends() {
        const ALONE: &str = "RECLAIM_BENCH_TEST_WINDOWS";
        if std::env::var_os(ALONE).is_some() {
            return windows();
        }
        let name = "machine::arrangement::tests::a_window_binds_and_gives_back_however_it_ends";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let done = command.args([name, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
    }
}
