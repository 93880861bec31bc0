//! A made-up machine and its servers, and a calibration of it.

use std::time::Duration;

use super::noise_fixture::Noise;
use crate::record::{
    CalibrationNote, CalibrationRecord, Environment, GeneratorUse, Host, LatencyHistogram, LevelRecord,
    LevelRound, LibraryInfo, RoundTripRecord, Samples, SendLagRecord, Tool, ValkeyInfo,
};
use crate::scenario::{ArrivalsForm, Provider};

/// Where made-up runs ran.
pub fn environment() -> Environment {
    Environment {
        host: Host {
            cpu: "Example CPU".into(),
            cores: 2,
            cores_present: None,
            quota_us_per_s: None,
            memory_bytes: 8 << 30,
            kernel: "Linux 6.1".into(),
            boot: None,
            which_cores: Vec::new(),
        },
        valkey: ValkeyInfo {
            version: "9.1.2".into(),
            allocator: "libc".into(),
            io_threads: 1,
            primaries: 3,
            replicas: 0,
            provider: Provider::Local,
            same_machine: true,
            partitions: 256,
            hottest_share: 1.02,
            shared: None,
            build_id: None,
            tls: Some(false),
        },
        library: LibraryInfo { name: "flowfabric".into(), version: "15".into(), sha256: "ab".repeat(32) },
        conditions: None,
    }
}

/// A sound calibration with known truth: a request costs the thread 4 us from eight workers on and 20 us
/// alone, the thread is the limit, and the client adds 12 us to a round trip of 30 us.
pub fn calibration_record() -> CalibrationRecord {
    let mut noise = Noise::new(5);
    let Environment { host, valkey, .. } = environment();
    let levels = [1, 8, 64, 512, 4_096].map(|in_flight| {
        let cpu_us = if in_flight == 1 { 20.0 } else { 4.0 };
        let rounds = [1.0, 1.25, 0.8].map(|slower| LevelRound {
            requests: 10_000,
            seconds: 10_000.0 * cpu_us * slower / 1e6,
            client_cpu_s: 10_000.0 * cpu_us * slower / 1e6,
        });
        let mut service = LatencyHistogram::default();
        service.record(Duration::from_secs_f64(cpu_us * f64::from(in_flight) / 1e6));
        LevelRecord { in_flight, connections: 1, rounds: rounds.to_vec(), service: service.encode() }
    });
    let send_lag = [(ArrivalsForm::Constant, 50), (ArrivalsForm::Poisson, 80)].map(|(arrivals, us)| {
        let mut lag = LatencyHistogram::default();
        lag.record(Duration::from_micros(us));
        SendLagRecord { arrivals, rate_per_sec: 1_000.0, requests: 1, seconds: 0.001, send_lag: lag.encode() }
    });
    let mut round_trip = RoundTripRecord { client: Samples::default(), bare: Samples::default() };
    for _ in 0..2_000 {
        for (samples, us) in [(&mut round_trip.client, 42.0), (&mut round_trip.bare, 30.0)] {
            samples.push(Duration::from_secs_f64(us * (0.1 * noise.normal()).exp() / 1e6));
        }
    }
    CalibrationRecord {
        tool: Tool { version: "0.1.0".into(), commit: "0123456".into(), debug_build: false },
        host,
        valkey,
        primary: "127.0.0.1:7000".into(),
        started: "2026-01-01T00:00:00Z".into(),
        duration_s: 30.0,
        seed: 5,
        complete: true,
        levels: levels.to_vec(),
        send_lag: send_lag.to_vec(),
        round_trip: Some(round_trip),
        sent: 200_000,
        counted: 200_000,
        failed: 0,
        conditions: None,
        generator: Some(GeneratorUse {
            window_s: 30.0,
            thread_cpu_s: 20.0,
            process_cpu_s: Some(21.0),
            servers_cpu_s: 12.0,
            machine_cpu_s: Some(35.0),
            stolen_cpu_s: None,
            ..GeneratorUse::default()
        }),
    }
}

/// What a run notes of a calibration of its machine that was disturbed by nothing.
pub fn calibration_note() -> CalibrationNote {
    CalibrationNote {
        measured: "2026-01-01T00:00:00Z".into(),
        in_flight: 64,
        ceiling_per_sec: 150_000.0,
        client_cpu_us_per_request: 4.2,
        round_trip_overhead_us: None,
        send_lag: None,
        disturbed: Vec::new(),
    }
}
