//! The figures of a report as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape;
use crate::environment::Environment;
use crate::units;
use crate::view::{Curve, JobView, SideView, View};

/// A row per file, phase and direction.
pub(super) fn figures(views: &[View]) -> String {
    let head = [
        "file",
        "program",
        "host",
        "phase",
        "direction",
        "IOPS",
        "bandwidth",
        "I/Os",
        "short",
        "errors",
        "latency",
        "mean",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "user CPU",
        "system CPU",
        "in flight",
    ];
    let mut rows = Vec::new();
    for view in views {
        for job in &view.jobs {
            for side in &job.sides {
                rows.push(row(view, job, side, "service", &side.service));
                if let Some(response) = &side.response {
                    rows.push(row(view, job, side, "response", response));
                }
            }
        }
    }
    table("wide", &head, 5, &rows)
}

fn row(view: &View, job: &JobView, side: &SideView, what: &str, curve: &Curve) -> Vec<String> {
    let quantile = |q| curve.quantile(q).map_or_else(|| "-".to_owned(), units::time);
    let cores = |share: f64| format!("{:.1} %", share * 100.0);
    vec![
        view.label.clone(),
        view.program.clone(),
        view.host.clone(),
        job.name.clone(),
        side.kind.fio_name().to_owned(),
        units::count(side.iops),
        units::bandwidth(side.bandwidth),
        units::count(side.ios as f64),
        side.short.to_string(),
        side.errors.to_string(),
        what.to_owned(),
        units::time(curve.mean),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(0.999),
        quantile(0.9999),
        units::time(curve.max),
        cores(job.user),
        cores(job.system),
        job.depth.map_or_else(|| "-".to_owned(), |depth| format!("{depth:.2}")),
    ]
}

/// Options of all phases: those that are alike in a file once.
pub(super) fn options(view: &View) -> String {
    let mut names: Vec<&String> = view.jobs.iter().flat_map(|job| job.options.keys()).collect();
    names.sort();
    names.dedup();
    let value = |job: &JobView, name: &str| job.options.get(name).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for name in names {
        let values: Vec<String> = view.jobs.iter().map(|job| value(job, name)).collect();
        if values.iter().all(|it| *it == values[0]) {
            rows.push(vec![name.clone(), values[0].clone()]);
        } else {
            let each = view.jobs.iter().zip(&values);
            let each = each.map(|(job, value)| format!("{}: {value}", job.name));
            rows.push(vec![name.clone(), each.collect::<Vec<_>>().join("; ")]);
        }
    }
    table("long", &["option", "value"], 2, &rows)
}

pub(super) fn environment(environment: &Environment) -> String {
    let machine = &environment.machine;
    let mut rows = vec![
        ("dray", environment.dray.clone()),
        ("kernel", machine.kernel.clone()),
        ("processor", format!("{} x {} ({})", machine.cpus, machine.cpu, machine.architecture)),
        ("memory", format!("{:.1} GiB", machine.memory_bytes as f64 / f64::from(1 << 30))),
        ("huge pages", machine.transparent_huge_pages.clone()),
        ("mitigations", listed(&machine.mitigations)),
    ];
    for target in &environment.targets {
        rows.push(("target", target.path.clone()));
        if !target.file_system.is_empty() {
            let system = format!(
                "{} ({}) on {}",
                target.file_system, target.mount_options, target.mounted_from
            );
            rows.push(("file system", system));
        }
        let device = target.device.clone().unwrap_or_else(|| "none of its own".to_owned());
        let queues = target.hardware_queues.map_or_else(String::new, |it| format!(", {it} queues"));
        rows.push(("device", device + &queues));
        rows.push(("queue", listed(&target.queue)));
    }
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table("long", &["", "value"], 2, &rows)
}

fn listed(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("; ")
}

/// The first `texts` columns are text; the others are figures, set to the right.
fn table(class: &str, head: &[&str], texts: usize, rows: &[Vec<String>]) -> String {
    let of = |at: usize| if at < texts { " class=\"text\"" } else { "" };
    let mut html = format!("<div class=\"wide\"><table class=\"{class}\"><thead><tr>");
    for (at, name) in head.iter().enumerate() {
        let _ = write!(html, "<th{}>{}</th>", of(at), escape(name));
    }
    html += "</tr></thead><tbody>\n";
    for row in rows {
        html += "<tr>";
        for (at, value) in row.iter().enumerate() {
            let _ = write!(html, "<td{}>{}</td>", of(at), escape(value));
        }
        html += "</tr>\n";
    }
    html + "</tbody></table></div>\n"
}
