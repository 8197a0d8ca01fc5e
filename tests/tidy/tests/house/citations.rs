//! Each rule of a format is cited where code holds it, so that who changes the one finds the
//! other.

use std::collections::BTreeSet;

use dray_tidy::findings::Findings;
use dray_tidy::repo;
use dray_tidy::source;

/// A document with rules.
struct Rules {
    document: &'static str,
    /// Before the number of a rule.
    letter: char,
    /// Rules that it has at the least: else they are not written as they were.
    least: usize,
}

const ALL: [Rules; 2] = [
    Rules { document: "docs/wire.md", letter: 'W', least: 40 },
    Rules { document: "docs/journal.md", letter: 'J', least: 7 },
];

/// Where the code is that holds rules.
const HOLDERS: [&str; 2] = ["coordinator/", "engine/node/"];

impl Rules {
    /// A line comment that begins so cites the rule whose number follows.
    fn mark(&self) -> String {
        format!("= {}#{}-", self.document, self.letter.to_ascii_lowercase())
    }

    /// Line and number of each item that begins `**W-n**`.
    fn of(&self, text: &str) -> Vec<(usize, u32)> {
        let begin = format!("- **{}-", self.letter);
        let number = |line: &str| {
            let (number, _) = line.strip_prefix(&begin)?.split_once("**")?;
            number.parse().ok()
        };
        let lines = text.lines().enumerate();
        lines.filter_map(|(at, line)| Some((at + 1, number(line)?))).collect()
    }

    /// Line and what is cited: a number, or what stands there in its place.
    fn citations(&self, text: &str) -> Vec<(usize, Result<u32, String>)> {
        let (mark, mut found) = (self.mark(), Vec::new());
        for (at, line) in source::split(text).iter().enumerate() {
            let Some(cited) = line.comment.strip_prefix(mark.as_str()) else { continue };
            found.push((at + 1, cited.parse().map_err(|_| cited.to_owned())));
        }
        found
    }

    fn check(&self, findings: &mut Findings) {
        let rules = self.of(&repo::read(self.document));
        let known: BTreeSet<u32> = rules.iter().map(|(_, rule)| *rule).collect();
        let mut cited = BTreeSet::new();
        for file in repo::files_ending(&[".rs"]) {
            let text = repo::read(&file);
            for (line, citation) in self.citations(&text) {
                if citation.as_ref().is_ok_and(|rule| known.contains(rule)) {
                    continue;
                }
                findings.add(&file, line, format!("{} has no rule {citation:?}", self.document));
            }
            let product = self.citations(product(&file, &text));
            cited.extend(product.into_iter().filter_map(|(_, it)| it.ok()));
        }
        for (line, rule) in rules.iter().filter(|(_, rule)| !cited.contains(rule)) {
            let text = format!("{}-{rule}: no code cites it with //{}", self.letter, self.mark());
            findings.add(self.document, *line, text);
        }
    }
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
fn rules_are_cited() -> Result<(), Findings> {
    let mut findings = Findings::of("rules and citations of them that do not agree");
    for rules in ALL {
        rules.check(&mut findings);
    }
    findings.none()
}

#[test]
fn rules_have_numbers_of_their_own() -> Result<(), Findings> {
    let mut findings = Findings::of("rule with the number of another");
    for rules in ALL {
        let mut seen = BTreeSet::new();
        for (line, rule) in rules.of(&repo::read(rules.document)) {
            if !seen.insert(rule) {
                findings.add(rules.document, line, format!("{rule} is taken"));
            }
        }
        assert!(seen.len() >= rules.least, "{}: {} rules", rules.document, seen.len());
    }
    findings.none()
}

#[test]
fn citations_and_rules_are_found() {
    let [wire, journal] = ALL;
    let text = "- **W-7** All.\n  As W-8 says, **W-9**.\n- **W-10** More.\n- **J-1** Other.";
    assert_eq!(wire.of(text), [(1, 7), (3, 10)]);
    assert_eq!(journal.of(text), [(4, 1)]);
    let mark = wire.mark();
    let text = format!("//{mark}3\nfn f() {{\n    //{mark}x\n    // see docs/wire.md#w-4\n}}");
    assert_eq!(wire.citations(&text), [(1, Ok(3)), (3, Err("x".to_owned()))]);
    assert_eq!(journal.citations(&text), []);
}

#[test]
fn tests_hold_no_rule() {
    let [wire, _] = ALL;
    let mark = wire.mark();
    let text = format!("//{mark}1\n#[cfg(test)]\nmod tests {{\n    //{mark}2\n}}");
    let cited = |file| wire.citations(product(file, &text)).len();
    assert_eq!(cited("coordinator/wire/src/codec.rs"), 1);
    assert_eq!(cited("engine/node/src/orders.rs"), 1);
    for file in ["coordinator/wire/tests/a.rs", "coordinator/wire/src/a/tests.rs", "bench/src/a.rs"]
    {
        assert_eq!(cited(file), 0, "{file}");
    }
}
