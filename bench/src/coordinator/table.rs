//! The report for people.

use std::fmt::{self, Display, Formatter};

use crate::stats::Spread;
use crate::table::{spread_cell, write_aligned};

use super::quantiles::Quantiles;
use super::report::{CoordinatorReport, Length};

const MIB: f64 = 1048576.0;

impl Display for CoordinatorReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { requests, rounds, clients, nodes, batch, machine: m, .. } = self;
        writeln!(
            f,
            "coordinator: {requests} requests, {batch} to a submission, {clients} clients, {nodes} \
             nodes, {rounds} rounds, kept in {}",
            format!("{:?}", self.store).to_lowercase()
        )?;
        let m = &m.own;
        let memory = m.memory_bytes as f64 / MIB;
        writeln!(f, "Linux {}, {} x {}, {memory:.0} MiB\n", m.kernel, m.cpus, m.cpu)?;
        self.write_rate(f)?;
        self.write_lengths(f)?;
        self.write_waits(f)?;
        writeln!(f, "\nconditions")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "  {condition}"))
    }
}

impl CoordinatorReport {
    fn write_rate(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let cell = |spread: &Option<Spread>, digits| {
            spread.as_ref().map_or_else(|| "-".to_owned(), |it| spread_cell(it, digits))
        };
        let rows = [
            ("requests/s, submitted to ended", cell(&self.requests_per_second, 0)),
            ("CPU seconds of the coordinator", cell(&self.coordinator_cpu_s, 2)),
            ("requests per CPU second of it", cell(&self.requests_per_cpu_second, 0)),
            ("bytes per queued request", optional(self.bytes_per_request)),
            ("requests listed/s", optional(self.list_requests_per_second)),
        ];
        write_aligned(f, &rows.map(|(name, cell)| vec![name.to_owned(), cell]))
    }

    fn write_lengths(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let heads = [
            "queued",
            "submit p50",
            "p99",
            "max",
            "of one item",
            "p99 to shortest",
            "fill max",
            "cancel p50",
            "p99",
            "max",
            "served/s",
            "restart s",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.lengths.iter().map(Length::row));
        writeln!(f, "\ntimes in us")?;
        write_aligned(f, &rows)
    }

    fn write_waits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let heads = ["restore wait, us", "p50", "p99", "max", "p99 to idle"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        let row = |name: String, it: &Quantiles, ratio: String| {
            vec![name, us(it.p50_ns), us(it.p99_ns), us(it.max_ns), ratio]
        };
        rows.push(row("idle".to_owned(), &self.restore_wait.idle, String::new()));
        for it in &self.restore_wait.behind {
            let size = it.file_bytes >> 10;
            let name =
                format!("{} archives of {size} KiB, {} us an order", it.archives, it.order_us);
            rows.push(row(name, &it.wait, format!("{:.2}", it.p99_ratio)));
        }
        writeln!(f)?;
        write_aligned(f, &rows)
    }
}

impl Length {
    fn row(&self) -> Vec<String> {
        let ratio = self.enqueue_p99_ratio.as_ref();
        vec![
            self.queued.to_string(),
            us(self.enqueue.p50_ns),
            us(self.enqueue.p99_ns),
            us(self.enqueue.max_ns),
            format!("{:.3}", self.enqueue_item_ns / 1e3),
            ratio.map_or_else(|| "-".to_owned(), |it| spread_cell(it, 2)),
            self.fill.as_ref().map_or_else(|| "-".to_owned(), |it| us(it.max_ns)),
            us(self.cancel.p50_ns),
            us(self.cancel.p99_ns),
            us(self.cancel.max_ns),
            optional(self.drain_requests_per_second),
            self.restart_s.map_or_else(|| "-".to_owned(), |it| format!("{it:.2}")),
        ]
    }
}

fn us(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e3)
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}
