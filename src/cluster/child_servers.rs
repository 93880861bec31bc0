//! Child servers that cannot outlive this process, however it ends, unless they are meant to.
//!
//! On Linux each server asks the kernel for SIGKILL at its parent's death. That signal is bound to the *thread*
//! that forked it, so every set of servers gets a thread of its own that lives until they are stopped. Elsewhere
//! the servers are stopped by `Drop` and by Ctrl-C handling, but not when this process is killed with SIGKILL.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::server_arguments::ServerSpec;
use crate::machine::cpu_of;

/// Each server's log, in its directory.
pub(super) const LOG_FILE: &str = "server.log";

/// How long servers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until [`ChildServers`] is dropped or this process ends.
    Ours,
    /// Until [`ChildServers`] is dropped; for good once it is [released](ChildServers::release).
    Detached,
}

/// What the thread of the servers is asked for.
enum ChildRequest {
    /// The servers stay.
    Release,
    /// One that has ended is started again.
    Start { position: usize, done: oneshot::Sender<io::Result<()>> },
}

/// The place of one server: its process, and what those before it have left behind.
struct Place {
    child: Child,
    /// Whether the process was waited for: its id may be another's since.
    gone: bool,
    /// CPU of the processes of this place that are gone.
    used: Duration,
}

impl Place {
    /// CPU of all its processes so far; `None` where the system does not tell.
    fn cpu(&self) -> Option<Duration> {
        if self.gone { Some(self.used) } else { Some(self.used + cpu_of(self.child.id())?) }
    }

    /// How its process ended, if it did.
    fn exit(&mut self) -> io::Result<Option<ExitStatus>> {
        // Once it was waited for, nobody tells any more.
        let used = self.cpu();
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.used = used.unwrap_or(self.used);
            self.gone = true;
        }
        Ok(status)
    }

    /// Another process takes the place.
    fn replace(&mut self, child: Child) {
        self.used = self.cpu().unwrap_or(self.used);
        self.child = child;
        self.gone = false;
    }
}

