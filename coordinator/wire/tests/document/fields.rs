//! The column of fields, made into what `Message::shape` gives: types without names.

use std::collections::BTreeMap;

const INTEGERS: [&str; 4] = ["u8", "u16", "u32", "u64"];
/// What a list holds at most if nothing is said.
const USUAL: &str = ", at most 4096";

type Records<'a> = BTreeMap<&'a str, String>;

pub(crate) fn shape(fields: &str, records: &Records<'_>) -> String {
    merged(&types(fields, records))
}

fn types(fields: &str, records: &Records<'_>) -> String {
    let fields = at_top(fields).into_iter().map(|it| field(&it, records));
    fields.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Neighbouring reserved bytes as one: how they are cut up is not of the wire.
pub(crate) fn merged(shape: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in at_top(shape) {
        let reserved = |part: &str| part.strip_prefix("reserved ")?.parse::<u32>().ok();
        match (parts.last().and_then(|last| reserved(last)), reserved(&part)) {
            (Some(before), Some(more)) => {
                parts.pop();
                parts.push(format!("reserved {}", before + more));
            }
            _ => parts.push(part),
        }
    }
    parts.join("; ")
}

/// Cuts at semicolons that are not within brackets.
fn at_top(fields: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for letter in fields.chars() {
        match letter {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if letter != ';' || depth > 0 => part.push(letter),
            _ => parts.push(String::new()),
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// A field is its name, then its type, then words about it.
fn field(field: &str, records: &Records<'_>) -> String {
    let field = without_remarks(field);
    if let Some((_, list)) = field.split_once("list<") {
        return self::list(list, records);
    }
    let words: Vec<&str> = field.split_whitespace().collect();
    match words[..] {
        [] | ["nothing"] | ["answered", ..] => String::new(),
        ["reserved", size] => format!("reserved {}", bytes(size)),
        [alone] => record(alone, records).unwrap_or_else(|| alone.to_owned()),
        [.., size, "bytes"] => format!("{size} bytes"),
        [.., kind] if INTEGERS.contains(&kind) || kind.ends_with('>') => kind.to_owned(),
        _ => record(&field, records).unwrap_or(field),
    }
}

/// `T>` and what is said after it.
fn list(rest: &str, records: &Records<'_>) -> String {
    let (inner, after) = rest.rsplit_once('>').expect("a list is closed");
    let most = match after.split_once("at most ") {
        Some((_, number)) => {
            let digits = number.chars().filter(|letter| *letter != ',');
            format!(", at most {}", digits.take_while(char::is_ascii_digit).collect::<String>())
        }
        None => USUAL.to_owned(),
    };
    format!("list<{}>{most}", merged(&types(inner, records)))
}

fn record(name: &str, records: &Records<'_>) -> Option<String> {
    records.get(name).map(|fields| types(fields, records))
}

fn bytes(size: &str) -> u32 {
    match size {
        "u8" => 1,
        "u16" => 2,
        "u32" => 4,
        number => number.parse().expect("reserved bytes are a number"),
    }
}

/// Without what stands in brackets.
fn without_remarks(field: &str) -> String {
    let mut rest = field;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('(') {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[test]
fn fields_are_read_as_they_are_written() {
    let records = Records::from([("item", "size u64; name".to_owned())]);
    let read = |fields| shape(fields, &records);
    assert_eq!(read("nothing; answered by Done"), "");
    assert_eq!(read("after u64 (s; 0: all); handle; reserved 3"), "u64; handle; reserved 3");
    assert_eq!(read("cluster 16 bytes; name text<64>"), "16 bytes; text<64>");
    assert_eq!(read("reserved u16; reserved u32; info bytes<9>"), "reserved 6; bytes<9>");
    assert_eq!(read("list<item>"), "list<u64; name>, at most 4096");
    assert_eq!(read("list<u8>, at most 1,024: so many"), "list<u8>, at most 1024");
    let nested = "list<a u8; list<u64>, at most 2; b u8>";
    assert_eq!(read(nested), "list<u8; list<u64>, at most 2; u8>, at most 4096");
}
