//! `docs/wire.md` as tables and sentences.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) struct Document {
    pub(crate) text: String,
    /// Without headings and the ends of lines.
    pub(crate) flat: String,
}

/// A row of a table of messages.
pub(crate) struct Row<'a> {
    pub(crate) kind: u16,
    pub(crate) name: &'a str,
    pub(crate) fields: &'a str,
    /// Empty if the table has no such column.
    pub(crate) reply: &'a str,
}

impl Document {
    pub(crate) fn read() -> Self {
        // Asked at run time: with one target directory for two copies of the repository the path
        // from compile time may be that of the other.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let path = here.join("../../docs/wire.md");
        let text = std::fs::read_to_string(&path).expect("the document is there");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let flat = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        Self { text, flat }
    }

    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let rows = self.text.lines().filter(|line| line.starts_with('|'));
        rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
    }

    pub(crate) fn messages(&self) -> Vec<Row<'_>> {
        self.rows().filter_map(|cells| message(&cells)).collect()
    }

    /// Number and name.
    pub(crate) fn reasons(&self) -> Vec<(u64, String)> {
        let after = self.rows().skip_while(|cells| cells[..] != ["", "name", "when"]);
        after.skip(2).map_while(|cells| Some((cells[0].parse().ok()?, cells[1].into()))).collect()
    }

    /// Offset, size and name of the fields of the header.
    pub(crate) fn header(&self) -> Vec<(usize, usize, String)> {
        let after = self.rows().skip_while(|cells| cells[0] != "offset");
        let field = |cells: Vec<&str>| {
            Some((cells[0].parse().ok()?, cells[1].parse().ok()?, cells[2].into()))
        };
        after.skip(2).map_while(field).collect()
    }

    /// The fields of what is named in other fields: a paragraph `name: fields.` each.
    pub(crate) fn records(&self) -> BTreeMap<&str, String> {
        let records = ["item", "information", "order item", "result"];
        let find = |name| (name, self.sentence(&format!("{name}: ")).into());
        records.map(find).into()
    }

    /// What follows `start`, up to the end of the sentence.
    pub(crate) fn sentence(&self, start: &str) -> &str {
        // At the beginning of a sentence or paragraph, not in the midst of another.
        let begins = |at: &usize| {
            let before = &self.flat[..*at];
            before.ends_with(". ") || before.ends_with("| ")
        };
        let mut places = self.flat.match_indices(start).map(|(at, _)| at);
        let at = places.find(begins);
        let at = at.unwrap_or_else(|| panic!("docs/wire.md has no sentence that begins {start}"));
        let after = &self.flat[at + start.len()..];
        after.split(". ").next().unwrap_or(after).trim_end_matches('.')
    }
}

fn message<'a>(cells: &[&'a str]) -> Option<Row<'a>> {
    let kind = u16::from_str_radix(cells[0].strip_prefix("0x")?, 16).ok()?;
    let [_, name, fields, reply @ ..] = cells else { return None };
    Some(Row { kind, name, fields, reply: reply.first().copied().unwrap_or_default() })
}

/// The numbers of a sentence with the words behind each: `1 read, 2 write (both)`. A word before
/// the number says something about it and what follows; brackets explain.
pub(crate) fn numbered(sentence: &str) -> Vec<(u64, String)> {
    let mut plain = String::new();
    let mut depth = 0;
    for letter in sentence.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts = plain.split([',', ';', ':']).filter_map(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        let at = words.iter().position(|word| word.parse::<u64>().is_ok())?;
        Some((words[at].parse().ok()?, words[at + 1..].join(" ")))
    });
    parts.collect()
}

#[test]
fn numbers_are_found_with_their_words() {
    let found = numbered("by number: late 1 read (or map), 22 write it; soon 3 close");
    let expected = [(1, "read"), (22, "write it"), (3, "close")];
    assert_eq!(found, expected.map(|(number, words)| (number, words.to_owned())));
}
