//! `--metrics-addr`: how a run goes, for Prometheus.
//!
//! The load's thread sets numbers, without waiting; a thread of its own answers whoever asks for `/metrics`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::load::Activity;
use reclaim_analysis::record::TimelinePoint;
use reclaim_analysis::scenario::Metric;

/// A number that goes up and down.
type Number = Gauge<f64, AtomicU64>;

/// Numbers by one label.
type Labelled = Family<[(&'static str, String); 1], Number>;

/// Longest that someone who asks may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// So long after the last second was told its numbers are not of the last second any more: one is told when
/// something ends after it, which in an outage nothing does.
const STALE: Duration = Duration::from_secs(3);

/// What is of the last second alone.
#[derive(Clone, Default)]
struct LastSecond {
    rate: Number,
    /// Quantiles, in seconds, by what they are of.
    latency: Labelled,
    primary_cpu: Labelled,
    told: Arc<Mutex<Option<Instant>>>,
}

impl LastSecond {
    fn tell(&self) {
        if let Ok(mut told) = self.told.lock() {
            *told = Some(Instant::now());
        }
    }

    /// Takes back what is of an earlier second: nothing has succeeded since.
    fn forget_if_stale(&self, now: Instant) {
        let told = self.told.lock().ok().and_then(|told| *told);
        if told.is_some_and(|told| now.saturating_duration_since(told) >= STALE) {
            self.rate.set(0.0);
            self.latency.clear();
            self.primary_cpu.clear();
        }
    }
}

/// The numbers of a run as it goes on.
pub struct Metrics {
    claims: Counter,
    errors: Counter,
    last: LastSecond,
    stock: Number,
    memory: Number,
    phase: Labelled,
    current: std::cell::RefCell<Option<String>>,
}

impl Metrics {
    /// Listens at this address, and answers from then on. The second value is the address with its port,
    /// which the system chooses for port 0.
    pub fn serve(addr: SocketAddr) -> anyhow::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(addr)
            .with_context(|| format!("cannot serve metrics at {addr}: choose another --metrics-addr"))?;
        let addr = listener.local_addr().context("cannot serve metrics")?;
        let (metrics, registry) = Self::registered();
        let registry = Arc::new(registry);
        let last = metrics.last.clone();
        std::thread::Builder::new()
            .name("metrics".into())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    last.forget_if_stale(Instant::now());
                    // Whoever goes away before the answer has no use for it.
                    let _ = answer(&stream, &registry);
                }
            })
            .context("cannot start the thread that serves metrics")?;
        Ok((metrics, addr))
    }

    fn registered() -> (Self, Registry) {
        let metrics = Self {
            claims: Counter::default(),
            errors: Counter::default(),
            last: LastSecond::default(),
            stock: Number::default(),
            memory: Number::default(),
            phase: Labelled::default(),
            current: std::cell::RefCell::default(),
        };
        let mut registry = Registry::with_prefix("reclaim_bench");
        registry.register("claims", "Claims that succeeded in windows", metrics.claims.clone());
        registry.register("errors", "Claims that did not", metrics.errors.clone());
        registry.register(
            "claims_per_second",
            "Claims that succeeded in the last second",
            metrics.last.rate.clone(),
        );
        registry.register(
            "latency_seconds",
            "Quantiles of the last second, by what they are of",
            metrics.last.latency.clone(),
        );
        registry.register("stock_grants", "Grants issued and not yet claimed", metrics.stock.clone());
        registry.register(
            "primary_cpu_ratio",
            "Share of a core that a primary's main thread used in the last second",
            metrics.last.primary_cpu.clone(),
        );
        registry.register("resident_bytes", "Resident memory of the tool", metrics.memory.clone());
        registry.register(
            "phase",
            "1 for what the run is doing, 0 for what it has done",
            metrics.phase.clone(),
        );
        (metrics, registry)
    }

    /// A phase begins.
    pub fn begin(&self, activity: Activity) {
        let name = serde_json::to_value(activity).ok().and_then(|name| name.as_str().map(str::to_owned));
        let name = name.unwrap_or_default();
        if let Some(before) = self.current.replace(Some(name.clone())) {
            self.phase.get_or_create(&[("phase", before)]).set(0.0);
        }
        self.phase.get_or_create(&[("phase", name)]).set(1.0);
    }

    /// A second of the window has finished.
    pub fn second(&self, point: &TimelinePoint) {
        self.last.tell();
        self.claims.inc_by(point.claimed);
        self.errors.inc_by(point.errors);
        if let Some(rate) = point.claims_per_sec() {
            self.last.rate.set(rate);
        }
        self.stock.set(point.stock as f64);
        for (of, us) in [
            (Metric::ServiceP50.name(), point.p50_us),
            (Metric::ServiceP99.name(), point.p99_us),
            (Metric::ResponseP50.name(), point.response_p50_us),
            (Metric::ResponseP99.name(), point.response_p99_us),
            ("send_lag_p99", point.send_lag_p99_us),
        ] {
            let label = [("of", of.to_owned())];
            if let Some(us) = us {
                self.last.latency.get_or_create(&label).set(us / 1e6);
            } else {
                // An outage must not show the quantile of the last second before it.
                self.last.latency.remove(&label);
            }
        }
        if point.primary_cpu.is_empty() {
            self.last.primary_cpu.clear();
        }
        for (n, share) in point.primary_cpu.iter().enumerate() {
            self.last.primary_cpu.get_or_create(&[("primary", n.to_string())]).set(*share);
        }
        if let Some(bytes) = point.tool_resident_bytes {
            self.memory.set(bytes as f64);
        }
    }
}