/// Running servers. Dropping it kills them and waits until they are gone.
pub(super) struct ChildServers {
    places: Arc<Mutex<Vec<Place>>>,
    orders: Option<mpsc::Sender<ChildRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl ChildServers {
    /// Starts one server per spec, in order, each in [`server_dir`] below `dir`.
    pub(super) fn start(
        binary: &Path,
        dir: &Path,
        specs: &[ServerSpec],
        lifetime: Lifetime,
    ) -> io::Result<Self> {
        let places = Arc::new(Mutex::new(Vec::with_capacity(specs.len())));
        let (orders, asked) = mpsc::channel();
        let (report, started) = mpsc::channel();
        let (binary, dir, specs) = (binary.to_owned(), dir.to_owned(), specs.to_vec());
        let kept = Arc::clone(&places);
        let thread = std::thread::Builder::new().name("child-servers".to_owned()).spawn(move || {
            let spawn = |spec: &ServerSpec| {
                let mut command = server_command(&binary, &dir, spec)?;
                if lifetime == Lifetime::Ours {
                    die_with_parent(&mut command);
                }
                command.spawn()
            };
            let result = specs.iter().try_for_each(|spec| {
                lock(&kept).push(Place { child: spawn(spec)?, gone: false, used: Duration::ZERO });
                Ok(())
            });
            // Whoever started us waits for this.
            let _ = report.send(result);
            loop {
                match asked.recv() {
                    Ok(ChildRequest::Start { position, done }) => {
                        let started = spawn(&specs[position]);
                        let started = started.map(|child| lock(&kept)[position].replace(child));
                        // Who asked may have been cancelled; the server is stopped with the others.
                        let _ = done.send(started);
                    }
                    Ok(ChildRequest::Release) => return,
                    Err(_) => return kill_all(&kept),
                }
            }
        })?;
        let servers = Self { places, orders: Some(orders), thread: Some(thread) };
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that starts them ended")))?;
        Ok(servers)
    }

    /// Process ids, in the order of the specs.
    pub(super) fn pids(&self) -> Vec<u32> {
        lock(&self.places).iter().map(|place| place.child.id()).collect()
    }

    /// CPU of all their processes so far, of those that have ended as well; `None` where the system does not
    /// tell.
    pub(super) fn cpu(&self) -> Option<Duration> {
        lock(&self.places).iter().map(Place::cpu).sum()
    }

    /// How the server at `position` ended, if it did.
    pub(super) fn exit_of(&self, position: usize) -> Option<String> {
        let mut places = lock(&self.places);
        match places.get_mut(position)?.exit() {
            Ok(status) => status.map(|status| status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Starts the server at `position` again, with the same arguments in the same directory. It must have
    /// ended.
    pub(super) async fn start_again(&self, position: usize) -> io::Result<()> {
        let gone = || io::Error::other("the thread that starts servers ended");
        let (done, started) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(ChildRequest::Start { position, done }).map_err(|_| gone())?;
        started.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Lets detached servers go on without this process.
    pub(super) fn release(mut self) {
        if let Some(orders) = self.orders.take() {
            // Fails only if the thread is gone, and the servers are released then.
            let _ = orders.send(ChildRequest::Release);
        }
    }
}

impl Drop for ChildServers {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed; the children die with the thread.
            let _ = thread.join();
        }
    }
}

fn lock(places: &Mutex<Vec<Place>>) -> MutexGuard<'_, Vec<Place>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// There is nothing to save, so SIGKILL; every server is signalled before the first is waited for.
fn kill_all(places: &Mutex<Vec<Place>>) {
    let mut places = lock(places);
    for place in places.iter_mut() {
        // Fails only for one that has ended already.
        let _ = place.child.kill();
    }
    for place in places.iter_mut() {
        let _ = place.child.wait();
    }
}

/// The directory of one server; holds `nodes.conf` and [`LOG_FILE`].
pub(super) fn server_dir(dir: &Path, spec: &ServerSpec) -> PathBuf {
    dir.join(spec.port.to_string())
}

/// How to start one server. It survives Ctrl-C in the terminal: that is for the tool, which still has things
/// to read from its servers.
pub(super) fn server_command(binary: &Path, dir: &Path, spec: &ServerSpec) -> io::Result<Command> {
    let dir = server_dir(dir, spec);
    std::fs::create_dir_all(&dir)?;
    let mut command = Command::new(binary);
    command
        .args(spec.arguments(LOG_FILE))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Ok(command)
}

/// Has the kernel end the process that `command` starts when the thread that starts it ends. Elsewhere than
/// on Linux, nothing.
#[cfg(target_os = "linux")]
pub(crate) fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    use rustix::io::Errno;
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    let in_child = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the line above: then nobody will send the signal.
        if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: between fork and exec the closure makes two system calls; its errors are bare numbers, so it neither
    // allocates nor takes a lock that another thread may have held.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(in_child);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn die_with_parent(_: &mut Command) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn counting(to: u32) -> Child {
        let script = format!("i=0; while [ $i -lt {to} ]; do i=$((i+1)); done");
        Command::new("sh").args(["-c", &script]).spawn().unwrap()
    }

    fn until_it_ends(place: &mut Place) -> Duration {
        while place.exit().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        place.cpu().unwrap()
    }

    #[test]
    fn cpu_of_a_process_that_ended_stays_with_its_place() {
        let mut place = Place { child: counting(50_000), gone: false, used: Duration::ZERO };
        let first = until_it_ends(&mut place);
        assert!(place.gone && first > Duration::ZERO);
        assert_eq!(until_it_ends(&mut place), first, "asked again, it is the same");
        place.replace(counting(50_000));
        assert!(!place.gone);
        assert!(until_it_ends(&mut place) > first, "the next one's comes to it");
    }
}
