//! One HTML file with plots and all figures; it asks for nothing else.

mod plots;
mod svg;
mod tables;

use std::fmt::Write as _;

use self::plots::Subject;
use crate::compare::Comparison;
use crate::view::View;

const STYLE: &str = include_str!("report/style.css");

/// More phases are in the tables and the curve of the sweep only.
const DETAILS: usize = 12;

/// The page on some files, in their order; `comparisons` are of the first with each other one.
pub fn report(views: &[View], comparisons: &[Comparison]) -> String {
    let title = views.iter().map(|view| view.label.as_str()).collect::<Vec<_>>().join(", ");
    let title = escape(&title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    page += &warnings(views);
    page += "<h2>Figures</h2>\n";
    page += &tables::figures(views);
    for comparison in comparisons {
        let (a, b) = (escape(&comparison.a), escape(&comparison.b));
        let text = escape(&comparison.to_string());
        let _ =
            writeln!(page, "<h2>{a} against {b}</h2>\n<div class=\"wide\"><pre>{text}</pre></div>");
    }
    let sweep = plots::sweep(views);
    if !sweep.is_empty() {
        let _ = writeln!(page, "<h2>Sweep</h2>\n<div class=\"plots\">\n{sweep}</div>");
    }
    page += &phases(views);
    page += &notes(views);
    page += "<h2>Options and environment</h2>\n";
    for view in views {
        let _ = write!(
            page,
            "<details open><summary>{}: {}</summary>\n{}",
            escape(&view.label),
            escape(&view.program),
            tables::options(view)
        );
        for (host, environment) in &view.environments {
            let _ =
                writeln!(page, "<h3>{}</h3>\n{}", escape(host), tables::environment(environment));
        }
        page += "</details>\n";
    }
    page + "<footer>Service time is from submission to completion, response time from the intended \
            start; in a closed loop both are the same. fio's service time is its clat. A drop to \
            zero of the last second is left out where that second was cut short.</footer>\n\
            </body>\n</html>\n"
}

/// Plots phase by phase. Phases of one name, or the single one of each file, share them.
fn phases(views: &[View]) -> String {
    let mut groups: Vec<(String, Vec<Subject<'_>>)> = Vec::new();
    let single = views.len() > 1 && views.iter().all(|view| view.jobs.len() == 1);
    for view in views {
        for (at, job) in view.jobs.iter().enumerate() {
            let round = view.jobs[..at].iter().filter(|other| other.name == job.name).count();
            let name = match (single, round) {
                (true, _) => "All files".to_owned(),
                (_, 0) => job.name.clone(),
                (_, round) => format!("{}, round {}", job.name, round + 1),
            };
            let subject = Subject { label: &view.label, job };
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, subjects)) => subjects.push(subject),
                None => groups.push((name, vec![subject])),
            }
        }
    }
    let mut page = String::new();
    for (name, subjects) in groups.iter().take(DETAILS) {
        let _ = writeln!(page, "<h2>{}</h2>\n<div class=\"plots\">", escape(name));
        for subjects in subjects.chunks(plots::LINES) {
            page += &plots::over_time(subjects);
            page += &plots::percentiles(subjects);
        }
        page += "</div>\n";
        for subject in subjects {
            let plots = plots::latency_over_time(*subject);
            if !plots.is_empty() {
                let label = escape(subject.label);
                let _ = writeln!(page, "<h3>{label}</h3>\n<div class=\"plots\">\n{plots}</div>");
            }
        }
    }
    if groups.len() > DETAILS {
        let more = groups.len() - DETAILS;
        let _ = writeln!(page, "<p>{more} further phases are in the tables only.</p>");
    }
    page
}

fn warnings(views: &[View]) -> String {
    let mut page = String::new();
    let mut warn = |label: &str, text: &str| {
        let _ = writeln!(page, "<p class=\"warn\">{}: {}</p>", escape(label), escape(text));
    };
    for view in views {
        if let Some(why) = &view.partial {
            warn(&view.label, &format!("partial: {why}"));
        }
        for job in &view.jobs {
            if let Some(error) = &job.error {
                warn(&format!("{}, {}", view.label, job.name), error);
            }
        }
    }
    page
}

/// Each note once, with the phases that it is about.
fn notes(views: &[View]) -> String {
    let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
    for view in views {
        for job in &view.jobs {
            let about = format!("{}, {}", view.label, job.name);
            for note in &job.notes {
                match notes.iter_mut().find(|(known, _)| known == note) {
                    Some((_, phases)) => phases.push(about.clone()),
                    None => notes.push((note, vec![about.clone()])),
                }
            }
        }
    }
    if notes.is_empty() {
        return String::new();
    }
    let item = |(note, phases): (&str, Vec<String>)| {
        format!("<li>{} ({})</li>\n", escape(note), escape(&phases.join("; ")))
    };
    let items: String = notes.into_iter().map(item).collect();
    format!("<h2>Notes</h2>\n<ul>\n{items}</ul>\n")
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            other => safe.push(other),
        }
    }
    safe
}
