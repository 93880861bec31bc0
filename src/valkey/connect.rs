//! Opening connections: plain or TLS, with or without a login, always RESP2 and without a retry of any kind.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, ProtocolVersion,
    RedisConnectionInfo, RedisError,
};

use super::access::Access;
use super::addr::NodeAddr;
use super::error::ValkeyError;
use super::reach::{Announced, Reach};
use super::tls::{Tls, at};
use super::wire::{CommandTally, Wire};

/// Commands that may wait in a connection before a caller has to: more than any number of virtual workers, so
/// that nobody queues outside the connection, where no clock sees it.
const QUEUE: usize = 65_536;
/// Bytes collected before a write is forced; the library's 8 KiB would split what one wake-up could send.
const WRITE_BOUNDARY: usize = 256 * 1024;

/// Shortest limit for what is no claim (connecting, loading the library, counters): a scenario may give claims a limit
/// of milliseconds, which says nothing about these.
const ADMIN_LIMIT: Duration = Duration::from_secs(5);

/// How the system says EMFILE.
const TOO_MANY_FILES: &str = "Too many open files";

/// Everything needed to reach any node of one cluster.
pub(crate) struct Connector {
    /// What was sent for administration, by node, whichever connection it went over.
    tallies: RefCell<HashMap<NodeAddr, Rc<RefCell<CommandTally>>>>,
    login: RedisConnectionInfo,
    tls: Option<Tls>,
    reach: Reach,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(access: &Access) -> Result<Self, ValkeyError> {
        let mut login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            // CLIENT SETINFO would be the only command that a variant did not ask for.
            .set_skip_set_lib_name();
        if let Some(user) = &access.user {
            login = login.set_username(user);
        }
        if let Some(password) = &access.password {
            login = login.set_password(password.reveal());
        }
        let tls = access.tls.as_ref().map(Tls::new).transpose()?;
        let reach = Reach::new(&access.map);
        Ok(Self { tallies: RefCell::default(), login, tls, reach, timeout: access.timeout })
    }

    /// Plain administrative connections to servers of our own.
    pub(crate) fn loopback() -> Self {
        let login =
            RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        Self { tallies: RefCell::default(), login, tls: None, reach: Reach::default(), timeout: ADMIN_LIMIT }
    }

    /// Notes what a node has announced.
    pub(super) fn learn(&self, announced: impl IntoIterator<Item = (NodeAddr, Announced)>) {
        self.reach.learn(announced);
    }

    /// A wire for claims, with `connections` connections to `addr`.
    pub(crate) async fn claims(&self, addr: &NodeAddr, connections: u16) -> Result<Wire, ValkeyError> {
        let mut open = Vec::with_capacity(usize::from(connections.max(1)));
        for _ in 0..connections.max(1) {
            open.push(self.connection(addr).await?);
        }
        Ok(Wire::new(addr.clone(), open, self.timeout))
    }

    /// A wire for everything else.
    pub(crate) async fn admin(&self, addr: &NodeAddr) -> Result<Wire, ValkeyError> {
        let connection = self.connection(addr).await?;
        Ok(Wire::counting_in(addr.clone(), vec![connection], self.admin_limit(), self.tally(addr)))
    }

    /// A blocking connection without a client behind it; `None` where the nodes speak TLS.
    pub(crate) fn bare_socket(&self, addr: &NodeAddr) -> Result<Option<TcpStream>, ValkeyError> {
        if self.tls.is_some() {
            return Ok(None);
        }
        let unreachable = |error: std::io::Error| self.unreachable(addr, error.to_string());
        let reached = self.reach.of(addr);
        let mut socket = TcpStream::connect((reached.host.as_str(), reached.port)).map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        socket.set_read_timeout(Some(self.admin_limit())).map_err(unreachable)?;
        if let Some(password) = self.login.password() {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = self.login.username() {
                auth.arg(user);
            }
            auth.arg(password);
            let mut reply = [0; 5];
            socket.write_all(&auth.get_packed_command()).map_err(unreachable)?;
            socket.read_exact(&mut reply).map_err(unreachable)?;
            if &reply != b"+OK\r\n" {
                return Err(ValkeyError::Login { addr: addr.clone(), detail: "AUTH was refused".to_owned() });
            }
        }
        Ok(Some(socket))
    }

    /// Whether connections are encrypted.
    pub(crate) fn uses_tls(&self) -> bool {
        self.tls.is_some()
    }

    fn tally(&self, addr: &NodeAddr) -> Rc<RefCell<CommandTally>> {
        Rc::clone(self.tallies.borrow_mut().entry(addr.clone()).or_default())
    }

    fn admin_limit(&self) -> Duration {
        self.timeout.max(ADMIN_LIMIT)
    }

    async fn connection(&self, addr: &NodeAddr) -> Result<MultiplexedConnection, ValkeyError> {
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.admin_limit()))
            // The wire's own limit is the only one.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE)
            .set_write_backpressure_boundary(WRITE_BOUNDARY);
        if self.tls.is_some() {
            config = at(config, self.reach.of(addr));
        }
        if self.login.password().is_some() {
            *self.tally(addr).borrow_mut().entry("auth").or_default() += 1;
        }
        self.client(addr)
            .map_err(|error| self.connect_error(addr, &error))?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| self.connect_error(addr, &error))
    }

    fn client(&self, addr: &NodeAddr) -> Result<Client, RedisError> {
        let reached = self.reach.of(addr);
        let Some(tls) = &self.tls else {
            let info = ConnectionAddr::Tcp(reached.host.clone(), reached.port).into_connection_info()?;
            return Client::open(info.set_redis_settings(self.login.clone()));
        };
        tls.client(&self.reach.name_of(addr), reached, &self.login)
    }

    fn connect_error(&self, addr: &NodeAddr, error: &RedisError) -> ValkeyError {
        let code = error.code().unwrap_or_default();
        if error.to_string().contains(TOO_MANY_FILES) {
            ValkeyError::TooManyFiles { addr: addr.clone() }
        } else if error.kind() == ErrorKind::AuthenticationFailed
            || matches!(code, "WRONGPASS" | "NOAUTH" | "NOPERM")
        {
            ValkeyError::Login { addr: addr.clone(), detail: error.to_string() }
        } else {
            self.unreachable(addr, error.to_string())
        }
    }

    fn unreachable(&self, addr: &NodeAddr, detail: String) -> ValkeyError {
        let (told, may_need_map) = (self.reach.told(addr), self.reach.may_need_map(addr));
        ValkeyError::Unreachable { addr: addr.clone(), told, may_need_map, detail }
    }
}
