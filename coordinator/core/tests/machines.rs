//! The tables of states, `docs/machines.md`, and what both were when they were last looked at.

use dray_core::machine::{ALL, Edges, may_follow};

/// A matrix as text: a line for each state, a column for each that may follow.
fn matrix(machine: Edges) -> String {
    let states: Vec<&str> = machine.iter().map(|(state, _)| *state).collect();
    let line = |from: &str| {
        let mark = |to: &&str| if may_follow(machine, from, to) { 'x' } else { '.' };
        let marks: String = states.iter().map(mark).collect();
        format!("{marks} {from}\n")
    };
    states.iter().map(|from| line(from)).collect()
}

/// Changed only together with the table, the document, and the code that moves them.
const PINNED: [&str; 4] = [
    "\
.xx...x queued
x.x...x waiting
x..xxxx moving
....... done
....... nothing to do
....... failed
....... cancelled
",
    "\
.x..x beginning
..xx. moving
....x stopping
....x finishing
..... over
",
    "\
.x.x undisposed
..x. undelivered
...x outstanding
.... answered
",
    "\
.x. alive
..x silent
... gone
",
];

#[test]
fn the_tables_are_as_they_were() {
    let now: Vec<String> = ALL.iter().map(|(_, machine)| matrix(machine)).collect();
    assert_eq!(now, PINNED);
}

fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// The matrix under a heading of the document, as text.
fn documented(document: &str, heading: &str) -> Result<String, String> {
    let section = document.split("\n## ").find(|section| section.starts_with(heading));
    let section = section.ok_or_else(|| format!("no section {heading}"))?;
    let mut rows = section.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = rows.next().ok_or_else(|| format!("no table under {heading}"))?;
    let mut text = String::new();
    let mut order = Vec::new();
    for row in rows.skip(1) {
        if row.len() != head.len() {
            return Err(format!("{heading}: {row:?} does not fit {head:?}"));
        }
        let marks: String =
            row[1..].iter().map(|it| if it.is_empty() { "." } else { it }).collect();
        text += &format!("{marks} {}\n", row[0]);
        order.push(row[0]);
    }
    if order != head[1..] {
        return Err(format!("{heading}: rows {order:?}, columns {:?}", &head[1..]));
    }
    Ok(text)
}

/// The edges of the graph under a heading: lines `a --> b`, with words in brackets for spaces.
fn drawn(document: &str, heading: &str) -> Vec<(String, String)> {
    let section = document.split("\n## ").find(|section| section.starts_with(heading));
    let lines = section.unwrap_or_default().lines().filter_map(|line| line.split_once(" --> "));
    let name = |text: &str| {
        let text = text.split(':').next().unwrap_or_default().trim();
        text.replace('_', " ")
    };
    lines.map(|(from, to)| (name(from), name(to))).collect()
}

#[test]
fn the_document_shows_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/machines.md");
    let document = std::fs::read_to_string(path).expect("it is there");
    for (name, machine) in ALL {
        assert_eq!(documented(&document, name).unwrap(), matrix(machine), "{name}");
        let mut edges = drawn(&document, name);
        edges.retain(|(from, to)| from != "[*]" && to != "[*]");
        let table = machine.iter().flat_map(|(from, next)| next.iter().map(move |to| (*from, *to)));
        let mut table: Vec<_> = table.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        edges.sort_unstable();
        table.sort_unstable();
        assert_eq!(edges, table, "{name} as drawn");
    }
}

#[test]
fn a_wrong_matrix_is_found() {
    let good = "\n## Node\n\n| | alive | gone |\n|---|---|---|\n| alive | | x |\n| gone | | |\n";
    assert_eq!(documented(good, "Node").unwrap(), ".x alive\n.. gone\n");
    assert!(documented(good, "Split").is_err());
    assert!(documented(&good.replace("| gone | | |", "| gone | |"), "Node").is_err());
    assert!(documented(&good.replace("| gone | | |", "| over | | |"), "Node").is_err());
}

#[test]
fn every_state_is_reached_and_ends_are_ends() {
    for (name, machine) in ALL {
        let (first, _) = machine[0];
        for (state, next) in *machine {
            let reached = machine.iter().any(|(_, next)| next.contains(state));
            assert!(reached || *state == first, "{name}: {state}");
            for to in *next {
                assert!(machine.iter().any(|(state, _)| state == to), "{name}: {to}");
            }
        }
        assert!(machine.iter().any(|(_, next)| next.is_empty()), "{name} never ends");
    }
}
