use std::fmt::{self, Display, Formatter};

use crate::report::{Fastest, Measure, Ratio, Report, Role, Series};
use crate::stats::Spread;

const MIB: f64 = 1048576.0;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let size = self.bytes as f64 / MIB;
        writeln!(
            f,
            "{}: {} file(s), {size:.0} MiB, {} rounds",
            self.workload, self.files, self.rounds
        )?;
        self.write_machine(f)?;
        let mut phases: Vec<&str> = Vec::new();
        for series in &self.series {
            if !phases.contains(&series.phase.as_str()) {
                phases.push(&series.phase);
            }
        }
        for phase in phases {
            self.write_phase(f, phase)?;
        }
        for ratio in self.ratios.iter().filter(|r| r.against == "dray") {
            let Ratio { phase, against_phase, .. } = ratio;
            writeln!(f, "dray {phase} / dray {against_phase}, speed: {}", ratio_cell(ratio))?;
        }
        writeln!(f, "\ncommands")?;
        for series in &self.series {
            writeln!(f, "  {} {}: {}", series.name, series.phase, series.commands.join(" && "))?;
        }
        writeln!(f, "\nconditions")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "  {condition}"))
    }
}

impl Report {
    fn write_machine(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (m, target) = (&self.machine.own, &self.machine.target);
        let memory = m.memory_bytes as f64 / MIB;
        writeln!(f, "Linux {}, {} x {}, {memory:.0} MiB", m.kernel, m.cpus, m.cpu)?;
        let device = target.device.as_deref().unwrap_or("no block device");
        write!(f, "{} ({}) on {device}", target.file_system, target.mount_options)?;
        for (name, value) in &target.queue {
            write!(f, ", {name} {value}")?;
        }
        writeln!(f)?;
        for tool in &self.tools {
            writeln!(f, "  {}: {}", tool.name, tool.version.as_deref().unwrap_or("absent"))?;
        }
        Ok(())
    }

    fn write_phase(&self, f: &mut Formatter<'_>, phase: &str) -> fmt::Result {
        let mut series: Vec<&Series> = self.series.iter().filter(|s| s.phase == phase).collect();
        let rate = |s: &Series| s.summary.as_ref().map_or(0.0, |summary| summary.rate.median);
        series.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
        let unit = series.first().map_or("", |s| s.unit);
        let mut rows = vec![
            [phase, unit, "CPU s", "memory", "cache", "read", "written", "speed", "CPU"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(series.iter().map(|s| self.row(s)));
        writeln!(f)?;
        write_aligned(f, &rows)?;
        for s in &series {
            if let Some(failure) = &s.failure {
                writeln!(f, "{} FAILED: {failure}", s.name)?;
            }
        }
        if let Some(Fastest { rival, .. }) = self.fastest.iter().find(|x| x.phase == phase)
            && let Some(ratio) = self.ratio(Measure::Speed, phase, rival)
        {
            writeln!(f, "dray / fastest rival ({rival}), speed: {}", ratio_cell(ratio))?;
        }
        Ok(())
    }

    fn row(&self, series: &Series) -> Vec<String> {
        let name = match series.role {
            Role::Limit => format!("{} (limit)", series.name),
            _ => series.name.clone(),
        };
        let Some(summary) = &series.summary else {
            return vec![name, "-".to_owned()];
        };
        let digits = if series.role == Role::Dray || summary.cpu_s.median < 1.0 { 2 } else { 1 };
        let mib = |spread: &Spread| format!("{:.0} MiB", spread.median / MIB);
        let moved = |spread: &Option<Spread>| spread.as_ref().map_or_else(|| "?".to_owned(), mib);
        let against = |measure| {
            let found = self.ratio(measure, &series.phase, &series.name);
            found.filter(|_| series.role != Role::Dray).map_or_else(String::new, ratio_cell)
        };
        vec![
            name,
            spread_cell(&summary.rate, 0),
            spread_cell(&summary.cpu_s, digits),
            mib(&summary.peak_memory_bytes),
            mib(&summary.cache_growth_bytes),
            moved(&summary.device_read_bytes),
            moved(&summary.device_written_bytes),
            against(Measure::Speed),
            against(Measure::Cpu),
        ]
    }
}

pub(crate) fn spread_cell(spread: &Spread, digits: usize) -> String {
    let Spread { median, min, max } = spread;
    format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
}

fn ratio_cell(ratio: &Ratio) -> String {
    let mark = if ratio.decided { "" } else { "~" };
    format!("{mark}{}", spread_cell(&ratio.ratio, 2))
}

/// First column to the left, the others to the right; short rows end early.
pub(crate) fn write_aligned(f: &mut Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell =
                if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            line.push_str(&cell);
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
