//! What a phase measured, in a few lines.

use std::fmt::{self, Display, Formatter};

use hdrhistogram::Histogram;

use crate::phase::Measured;
use crate::tally::Side;

const QUANTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

fn latencies(f: &mut Formatter<'_>, name: &str, times: &Histogram<u64>) -> fmt::Result {
    write!(f, "  {name:8} us: mean {:.1}", times.mean() / 1e3)?;
    for (name, quantile) in QUANTILES {
        write!(f, ", {name} {:.1}", times.value_at_quantile(quantile) as f64 / 1e3)?;
    }
    writeln!(f, ", max {:.1}", times.max() as f64 / 1e3)
}

fn side(f: &mut Formatter<'_>, name: &str, side: &Side, seconds: f64) -> fmt::Result {
    if side.ios == 0 {
        return Ok(());
    }
    let mib = side.bytes as f64 / f64::from(1 << 20);
    writeln!(
        f,
        "{name}: {:.0}/s, {:.1} MiB/s, {} requests, {} short, {} errors",
        side.ios as f64 / seconds,
        mib / seconds,
        side.ios,
        side.short,
        side.errors
    )?;
    latencies(f, "service", &side.service)?;
    match &side.response {
        Some(response) => latencies(f, "response", response),
        None => Ok(()),
    }
}

impl Display for Measured {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = (self.runtime as f64 / 1e9).max(1e-9);
        side(f, "read", &self.total.read, seconds)?;
        side(f, "write", &self.total.write, seconds)?;
        side(f, "flush", &self.total.flush, seconds)?;
        let cpu = self.usage.user + self.usage.system;
        writeln!(
            f,
            "{seconds:.3} s; CPU {:.0} ns per request, user {:.2} s, system {:.2} s; {} calls into \
             the kernel; {} kernel workers",
            cpu.as_nanos() as f64 / (self.total.ios() as f64).max(1.0),
            self.usage.user.as_secs_f64(),
            self.usage.system.as_secs_f64(),
            self.enters,
            self.workers,
        )?;
        if self.dropped + self.left > 0 {
            writeln!(
                f,
                "{} arrivals were dropped, {} waited when the time was over: the rate is more than \
                 the device does",
                self.dropped, self.left
            )?;
        }
        if self.interrupted {
            writeln!(f, "interrupted: this is what was measured until then")?;
        }
        Ok(())
    }
}
