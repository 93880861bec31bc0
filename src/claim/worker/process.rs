//! A worker as a process: started, handed one grant after the other, and ended with whoever started it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::super::sdk_login::IDLE_LANE;
use super::error::WorkerError;
use super::protocol::{Answered, Asked, GrantLine, SetUp, answer, greeting, line};
use crate::cluster::{NAMESPACE, die_with_parent};
use crate::flowfabric::{ReclaimGrant, WorkerIdentity};
use crate::valkey::NodeAddr;
use reclaim_analysis::scenario::VariantPath;

/// Longest answer that is read; a lease has a few hundred bytes, and an error's words may be longer.
const LONGEST_LINE: u64 = 64 * 1024;

/// Longest part of a line or of last words that is shown.
const SHOWN: usize = 400;

/// For a worker that has closed its pipe to end.
const ENDING: Duration = Duration::from_secs(2);

/// What a worker needs to connect.
#[derive(Clone, Copy, Debug)]
pub struct WorkerLogin<'a> {
    /// One of the cluster's primaries.
    pub addr: &'a NodeAddr,
    /// The name by which servers know its connections.
    pub client_name: &'a str,
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// Lease that it asks for.
    pub lease_ttl: Duration,
    /// Flow partitions.
    pub partitions: u16,
    /// Longest wait of its client for one reply.
    pub timeout: Duration,
    /// How it claims.
    pub path: VariantPath,
}

/// A running worker. Dropping it ends it.
pub struct WorkerProcess {
    child: Child,
    pid: u32,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its standard error.
    last_words: File,
    claims: u64,
}

impl WorkerProcess {
    /// Starts a worker and waits, `limit` at most, until it has connected.
    pub async fn start(
        program: &Path,
        login: &WorkerLogin<'_>,
        limit: Duration,
    ) -> Result<Self, WorkerError> {
        let start = |error: std::io::Error| WorkerError::Start(format!("{}: {error}", program.display()));
        let last_words = tempfile::tempfile().map_err(start)?;
        let mut command = std::process::Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(last_words.try_clone().map_err(start)?);
        // Ctrl-C in the terminal is for the tool, which ends its workers when the claims in flight have
        // ended.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        die_with_parent(&mut command);
        let mut child = Command::from(command).kill_on_drop(true).spawn().map_err(start)?;
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.id());
        let ((input, output), pid) =
            pipes.ok_or_else(|| WorkerError::Start("it has no pipes, or has ended".to_owned()))?;
        let mut process = Self { child, pid, input, output: BufReader::new(output), last_words, claims: 0 };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let setup = line(&SetUp {
            host: &login.addr.host,
            port: login.addr.port,
            client_name: login.client_name,
            worker_id: login.worker.worker_id.as_str(),
            instance_id: login.worker.instance_id.as_str(),
            namespace: NAMESPACE,
            lane: IDLE_LANE,
            lease_ttl_ms: millis(login.lease_ttl),
            partitions: login.partitions,
            timeout_ms: millis(login.timeout),
            path: if login.path == VariantPath::SdkGrant { "sdk-grant" } else { "sdk-resume" },
        });
        let said = process.ask(&setup, limit).await?;
        match greeting(&said) {
            Ok(Ok(())) => Ok(process),
            Ok(Err(words)) => Err(WorkerError::Refused(words)),
            Err(problem) => Err(process.nonsense(problem, &said)),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Hands a grant over and waits for what comes of it. After an error the worker is of no use any more.
    pub(super) async fn claim(&mut self, grant: &ReclaimGrant, limit: Duration) -> Result<Told, WorkerError> {
        self.claims += 1;
        let claim = self.claims;
        let order = line(&GrantLine { claim, grant });
        let sent_ns = now_ns();
        let said = self.ask(&order, limit).await?;
        let asked = Asked { claim, sent_ns, received_ns: now_ns() };
        let answered = answer(&said, asked).map_err(|problem| self.nonsense(problem, &said))?;
        Ok(Told { answered, asked })
    }

    /// One line there, one line back.
    async fn ask(&mut self, line: &[u8], limit: Duration) -> Result<String, WorkerError> {
        let exchange = async {
            self.input.write_all(line).await?;
            let mut said = Vec::new();
            (&mut self.output).take(LONGEST_LINE).read_until(b'\n', &mut said).await?;
            Ok::<_, std::io::Error>(said)
        };
        match timeout(limit, exchange).await {
            Ok(Ok(said)) if said.ends_with(b"\n") => Ok(String::from_utf8_lossy(&said).into_owned()),
            Ok(Ok(said)) if said.len() as u64 >= LONGEST_LINE => {
                let said = String::from_utf8_lossy(&said).into_owned();
                Err(self.nonsense(format!("a line of more than {LONGEST_LINE} bytes"), &said))
            }
            // The pipe is closed: its end is not far.
            Ok(_) => Err(self.died().await),
            Err(_) => {
                // Ended by SIGKILL: what does not answer may not listen either.
                let _ = self.child.start_kill();
                Err(WorkerError::Silent { pid: self.pid, waited: limit, said: self.said() })
            }
        }
    }

    async fn died(&mut self) -> WorkerError {
        let status = match timeout(ENDING, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                let _ = self.child.start_kill();
                "it closed its pipe and went on".to_owned()
            }
        };
        WorkerError::Died { pid: self.pid, status, said: self.said() }
    }

    fn nonsense(&mut self, problem: String, line: &str) -> WorkerError {
        let _ = self.child.start_kill();
        WorkerError::Nonsense { pid: self.pid, problem, line: shown(line.trim_end(), true) }
    }

