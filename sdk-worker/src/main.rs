//! A worker of FlowFabric's SDK that is handed one grant after the other.
//!
//! Built by reclaim-bench against the SDK of one side of a duet; nothing but that SDK is different between
//! two sides. Lines of JSON, each in one write: the first line in is the set-up, answered by `{"ready": 1}`
//! or `{"refused": "..."}`; then a grant, answered by a lease or by what stood in its way, with the clock
//! before the SDK was called and after it came back. The end of the input ends the worker.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_core::contracts::{ClaimGrant, ResumeGrant};
use ff_core::partition::PartitionConfig;
use ff_core::types::{LaneId, Namespace, WorkerId, WorkerInstanceId};
use ff_sdk::{ClaimedTask, EngineError, FlowFabricWorker, SdkError, WorkerConfig};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;

/// What both ends of the pipe speak.
const PROTOCOL: u64 = 1;

/// More tasks than are ever in flight.
const TASKS: usize = 1 << 20;

fn main() -> ExitCode {
    let served = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(words).and_then(
        // A task of its own: what the runtime itself waits for is looked at only after the kernel was asked
        // for events again.
        |runtime| runtime.block_on(async { tokio::spawn(serve()).await.map_err(words)? }),
    );
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn serve() -> Result<(), String> {
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(words)?;
    let mut lines = BufReader::new(Receiver::from_owned_fd(input).map_err(words)?).lines();
    let Some(setup) = next(&mut lines).await? else { return Ok(()) };
    let worker = match connect(&setup).await {
        Ok(worker) => worker,
        Err(error) => {
            say(&json!({"refused": &error}))?;
            return Err(error);
        }
    };
    let by_grant = text(&setup, "path")? == "sdk-grant";
    say(&json!({"ready": PROTOCOL}))?;
    while let Some(order) = next(&mut lines).await? {
        let answer = claim(&worker, by_grant, &order).await?;
        say(&answer)?;
    }
    Ok(())
}

async fn next(lines: &mut Lines<BufReader<Receiver>>) -> Result<Option<Value>, String> {
    match lines.next_line().await.map_err(words)? {
        Some(line) => serde_json::from_str(&line).map(Some).map_err(words),
        None => Ok(None),
    }
}

fn say(value: &Value) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{value}\n").as_bytes()).and_then(|()| output.flush()).map_err(words)
}

/// A field of a line, as whatever type is wanted.
fn field<T: serde::de::DeserializeOwned>(line: &Value, name: &str) -> Result<T, String> {
    T::deserialize(&line[name]).map_err(|error| format!("{name}: {error}"))
}

fn text(line: &Value, name: &str) -> Result<String, String> {
    field(line, name)
}

/// Built over its backend, the worker leaves no trace on the servers: neither the mark that it is alive nor
/// what it can do.
async fn connect(setup: &Value) -> Result<FlowFabricWorker, String> {
    let client = ferriskey::ClientBuilder::new()
        .host(&text(setup, "host")?, field(setup, "port")?)
        .request_timeout(Duration::from_millis(field(setup, "timeout_ms")?))
        .client_name(text(setup, "client_name")?)
        .cluster()
        .build()
        .await
        .map_err(words)?;
    let partitions =
        PartitionConfig { num_flow_partitions: field(setup, "partitions")?, ..PartitionConfig::default() };
    let config = WorkerConfig {
        backend: None,
        worker_id: WorkerId::new(text(setup, "worker_id")?),
        worker_instance_id: WorkerInstanceId::new(text(setup, "instance_id")?),
        namespace: Namespace::new(text(setup, "namespace")?),
        // A worker must name one; claims name their own.
        lanes: vec![LaneId::new(text(setup, "lane")?)],
        capabilities: Vec::new(),
        lease_ttl_ms: field(setup, "lease_ttl_ms")?,
        claim_poll_interval_ms: 1_000,
        max_concurrent_tasks: TASKS,
        partition_config: Some(partitions),
    };
    let backend = ValkeyBackend::from_client_and_partitions(client, partitions);
    FlowFabricWorker::connect_with(config, backend, None).await.map_err(words)
}

/// One claim. What is not the SDK's is before the first look at the clock or after the second.
async fn claim(worker: &FlowFabricWorker, by_grant: bool, order: &Value) -> Result<Value, String> {
    let number: u64 = field(order, "claim")?;
    let (execution, partition) = (field(order, "execution_id")?, field(order, "partition_key")?);
    let (key, expires) = (text(order, "grant_key")?, field(order, "expires_at_ms")?);
    let lane: LaneId = field(order, "lane_id")?;
    let (begun, done, ended);
    if by_grant {
        let grant = ClaimGrant::new(execution, partition, key, expires);
        begun = now_ns();
        done = worker.claim_from_grant(lane, grant).await;
        ended = now_ns();
    } else {
        let grant = ResumeGrant::new(execution, partition, key, expires, lane);
        begun = now_ns();
        done = worker.claim_from_resume_grant(grant).await;
        ended = now_ns();
    }
    let mut answer = json!({"claim": number, "begun_ns": begun, "ended_ns": ended});
    match done {
        // The task ends here: its worker would go on with it, and renew its lease from time to time.
        Ok(task) => answer["lease"] = lease(&task),
        Err(error) => answer["refused"] = refusal(&error),
    }
    Ok(answer)
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn lease(task: &ClaimedTask) -> Value {
    json!({
        "id": task.lease_id().to_string(),
        "epoch": task.lease_epoch().0,
        "attempt_id": task.attempt_id().to_string(),
        "attempt_index": task.attempt_index().0,
    })
}

/// What the SDK says: the function's code where one refused, and whether no answer came in time.
fn refusal(error: &SdkError) -> Value {
    let (code, late) = match error {
        SdkError::Engine(engine) => of_engine(engine),
        // A grant past its time by this machine's clock is not sent.
        SdkError::Config { field: Some(field), .. } if field.contains("expires_at") => {
            (Some("claim_grant_expired".to_owned()), false)
        }
        _ => (None, false),
    };
    json!({"code": code, "late": late, "words": error.to_string()})
}

fn of_engine(error: &EngineError) -> (Option<String>, bool) {
    match error {
        EngineError::Contextual { source, .. } => of_engine(source),
        EngineError::Timeout { .. } => (None, true),
        EngineError::NotFound { .. } => (Some("execution_not_found".to_owned()), false),
        EngineError::State(kind) => (Some(code(&format!("{kind:?}"))), false),
        EngineError::Contention(kind) => (Some(code(&format!("{kind:?}"))), false),
        EngineError::Transport { .. } => {
            let kind = ff_sdk::engine_error::valkey_kind(error);
            (None, kind.is_some_and(|kind| format!("{kind:?}").contains("Timeout")))
        }
        _ => (None, false),
    }
}

/// The functions' code of a kind of error: the SDK names its kinds as the functions name their codes.
fn code(kind: &str) -> String {
    let name = kind.split(|end: char| !end.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut code = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(letter.to_ascii_lowercase());
    }
    code
}
