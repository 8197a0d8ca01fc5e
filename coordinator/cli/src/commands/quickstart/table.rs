//! The figures, as a table.

use super::phase::{Engine, Row};
use crate::report::MIB;

const NONE: &str = "-";

pub(super) fn table(rows: &[Row]) -> String {
    let heads = [
        "phase",
        "files",
        "MiB",
        "s",
        "MiB/s",
        "files/s",
        "CPU s/GiB",
        "p50 ms",
        "p99 ms",
        "peak MiB",
        "speed/cp",
        "CPU/cp",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| cells(row, &rows[0])));
    aligned(&lines)
}

fn cells(row: &Row, cp: &Row) -> Vec<String> {
    let mib = row.bytes as f64 / MIB;
    let shown = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.digits$}"))
    };
    let ratio = |over: f64, under: f64| {
        let told = row.name != cp.name && under > 0.0;
        if told { format!("{:.2}x", over / under) } else { NONE.to_owned() }
    };
    let ms = |at: usize| row.per_file.map(|percentiles| percentiles[at] as f64 / 1e6);
    vec![
        row.name.to_owned(),
        row.files.to_string(),
        format!("{mib:.1}"),
        format!("{:.2}", row.seconds),
        format!("{:.0}", mib / row.seconds),
        format!("{:.0}", row.files as f64 / row.seconds),
        shown(row.cpu_per_gib(), 2),
        shown(ms(0), 2),
        shown(ms(1), 2),
        shown(row.memory.map(|bytes| bytes as f64 / MIB), 0),
        // The same tree each time, so the times tell.
        ratio(cp.seconds, row.seconds),
        ratio(row.cpu_seconds, cp.cpu_seconds),
    ]
}

/// First column to the left, the others to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let cell =
                if at == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}

/// What is to be said below the table.
pub(super) fn notes(rows: &[Row], engine: &Engine<'_>) -> String {
    let mut text = String::from(
        "p50, p99: time per small file (release: per file). speed/cp: above 1 is faster. CPU/cp: \
         below 1 is less.\n",
    );
    for row in rows {
        if let Some([p50, p99]) = row.per_block {
            let (p50, p99) = (p50 as f64 / 1e6, p99 as f64 / 1e6);
            let name = row.name;
            text.push_str(&format!(
                "{name}: blocks of large files p50 {p50:.2} ms, p99 {p99:.2} ms\n"
            ));
        }
    }
    let (rings, cores) = (engine.rings, engine.cores);
    text.push_str(&format!(
        "rings on {cores} core(s): {} reads, {} writes, {} retries, {} runs of kernel workers; {}",
        rings.reads,
        rings.writes,
        rings.retries,
        engine.worker_runs,
        engine.notice.as_deref().unwrap_or("io_uring with registered buffers"),
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_cp_is_its_own_measure() {
        let cp = Row { name: "cp", files: 5, bytes: 1 << 30, seconds: 2.0, ..Row::default() };
        let row = Row { name: "archive", seconds: 1.0, per_file: Some([1, 2]), ..Row::default() };
        let text = table(&[cp, row]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("cp     ") && lines[1].ends_with('-'));
        assert!(lines[2].contains("2.00x"));
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    }
}
