//! Opening connections: plain or TLS, with or without a login, always RESP2 and without a retry of any kind.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, ProtocolVersion,
    RedisConnectionInfo, RedisError, Value,
};
use tokio::sync::mpsc;

use super::access::Access;
use super::addr::NodeAddr;
use super::channel::Subscription;
use super::clients::Clients;
use super::error::ValkeyError;
use super::reach::{Announced, Reach};
use super::tls::{Tls, at};
use super::wire::{Wire, WireCounts, WireError, classify, refusal};

/// Commands that may wait in a connection before a caller has to: more than any number of virtual workers, so
/// that nobody queues outside the connection, where no clock sees it.
const QUEUE: usize = 65_536;
/// Bytes collected before a write is forced; the library's 8 KiB would split what one wake-up could send.
const WRITE_BOUNDARY: usize = 256 * 1024;

/// Shortest limit for what is no claim (connecting, loading the library, counters): a scenario may give
/// claims a limit of milliseconds, which says nothing about these.
const ADMIN_LIMIT: Duration = Duration::from_secs(5);

/// How the system says EMFILE.
const TOO_MANY_FILES: &str = "Too many open files";

type Counted = RefCell<HashMap<NodeAddr, Rc<RefCell<WireCounts>>>>;

/// Everything needed to reach any node of one cluster.
pub(crate) struct Connector {
    /// What was sent for administration, by node, whichever connection it went over.
    admin: Counted,
    /// The same for claims.
    claims: Counted,
    /// Every connection that was opened, by the number that its server has for it (`CLIENT ID`); `None` from
    /// the first one on that could not ask.
    opened: RefCell<Option<HashMap<NodeAddr, BTreeSet<u64>>>>,
    /// Names of other clients' connections that are this run's.
    friends: RefCell<BTreeSet<String>>,
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
        let (admin, claims) = Default::default();
        let opened = RefCell::new(Some(HashMap::new()));
        let friends = RefCell::default();
        Ok(Self { admin, claims, opened, friends, login, tls, reach, timeout: access.timeout })
    }

    /// Plain administrative connections to servers of our own.
    pub(crate) fn loopback() -> Self {
        let login =
            RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        let (admin, claims, opened, friends) = Default::default();
        Self {
            admin,
            claims,
            opened,
            friends,
            login,
            tls: None,
            reach: Reach::default(),
            timeout: ADMIN_LIMIT,
        }
    }

    /// Takes connections with this name for this run's own.
    pub(crate) fn befriend(&self, client_name: &str) {
        self.friends.borrow_mut().insert(client_name.to_owned());
    }

    /// Clients without those that are this run's by name.
    pub(crate) fn strangers(&self, clients: Option<Clients>) -> Option<Clients> {
        clients.map(|clients| clients.without(&self.friends.borrow()))
    }

    /// Notes what a node has announced.
    pub(super) fn learn(&self, announced: impl IntoIterator<Item = (NodeAddr, Announced)>) {
        self.reach.learn(announced);
    }

    /// A wire for claims, with `connections` connections to `addr`.
    pub(crate) async fn claims(&self, addr: &NodeAddr, connections: u16) -> Result<Wire, ValkeyError> {
        let open = self.connections(addr, connections).await?;
        Ok(Wire::counting_in(addr.clone(), open, self.timeout, counts_in(&self.claims, addr)))
    }

    /// The same with counts of its own.
    pub(crate) async fn apart(&self, addr: &NodeAddr, connections: u16) -> Result<Wire, ValkeyError> {
        Ok(Wire::new(addr.clone(), self.connections(addr, connections).await?, self.timeout))
    }

    async fn connections(
        &self,
        addr: &NodeAddr,
        count: u16,
    ) -> Result<Vec<MultiplexedConnection>, ValkeyError> {
        let mut open = Vec::with_capacity(usize::from(count.max(1)));
        for _ in 0..count.max(1) {
            open.push(self.connection(addr).await?);
        }
        Ok(open)
    }

    /// What went to each node since the last call, over claims' and administrative connections together;
    /// those to nodes that are no primaries any more included. Starts the next count.
    pub(crate) fn take_counts(&self) -> BTreeMap<NodeAddr, WireCounts> {
        let mut all: BTreeMap<NodeAddr, WireCounts> = BTreeMap::new();
        for counted in [&self.claims, &self.admin] {
            for (addr, counts) in counted.borrow().iter() {
                let (counts, sum) = (counts.take(), all.entry(addr.clone()).or_default());
                for (name, n) in counts.sent {
                    *sum.sent.entry(name).or_default() += n;
                }
                for (kind, n) in counts.redirects {
                    *sum.redirects.entry(kind).or_default() += n;
                }
                sum.unanswered += counts.unanswered;
                sum.connections += counts.connections;
                sum.lost += counts.lost;
            }
        }
        all
    }

    /// A wire for everything else.
    pub(crate) async fn admin(&self, addr: &NodeAddr) -> Result<Wire, ValkeyError> {
        let connection = self.connection(addr).await?;
        Ok(Wire::counting_in(
            addr.clone(),
            vec![connection],
            self.admin_limit(),
            counts_in(&self.admin, addr),
        ))
    }

    /// A blocking connection without a client behind it; `None` where the nodes speak TLS.
    pub(crate) fn bare_socket(&self, addr: &NodeAddr) -> Result<Option<TcpStream>, ValkeyError> {
        if self.tls.is_some() {
            return Ok(None);
        }
        let unreachable = |error: std::io::Error| self.unreachable(addr, error.to_string());
        let reached = self.reach.address_for(addr);
        counts_in(&self.admin, addr).borrow_mut().connections += 1;
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

    /// Whether a node is on this machine, wherever it is reached.
    pub(crate) fn is_this_machine(&self, addr: &NodeAddr) -> bool {
        self.reach.address_for(addr).is_this_machine()
    }

    /// Whether connections are encrypted.
    pub(crate) fn uses_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Name and password of the login, where there are any.
    pub(crate) fn credentials(&self) -> (Option<&str>, Option<&str>) {
        (self.login.username(), self.login.password())
    }

    fn admin_limit(&self) -> Duration {
        self.timeout.max(ADMIN_LIMIT)
    }

    /// Subscribes to a shard channel on the primary that serves its slot, over a connection of its own.
    pub(crate) async fn subscribe(
        &self,
        addr: &NodeAddr,
        channel: &str,
    ) -> Result<Subscription, ValkeyError> {
        let (sender, pushed) = mpsc::unbounded_channel();
        // Only in this form of the protocol does a server say something by itself.
        let login = self.login.clone().set_protocol(ProtocolVersion::RESP3);
        let counts = counts_in(&self.admin, addr);
        {
            let mut counts = counts.borrow_mut();
            counts.connections += 1;
            for command in ["hello", "ssubscribe"] {
                *counts.sent.entry(command).or_default() += 1;
            }
        }
        let config = self.config(addr).set_push_sender(sender);
        let mut connection = self.open(addr, &login, &config).await?;
        let mut subscribe = redis::cmd("SSUBSCRIBE");
        subscribe.arg(channel);
        let limit = self.admin_limit();
        let refused = |error| ValkeyError::from_wire(addr, "SSUBSCRIBE", error);
        match tokio::time::timeout(limit, connection.send_packed_command(&subscribe)).await {
            Err(_) => Err(refused(WireError::TimedOut(limit))),
            Ok(Err(error)) => Err(refusal(&error).map_or_else(|| self.connect_error(addr, &error), refused)),
            Ok(Ok(Value::ServerError(error))) => {
                Err(refused(classify(error.code(), error.details().unwrap_or_default())))
            }
            Ok(Ok(_)) => Ok(Subscription::new(addr.clone(), pushed, connection)),
        }
    }

    async fn connection(&self, addr: &NodeAddr) -> Result<MultiplexedConnection, ValkeyError> {
        {
            let counts = counts_in(&self.admin, addr);
            let mut counts = counts.borrow_mut();
            counts.connections += 1;
            if self.login.password().is_some() {
                *counts.sent.entry("auth").or_default() += 1;
            }
        }
        self.open(addr, &self.login, &self.config(addr)).await
    }

    fn config(&self, addr: &NodeAddr) -> AsyncConnectionConfig {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.admin_limit()))
            // The wire's own limit is the only one.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE)
            .set_write_backpressure_boundary(WRITE_BOUNDARY);
        if self.tls.is_some() { at(config, self.reach.address_for(addr)) } else { config }
    }

    async fn open(
        &self,
        addr: &NodeAddr,
        login: &RedisConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, ValkeyError> {
        let mut connection = self
            .client(addr, login)
            .map_err(|error| self.connect_error(addr, &error))?
            .get_multiplexed_async_connection_with_config(config)
            .await
            .map_err(|error| self.connect_error(addr, &error))?;
        self.note_opened(addr, &mut connection).await;
        Ok(connection)
    }

    /// Asks a new connection for its number, so that it is known in a list of clients.
    async fn note_opened(&self, addr: &NodeAddr, connection: &mut MultiplexedConnection) {
        if self.opened.borrow().is_none() {
            return;
        }
        *counts_in(&self.admin, addr).borrow_mut().sent.entry("client|id").or_default() += 1;
        let mut ask = redis::cmd("CLIENT");
        ask.arg("ID");
        let answer = tokio::time::timeout(self.admin_limit(), connection.send_packed_command(&ask)).await;
        let mut opened = self.opened.borrow_mut();
        match answer {
            Ok(Ok(Value::Int(id))) => {
                let id = id.unsigned_abs();
                opened.get_or_insert_default().entry(addr.clone()).or_default().insert(id);
            }
            // One that was lost at once, as servers that fail do, is in nobody's list.
            Ok(Err(error)) if error.is_io_error() || error.is_connection_dropped() => {}
            // Without the right to ask nobody can tell this run's connections from others'.
            _ => *opened = None,
        }
    }

    /// The connections to a node that this run has opened; `None` where that is not known. Under a name that
    /// is none of `nodes` (a seed's) any of them may have been reached.
    pub(crate) fn opened(&self, addr: &NodeAddr, nodes: &[&NodeAddr]) -> Option<BTreeSet<u64>> {
        let opened = self.opened.borrow();
        let may_be = opened.as_ref()?.iter().filter(|(at, _)| *at == addr || !nodes.contains(at));
        Some(may_be.flat_map(|(_, ids)| ids.iter().copied()).collect())
    }

    /// All connections that this run has opened, by node as it was reached; `None` where that is not known.
    pub(crate) fn all_opened(&self) -> Option<HashMap<NodeAddr, BTreeSet<u64>>> {
        self.opened.borrow().clone()
    }

    /// Takes another process' connections for this run's own; `None`: nobody knows which they are.
    pub(crate) fn adopt(&self, others: Option<Vec<(NodeAddr, BTreeSet<u64>)>>) {
        let mut opened = self.opened.borrow_mut();
        match (others, opened.as_mut()) {
            (None, _) => *opened = None,
            (Some(others), Some(opened)) => {
                for (addr, ids) in others {
                    opened.entry(addr).or_default().extend(ids);
                }
            }
            (Some(_), None) => {}
        }
    }

    fn client(&self, addr: &NodeAddr, login: &RedisConnectionInfo) -> Result<Client, RedisError> {
        let reached = self.reach.address_for(addr);
        let Some(tls) = &self.tls else {
            let info = ConnectionAddr::Tcp(reached.host.clone(), reached.port).into_connection_info()?;
            return Client::open(info.set_redis_settings(login.clone()));
        };
        tls.client(&self.reach.name_of(addr), reached, login)
    }

    fn connect_error(&self, addr: &NodeAddr, error: &RedisError) -> ValkeyError {
        let code = error.code().unwrap_or_default();
        if error.to_string().contains(TOO_MANY_FILES) {
            ValkeyError::TooManyFiles { addr: addr.clone() }
        } else if code == "NOPERM" {
            ValkeyError::Right { addr: addr.clone(), doing: "AUTH", detail: error.to_string() }
        } else if error.kind() == ErrorKind::AuthenticationFailed || matches!(code, "WRONGPASS" | "NOAUTH") {
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

fn counts_in(counted: &Counted, addr: &NodeAddr) -> Rc<RefCell<WireCounts>> {
    Rc::clone(counted.borrow_mut().entry(addr.clone()).or_default())
}