/// Answers one request.
fn answer(stream: &TcpStream, registry: &Registry) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(std::io::Read::take(stream, 8_192)).lines();
    let asked = lines.next().transpose()?.unwrap_or_default();
    // To the end of the headers: a client that is cut off while it sends sees an error instead of the answer.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut text = String::new();
    let (status, kind) = if asked.starts_with("GET /metrics ") && encode(&mut text, registry).is_ok() {
        ("200 OK", "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        "metrics are at /metrics\n".clone_into(&mut text);
        ("404 Not Found", "text/plain; charset=utf-8")
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::io::Read as _;

    /// A window's worth of numbers.
    fn filled() -> (Metrics, Registry) {
        let (metrics, registry) = Metrics::registered();
        metrics.begin(Activity::Stage);
        metrics.begin(Activity::Window);
        let point = TimelinePoint {
            claimed: 40,
            errors: 2,
            p50_us: Some(250.0),
            p99_us: Some(1_500.0),
            response_p50_us: Some(300.0),
            response_p99_us: Some(2_000.0),
            send_lag_p99_us: Some(50.0),
            stock: 7,
            primary_cpu: vec![0.25, 0.5],
            tool_resident_bytes: Some(1 << 20),
            ..TimelinePoint::default()
        };
        metrics.second(&point);
        metrics.second(&point);
        (metrics, registry)
    }

    fn text() -> String {
        let (_metrics, registry) = filled();
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_second_without_a_claim_shows_no_quantile_of_the_one_before() {
        let (metrics, registry) = filled();
        metrics.second(&TimelinePoint { errors: 3, ..TimelinePoint::default() });
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for gone in ["reclaim_bench_latency_seconds{", "reclaim_bench_primary_cpu_ratio{"] {
            assert!(!text.contains(gone), "{text}");
        }
        assert!(text.contains("reclaim_bench_claims_per_second 0.0"), "{text}");
    }

    /// While nothing ends no second is told: what is asked for then is not of the last one.
    #[test]
    fn an_outage_in_which_nothing_ends_shows_no_claims_and_no_quantile() {
        let (metrics, registry) = filled();
        let shown = |after: Duration| {
            metrics.last.forget_if_stale(Instant::now() + after);
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            (text.contains("reclaim_bench_latency_seconds{"), text.contains("claims_per_second 40.0"))
        };
        assert_eq!(shown(Duration::from_millis(1_500)), (true, true));
        assert_eq!(shown(STALE), (false, false));
    }

    #[test]
    fn counters_add_up_and_gauges_have_the_last_second() {
        let text = text();
        for line in [
            "reclaim_bench_claims_total 80",
            "reclaim_bench_errors_total 4",
            "reclaim_bench_claims_per_second 40.0",
            "reclaim_bench_latency_seconds{of=\"service_p99\"} 0.0015",
            "reclaim_bench_primary_cpu_ratio{primary=\"1\"} 0.5",
            "reclaim_bench_stock_grants 7.0",
            "reclaim_bench_phase{phase=\"stage\"} 0.0",
            "reclaim_bench_phase{phase=\"window\"} 1.0",
        ] {
            assert!(text.lines().any(|of| of == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn whoever_asks_for_metrics_gets_them_and_nothing_else_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (_metrics, registry) = filled();
            for stream in listener.incoming().take(2) {
                answer(&stream.unwrap(), &registry).unwrap();
            }
        });
        let ask = |path: &str| {
            let mut stream = TcpStream::connect(addr).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap();
            reply
        };
        let metrics = ask("/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200 OK") && metrics.contains("reclaim_bench_claims_total 80"));
        assert!(metrics.ends_with("# EOF\n"));
        assert!(ask("/").starts_with("HTTP/1.1 404"));
    }

    /// Every name and label that the dashboard asks for must be served.
    #[test]
    fn the_dashboard_asks_for_what_there_is() {
        let dashboard: serde_json::Value =
            serde_json::from_str(include_str!("../../docs/grafana-dashboard.json")).unwrap();
        let queries: Vec<&str> = dashboard["panels"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|panel| panel["targets"].as_array().unwrap())
            .map(|target| target["expr"].as_str().unwrap())
            .collect();
        let text = text();
        let served: BTreeSet<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let asked: BTreeSet<&str> = queries
            .iter()
            .flat_map(|query| query.split(|c| !is_name(c)))
            .filter(|word| word.starts_with("reclaim_bench_"))
            .collect();
        assert_eq!(asked.difference(&served).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(served.difference(&asked).collect::<Vec<_>>(), Vec::<&&str>::new(), "all of it is shown");
        for of in queries.iter().filter_map(|query| query.split("of=\"").nth(1)?.split('"').next()) {
            assert!(text.contains(&format!("of=\"{of}\"")), "{of} is not served");
        }
    }
}
