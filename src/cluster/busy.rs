//! Keeping a server busy: a script, during which nobody else is served.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fault::FaultError;
use super::handle::Cluster;
use crate::valkey::{NodeAddr, ValkeyError, Wire, WireError, ask};

/// A script that lasts for so many milliseconds of the server's CPU. Scripts have no other clock: TIME stands
/// still while one runs. And this one is no command: nothing of it is counted but the script itself.
const BUSY: &str =
    "local till = os.clock() + tonumber(ARGV[1]) / 1000 while os.clock() < till do end return 1";

/// How long a script may go on beyond the wait for its reply: where the machine is busy its CPU time takes
/// longer.
const LIMIT: Duration = Duration::from_mins(2);

/// Between two looks, or two tries to end it.
const PAUSE: Duration = Duration::from_millis(100);

impl Cluster {
    /// Keeps a server from serving anybody else until a script has used so much CPU; returns when it is over.
    /// Once `cancel` says so, it is ended as soon as the server lets it be (`busy-reply-threshold`, five
    /// seconds by default).
    pub async fn keep_busy(
        &self,
        addr: &NodeAddr,
        cpu: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), FaultError> {
        let wire = self.connector.admin(addr).await?;
        // Made before, for a busy server takes no connection.
        let other = self.connector.admin(addr).await?;
        let mut script = redis::cmd("EVAL");
        script.arg(BUSY).arg(0).arg(cpu.as_millis() as u64);
        let run = async {
            match ask(&wire, "EVAL", &script, "eval").await {
                // It may last for longer than an administrative command is waited for.
                Err(ValkeyError::Server { source: WireError::TimedOut(_), .. }) => {
                    self.until_answers(addr).await
                }
                // It was ended on request.
                Err(_) if cancel.is_cancelled() => Ok(()),
                reply => Ok(reply.map(drop)?),
            }
        };
        tokio::select! {
            biased;
            done = run => done,
            never = end_script(&other, cancel) => match never {},
        }
    }

    /// Waits until a server answers like one that is not busy.
    async fn until_answers(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        let answers = async || self.answers(addr).await.then_some(());
        self.until((addr, "does not answer"), (LIMIT, PAUSE), answers).await
    }

    async fn answers(&self, addr: &NodeAddr) -> bool {
        match self.connector.admin(addr).await {
            Ok(wire) => wire.alive().await,
            Err(_) => false,
        }
    }
}

/// Ends a script on request, and goes on trying until this is dropped: a server takes that only after a
/// while.
async fn end_script(wire: &Wire, cancel: &CancellationToken) -> std::convert::Infallible {
    cancel.cancelled().await;
    loop {
        // Refused where no script runs any more, or where it may not be: then its end is waited for.
        let _ = ask(wire, "SCRIPT KILL", redis::cmd("SCRIPT").arg("KILL"), "script|kill").await;
        tokio::time::sleep(PAUSE).await;
    }
}
