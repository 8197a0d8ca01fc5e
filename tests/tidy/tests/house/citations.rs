//! Each rule of the protocol is cited where code holds it, so that who changes the one finds the
//! other.

use std::collections::BTreeSet;

use dray_tidy::findings::Findings;
use dray_tidy::repo;
use dray_tidy::source;

const DOCUMENT: &str = "docs/wire.md";
/// Where the code is that holds rules.
const HOLDERS: [&str; 2] = ["coordinator/", "engine/node/"];
/// A line comment that begins so cites the rule whose number follows.
const MARK: &str = "= docs/wire.md#";

/// Rules whose code is still to come. One that is cited by now has to go from here.
const NOT_YET: [u32; 0] = [];

/// Line and number of each item that begins `**W-n**`.
fn rules(document: &str) -> Vec<(usize, u32)> {
    let number = |line: &str| {
        let (number, _) = line.strip_prefix("- **W-")?.split_once("**")?;
        number.parse().ok()
    };
    let lines = document.lines().enumerate();
    lines.filter_map(|(at, line)| Some((at + 1, number(line)?))).collect()
}

/// Line and what is cited: a number, or what stands there in its place.
fn citations(text: &str) -> Vec<(usize, Result<u32, String>)> {
    let mut found = Vec::new();
    for (at, line) in source::split(text).iter().enumerate() {
        let Some(cited) = line.comment.strip_prefix(MARK) else { continue };
        let number = cited.strip_prefix("w-").and_then(|number| number.parse().ok());
        found.push((at + 1, number.ok_or_else(|| cited.to_owned())));
    }
    found
}

/// What of a file is not for tests alone: all before its tests, and nothing of a file of tests.
fn product<'a>(file: &str, text: &'a str) -> &'a str {
    let is_product = HOLDERS.iter().any(|folder| file.starts_with(folder))
        && file.contains("/src/")
        && !file.contains("/tests/")
        && !file.ends_with("/tests.rs");
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    if is_product { &text[..end] } else { "" }
}

#[test]
fn rules_of_the_protocol_are_cited() -> Result<(), Findings> {
    let mut findings = Findings::of("rule of docs/wire.md and citations of it that do not agree");
    let rules = rules(&repo::read(DOCUMENT));
    let known: BTreeSet<u32> = rules.iter().map(|(_, rule)| *rule).collect();
    let mut cited = BTreeSet::new();
    for file in repo::files_ending(&[".rs"]) {
        let text = repo::read(&file);
        for (line, citation) in citations(&text) {
            match citation {
                Ok(rule) if known.contains(&rule) => {}
                Ok(rule) => findings.add(&file, line, format!("there is no rule W-{rule}")),
                Err(other) => findings.add(&file, line, format!("{other} names no rule")),
            }
        }
        cited.extend(citations(product(&file, &text)).into_iter().filter_map(|(_, it)| it.ok()));
    }
    for (line, rule) in rules {
        match (cited.contains(&rule), NOT_YET.contains(&rule)) {
            (false, false) => {
                findings.add(DOCUMENT, line, format!("W-{rule}: no code cites it with //{MARK}w-"));
            }
            (true, true) => findings.add(
                DOCUMENT,
                line,
                format!("W-{rule} is cited by now: take it out of NOT_YET in citations.rs"),
            ),
            _ => {}
        }
    }
    for rule in NOT_YET.iter().filter(|rule| !known.contains(rule)) {
        findings.add(DOCUMENT, 1, format!("there is no W-{rule} any more: see NOT_YET"));
    }
    findings.none()
}

#[test]
fn rules_have_numbers_of_their_own() -> Result<(), Findings> {
    let mut findings = Findings::of("rule with the number of another");
    let mut seen = BTreeSet::new();
    for (line, rule) in rules(&repo::read(DOCUMENT)) {
        if !seen.insert(rule) {
            findings.add(DOCUMENT, line, format!("W-{rule} is taken"));
        }
    }
    assert!(seen.len() > 40, "the rules are written as they were: {}", seen.len());
    findings.none()
}

#[test]
fn citations_and_rules_are_found() {
    assert_eq!(
        rules("- **W-7** All.\n  As W-8 says, **W-9**.\n- **W-10** More."),
        [(1, 7), (3, 10)]
    );
    let text = format!("//{MARK}w-3\nfn f() {{\n    //{MARK}w-x\n    // see docs/wire.md#w-4\n}}");
    assert_eq!(citations(&text), [(1, Ok(3)), (3, Err("w-x".to_owned()))]);
}

#[test]
fn tests_hold_no_rule() {
    let text = format!("//{MARK}w-1\n#[cfg(test)]\nmod tests {{\n    //{MARK}w-2\n}}");
    let cited = |file| citations(product(file, &text)).len();
    assert_eq!(cited("coordinator/wire/src/codec.rs"), 1);
    assert_eq!(cited("engine/node/src/orders.rs"), 1);
    for file in ["coordinator/wire/tests/a.rs", "coordinator/wire/src/a/tests.rs", "bench/src/a.rs"]
    {
        assert_eq!(cited(file), 0, "{file}");
    }
}
