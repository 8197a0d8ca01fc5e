//! Rust source split into code and comments, line by line; just enough of a lexer for the rules.

/// One line of a file.
#[derive(Debug, Default)]
pub struct Line {
    /// As it stands in the file.
    pub raw: String,
    /// Without comments, and with the insides of literals left out.
    pub code: String,
    /// The text of its comments.
    pub comment: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    /// Block comments nest.
    Block {
        depth: u32,
    },
    Text,
    RawText {
        hashes: usize,
    },
}

/// Splits a whole file.
pub fn split(text: &str) -> Vec<Line> {
    let mut state = State::Code;
    let mut lines = Vec::new();
    for raw in text.lines() {
        let mut line = Line { raw: raw.to_owned(), ..Line::default() };
        let chars: Vec<char> = raw.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            (state, at) = step(state, &chars, at, &mut line);
        }
        lines.push(line);
    }
    lines
}

/// Takes one token's worth of characters; returns the state after it and where to go on.
fn step(state: State, chars: &[char], at: usize, line: &mut Line) -> (State, usize) {
    let rest = &chars[at..];
    match state {
        State::Code => code(chars, at, line),
        State::Block { depth } => {
            if rest.starts_with(&['/', '*']) {
                (State::Block { depth: depth + 1 }, at + 2)
            } else if rest.starts_with(&['*', '/']) {
                let after =
                    if depth == 1 { State::Code } else { State::Block { depth: depth - 1 } };
                (after, at + 2)
            } else {
                line.comment.push(rest[0]);
                (state, at + 1)
            }
        }
        State::Text => match rest[0] {
            '\\' => (state, at + 2),
            '"' => {
                line.code.push('"');
                (State::Code, at + 1)
            }
            _ => (state, at + 1),
        },
        State::RawText { hashes } => {
            let closes =
                rest[0] == '"' && rest[1..].iter().take_while(|c| **c == '#').count() >= hashes;
            if closes {
                line.code.push('"');
                (State::Code, at + 1 + hashes)
            } else {
                (state, at + 1)
            }
        }
    }
}

fn code(chars: &[char], at: usize, line: &mut Line) -> (State, usize) {
    let rest = &chars[at..];
    let after_word = at > 0 && is_word(chars[at - 1]);
    if rest.starts_with(&['/', '/']) {
        line.comment.extend(&rest[2..]);
        return (State::Code, chars.len());
    }
    if rest.starts_with(&['/', '*']) {
        return (State::Block { depth: 1 }, at + 2);
    }
    if !after_word && let Some((hashes, length)) = raw_text(rest) {
        line.code.push('"');
        return (State::RawText { hashes }, at + length);
    }
    match rest[0] {
        '"' => {
            line.code.push('"');
            (State::Text, at + 1)
        }
        '\'' => {
            line.code.push('\'');
            (State::Code, at + character(rest))
        }
        other => {
            line.code.push(other);
            (State::Code, at + 1)
        }
    }
}

/// The opening of a raw string: how many hashes, and its length.
fn raw_text(rest: &[char]) -> Option<(usize, usize)> {
    let prefix = match rest {
        ['b' | 'c', 'r', ..] => 2,
        ['r', ..] => 1,
        _ => return None,
    };
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    (rest.get(prefix + hashes) == Some(&'"')).then_some((hashes, prefix + hashes + 1))
}

/// Length of the character literal at the quote in front, or 1 for that of a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => match tail.iter().position(|c| *c == '\'') {
            Some(end) => end + 4,
            None => 1,
        },
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `text` holds `word` with no letter, digit or underscore next to it.
pub fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests;
