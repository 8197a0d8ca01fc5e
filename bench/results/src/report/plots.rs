//! Which plots there are, and what is in them.

use super::svg::{Axis, Line, Plot, Scale};
use crate::model::Kind;
use crate::units;
use crate::view::{Curve, JobView, Second, SideView, View};

/// More lines in one plot cannot be told apart.
pub(super) const LINES: usize = 8;

/// One phase of one file.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) label: &'a str,
    pub(super) job: &'a JobView,
}

fn seconds_axis() -> Axis<'static> {
    Axis { label: "seconds since the start", scale: Scale::Linear, format: plain }
}

fn latency_axis() -> Axis<'static> {
    Axis { label: "", scale: Scale::Log, format: round_time }
}

/// What goes into one plot: the directions of a single file, or one direction of several.
struct Group<'a> {
    title: String,
    lines: Vec<(usize, String, &'a SideView)>,
}

fn groups<'a>(subjects: &[Subject<'a>]) -> Vec<Group<'a>> {
    if let [only] = subjects {
        let sides = only.job.sides.iter();
        let lines = sides.map(|it| (it.kind as usize, it.kind.fio_name().to_owned(), it)).collect();
        return vec![Group { title: String::new(), lines }];
    }
    let of = |kind: Kind| {
        let sides = subjects.iter().enumerate().filter_map(|(at, subject)| {
            Some((at, subject.label.to_owned(), subject.job.side(kind)?))
        });
        Group { title: format!("{}: ", kind.fio_name()), lines: sides.collect() }
    };
    let groups = Kind::ALL.into_iter().map(of);
    groups.filter(|group| !group.lines.is_empty()).collect()
}

/// IOPS and bandwidth over time.
pub(super) fn over_time(subjects: &[Subject<'_>]) -> String {
    let mut plots = String::new();
    for group in groups(subjects) {
        let mut draw = |what: &str, value: fn(&Second) -> f64| {
            let lines = group.lines.iter().map(|(colour, name, side)| {
                let points = whole(side).map(|it| (middle(it), value(it))).collect();
                line(*colour, name.clone(), points)
            });
            let lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).collect();
            if lines.iter().any(|line| line.points.iter().any(|(_, y)| *y > 0.0)) {
                let title = format!("{}{what}", group.title);
                let y = Axis { label: "", scale: Scale::Linear, format: units::count };
                plots += &Plot { title: &title, x: seconds_axis(), y, lines }.draw();
            }
        };
        draw("I/Os per second", |it| it.ios as f64 / it.length);
        draw("Bandwidth in MiB/s", |it| it.bytes as f64 / it.length / f64::from(1 << 20));
    }
    plots
}

/// Latency by share of the I/Os; service and response time in one colour.
pub(super) fn percentiles(subjects: &[Subject<'_>]) -> String {
    let mut plots = String::new();
    for group in groups(subjects) {
        let mut lines = Vec::new();
        for (colour, name, side) in group.lines {
            let known = |curve: &Curve| {
                // A share of less than one I/O is nothing that was seen.
                let seen = |(share, _): &(f64, f64)| (1.0 - share) * side.ios as f64 >= 0.999;
                curve.points.iter().copied().filter(seen).collect::<Vec<_>>()
            };
            let mut service = line(colour, name.clone(), known(&side.service));
            if let Some(response) = &side.response {
                service.dashed = true;
                service.name += ", service";
                lines.push(line(colour, name + ", response", known(response)));
            }
            lines.push(service);
        }
        let title = format!("{}Latency by share of the I/Os that were not slower", group.title);
        let x = Axis { label: "per cent", scale: Scale::Nines, format: nines };
        plots += &Plot { title: &title, x, y: latency_axis(), lines }.draw();
    }
    plots
}

fn colour(lines: &[Line]) -> usize {
    lines.last().map_or(0, |last| last.colour + 1)
}

/// p50, p99 and the largest of each second; of the response time where there is one.
pub(super) fn latency_over_time(subject: Subject<'_>) -> String {
    let mut plots = String::new();
    for side in subject.job.sides.iter().filter(|side| !side.seconds.is_empty()) {
        let mut lines: Vec<Line> = Vec::new();
        let open = side.response.is_some();
        for (q, what) in [(0.5, "p50"), (0.99, "p99"), (1.0, "max")] {
            let service = quantiles(side, |it| Some(it.service.quantile(q)));
            let mut service = line(lines.len(), what.to_owned(), service);
            if open {
                let response = |it: &Second| Some(it.response.as_ref()?.quantile(q));
                let points = quantiles(side, response);
                service.dashed = true;
                let both = [format!("{what} response"), format!("{what} service")];
                let [response, name] = both;
                service.name = name;
                service.colour = colour(&lines);
                lines.push(line(service.colour, response, points));
            }
            lines.push(service);
        }
        let title = format!("Latency of each second: {}", side.kind.fio_name());
        let plot = Plot { title: &title, x: seconds_axis(), y: latency_axis(), lines };
        plots += &plot.draw();
    }
    plots
}

fn quantiles(side: &SideView, of: impl Fn(&Second) -> Option<u64>) -> Vec<(f64, f64)> {
    let some = side.seconds.iter().filter(|second| second.ios > 0);
    some.filter_map(|second| Some((middle(second), of(second)? as f64))).collect()
}

/// Throughput against latency, one line per file: its phases are the steps of a sweep.
pub(super) fn sweep(views: &[View]) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for view in views.iter().filter(|view| view.jobs.len() > 2) {
        let (open, closed): (Vec<&JobView>, Vec<&JobView>) =
            view.jobs.iter().partition(|job| job.target_rate.is_some());
        let steps = if open.len() > closed.len() { open } else { closed };
        for kind in [Kind::Read, Kind::Write] {
            let sides: Vec<&SideView> = steps.iter().filter_map(|job| job.side(kind)).collect();
            if sides.len() < 3 {
                continue;
            }
            let name = format!("{}, {}", view.label, kind.fio_name());
            let colour = colour(&lines);
            for (q, what) in [(0.5, "p50"), (0.99, "p99")] {
                let points = sides.iter().filter_map(|side| {
                    let curve = side.response.as_ref().unwrap_or(&side.service);
                    Some((side.iops, curve.quantile(q)?))
                });
                let mut line = line(colour, format!("{name}, {what}"), points.collect());
                (line.dashed, line.dots) = (q < 0.9, true);
                lines.push(line);
            }
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    Plot {
        title: "Throughput and latency, step by step (response time where it is known)",
        x: Axis { label: "I/Os per second", scale: Scale::Linear, format: units::count },
        y: latency_axis(),
        lines,
    }
    .draw()
}

/// Without a short last second.
fn whole(side: &SideView) -> impl Iterator<Item = &Second> {
    let usual = side.seconds.iter().map(|second| second.length).fold(0.0, f64::max);
    side.seconds.iter().filter(move |second| second.length > 0.9 * usual)
}

fn middle(second: &Second) -> f64 {
    second.at + second.length / 2.0
}

fn line(colour: usize, name: String, points: Vec<(f64, f64)>) -> Line {
    Line { name, colour, dashed: false, dots: false, points }
}

fn plain(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// An axis has round values only.
fn round_time(ns: f64) -> String {
    match ns {
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 1e6 => format!("{:.0} µs", ns / 1e3),
        _ if ns < 1e9 => format!("{:.0} ms", ns / 1e6),
        _ => format!("{:.0} s", ns / 1e9),
    }
}

fn nines(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