    /// The end of its standard error, on one line.
    fn said(&mut self) -> String {
        let mut text = Vec::new();
        let read = self
            .last_words
            .seek(SeekFrom::Start(0))
            .and_then(|_| (&self.last_words).take(LONGEST_LINE).read_to_end(&mut text));
        match read {
            Ok(_) => {
                let text = String::from_utf8_lossy(&text);
                shown(&text.split_whitespace().collect::<Vec<_>>().join(" "), false)
            }
            Err(_) => String::new(),
        }
    }
}

/// An answer, and between which readings of this process' clock it came.
pub(super) struct Told {
    pub(super) answered: Answered,
    pub(super) asked: Asked,
}

/// The beginning of a text, or its end, where it is long.
fn shown(text: &str, beginning: bool) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    if beginning {
        text.chars().take(SHOWN).chain("...".chars()).collect()
    } else {
        "...".chars().chain(text.chars().skip(count - SHOWN)).collect()
    }
}

/// The machine's monotonic clock, which the worker reads as well.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    use ff_core::types::{WorkerId, WorkerInstanceId};

    use super::*;

    const READY: &str = "read -r setup; echo '{\"ready\":1}'";

    fn grant() -> ReclaimGrant {
        serde_json::from_value(serde_json::json!({
            "execution_id": "{fp:7}:6f2b3b9e-0f0e-4a51-9d63-000000000001",
            "partition_key": "{fp:7}",
            "grant_key": "key",
            "expires_at_ms": 17,
            "lane_id": "gpu",
        }))
        .unwrap()
    }

    /// A worker that is a shell script, in a directory of its own.
    fn script(dir: &Path, text: &str) -> std::path::PathBuf {
        let path = dir.join("worker");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    async fn started(text: &str, limit: Duration) -> Result<WorkerProcess, WorkerError> {
        let dir = tempfile::tempdir().unwrap();
        let worker = WorkerIdentity {
            worker_id: WorkerId::new("w".to_owned()),
            instance_id: WorkerInstanceId::new("i".to_owned()),
        };
        let login = WorkerLogin {
            addr: &NodeAddr { host: "127.0.0.1".into(), port: 1 },
            client_name: "test",
            worker: &worker,
            lease_ttl: Duration::from_secs(1),
            partitions: 256,
            timeout: Duration::from_secs(1),
            path: VariantPath::SdkResume,
        };
        WorkerProcess::start(&script(dir.path(), text), &login, limit).await
    }

    const PATIENT: Duration = Duration::from_mins(1);

    async fn claim_of(text: &str, limit: Duration) -> WorkerError {
        let mut process = started(&format!("{READY}\n{text}"), PATIENT).await.unwrap();
        process.claim(&grant(), limit).await.err().expect("no claim")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_worker_that_dies_is_named_with_its_last_words() {
        let error = claim_of("read -r order; echo 'out of luck' >&2; exit 7", PATIENT).await;
        let WorkerError::Died { status, said, .. } = &error else { panic!("{error}") };
        assert!(status.contains('7') && said == "out of luck", "{error}");
        let killed = claim_of("read -r order; kill -KILL $$", PATIENT).await;
        assert!(killed.to_string().contains("signal: 9"), "{killed}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_worker_that_does_not_answer_is_waited_for_as_long_as_was_said_and_ended() {
        let begun = Instant::now();
        let limit = Duration::from_millis(300);
        let error = claim_of("read -r order; sleep 600", limit).await;
        assert!(matches!(error, WorkerError::Silent { waited, .. } if waited == limit), "{error}");
        assert!(begun.elapsed() < Duration::from_mins(2), "not for as long as it sleeps");
        let never = started("sleep 600", limit).await.err().unwrap();
        assert!(matches!(never, WorkerError::Silent { .. }), "{never}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nonsense_is_shown() {
        let error = claim_of("read -r order; echo what a nice grant; sleep 600", PATIENT).await;
        let said = error.to_string();
        assert!(said.contains("answered with nonsense") && said.contains("`what a nice grant`"), "{said}");
        let endless = claim_of("read -r order; while :; do printf aaaaaaaaaaaaaaaa; done", PATIENT).await;
        assert!(endless.to_string().contains("a line of more than 65536 bytes"), "{endless}");
        let stranger = started("echo hello; sleep 600", PATIENT).await.err().unwrap();
        assert!(stranger.to_string().contains("`hello`"), "{stranger}");
        let old = claim_of(
            "read -r order; echo '{\"claim\":1,\"begun_ns\":1,\"ended_ns\":2,\"refused\":{\"code\":null,\"late\":false,\"words\":\"\"}}'",
            PATIENT,
        )
        .await;
        assert!(old.to_string().contains("its clock says 1 to 2 ns"), "{old}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_worker_that_cannot_connect_or_start_says_why() {
        let refused =
            started("read -r setup; echo '{\"refused\":\"no route\"}'", PATIENT).await.err().unwrap();
        assert_eq!(refused, WorkerError::Refused("no route".to_owned()));
        let dead = started("exit 3", PATIENT).await.err().unwrap();
        assert!(matches!(&dead, WorkerError::Died { status, .. } if status.contains('3')), "{dead}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_worker_ends_when_nobody_holds_it_any_more() {
        let process = started(&format!("{READY}\nsleep 600"), PATIENT).await.unwrap();
        let pid = process.id();
        drop(process);
        let gone = || {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
                stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
            })
        };
        let begun = Instant::now();
        while !gone() {
            assert!(begun.elapsed() < Duration::from_mins(1), "process {pid} is still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
