//! Criterion's clock for pure code: CPU time of the benchmark's own thread.
//!
//! On a machine that others use, wall time also counts the moments in which somebody else had the core; a
//! benchmark that neither waits nor starts threads loses nothing by leaving them out. A slower or hotter core
//! still shows: only instruction counts (`benches/instructions.rs`) are free of that.

use std::time::Duration;

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_THREAD_CPUTIME_ID` of the calling thread, in the units of [`WallTime`].
#[derive(Clone, Copy, Debug)]
pub struct ThreadCpuTime;

impl Measurement for ThreadCpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
    }

    fn end(&self, start: Duration) -> Duration {
        self.start().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        const { &NanosecondsOfCpu }
    }
}

/// Criterion's own formatting of nanoseconds.
struct NanosecondsOfCpu;

impl ValueFormatter for NanosecondsOfCpu {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_throughputs(typical, throughput, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
