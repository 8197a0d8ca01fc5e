//! Shell-style patterns of paths.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What one place in a pattern takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Name,
    /// `**`
    All,
    /// `**/` at the beginning of a name: whole names with their `/`; [`Inside`](Self::Inside) is
    /// next.
    Folders,
    Inside,
}

/// A pattern of paths below a directory: `?` is one byte and `*` any number, both without `/`; `**`
/// is any number of any bytes, `**/` any number of whole directories, none among them. All else is
/// itself. What matches a directory matches all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Token>);

impl Pattern {
    /// Or what is wrong with it.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let mut rest = text.trim_end_matches('/').as_bytes();
        match rest {
            [] => return Err("it is empty: leave it out, or name something"),
            [b'/', ..] => return Err("it is below the managed directory: leave the first / out"),
            _ => {}
        }
        let mut tokens = Vec::new();
        loop {
            let begins = matches!(tokens.last(), None | Some(Token::Byte(b'/') | Token::Inside));
            rest = match rest {
                [] => return Ok(Self(tokens)),
                [b'*', b'*', b'/', rest @ ..] if begins => {
                    tokens.extend([Token::Folders, Token::Inside]);
                    rest
                }
                [b'*', b'*', rest @ ..] => {
                    tokens.push(Token::All);
                    rest
                }
                [b'*', rest @ ..] => {
                    tokens.push(Token::Name);
                    rest
                }
                [b'?', rest @ ..] => {
                    tokens.push(Token::One);
                    rest
                }
                [byte, rest @ ..] => {
                    tokens.push(Token::Byte(*byte));
                    rest
                }
            };
        }
    }

    /// Whether it matches a path, or a directory that the path is in.
    pub fn matches(&self, path: &Path) -> bool {
        // All places at once: no pattern takes longer than its length times that of the path.
        let end = self.0.len();
        let mut at = vec![false; end + 1];
        at[0] = true;
        self.skip(&mut at);
        for byte in path.as_os_str().as_bytes() {
            if at[end] && *byte == b'/' {
                return true;
            }
            let mut next = vec![false; end + 1];
            for (place, token) in self.0.iter().enumerate().filter(|(place, _)| at[*place]) {
                let name = *byte != b'/';
                match token {
                    Token::Byte(wanted) => next[place + 1] |= wanted == byte,
                    Token::One => next[place + 1] |= name,
                    Token::Name => next[place] |= name,
                    Token::All => next[place] = true,
                    Token::Folders => next[place + 1] |= name,
                    Token::Inside if name => next[place] = true,
                    Token::Inside => next[place - 1] = true,
                }
            }
            at = next;
            self.skip(&mut at);
        }
        at[end]
    }

    /// Adds the places that are reached without a byte.
    fn skip(&self, at: &mut [bool]) {
        for (place, token) in self.0.iter().enumerate() {
            match token {
                Token::Name | Token::All if at[place] => at[place + 1] = true,
                Token::Folders if at[place] => at[place + 2] = true,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, matched, other) in [
            ("a", &["a", "a/b/c"][..], &["ab", "b/a", "A"][..]),
            ("*.tmp", &["x.tmp", ".tmp", "d.tmp/x"], &["d/x.tmp", "x.tmp2"]),
            ("**/*.tmp", &["x.tmp", "d/x.tmp", "d/e/x.tmp"], &["xtmp", "d/x.tmpo"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b/c"], &["ab", "a/xb", "x/a/b"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b/a"]),
            ("?x", &["ax"], &["x", "abx", "/x"]),
            ("a?b", &["axb"], &["a/b"]),
            ("a*b*c", &["abc", "axxbyyc", "abbcc"], &["ab/c", "acb"]),
            ("dir/", &["dir", "dir/x"], &["dirx"]),
            ("**/**/z", &["z", "a/z"], &["az"]),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            for path in matched {
                assert!(pattern.matches(Path::new(path)), "{pattern:?} {path}");
            }
            for path in other {
                assert!(!pattern.matches(Path::new(path)), "{pattern:?} {path}");
            }
        }
    }

    #[test]
    fn no_pattern_takes_for_ever() {
        let pattern = Pattern::new(&"*a".repeat(100)).unwrap();
        assert!(!pattern.matches(Path::new(&"a".repeat(99))));
        assert!(pattern.matches(Path::new(&"a".repeat(2000))));
    }
}
