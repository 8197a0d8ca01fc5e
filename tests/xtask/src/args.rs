//! The words after the task. What is not taken by the task is an error.

use std::str::FromStr;

use anyhow::{Result, bail};

pub(crate) struct Args {
    words: Vec<String>,
    /// What stands after `--`.
    rest: Vec<String>,
}

impl Args {
    pub(crate) fn new(mut words: Vec<String>) -> Self {
        let rest = match words.iter().position(|word| word == "--") {
            Some(at) => words.split_off(at).split_off(1),
            None => Vec::new(),
        };
        Self { words, rest }
    }

    /// Takes `--name` if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes `--name VALUE` or `--name=VALUE` if it is there.
    pub(crate) fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let joined = format!("{name}=");
        let is_it = |word: &String| word == name || word.starts_with(&joined);
        let Some(at) = self.words.iter().position(is_it) else { return Ok(None) };
        let word = self.words.remove(at);
        let text = match word.strip_prefix(&joined) {
            Some(text) => text.to_owned(),
            None if at < self.words.len() => self.words.remove(at),
            None => bail!("{name} needs a value"),
        };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => bail!("{name}: {text} is not what it takes"),
        }
    }

    /// Takes the next word that is not an option.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.words.iter().position(|word| !word.starts_with('-'))?;
        Some(self.words.remove(at))
    }

    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn done(self) -> Result<()> {
        match self.words.iter().chain(&self.rest).next() {
            Some(word) => bail!("{word}: not known to this task (see cargo xtask help)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn args(words: &[&str]) -> Args {
        Args::new(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn words_are_taken_once() {
        let mut args = args(&["--quick", "--rounds", "7", "name", "--", "--rounds"]);
        assert!(args.flag("--quick"));
        assert_eq!(args.value::<u64>("--rounds").unwrap(), Some(7));
        assert_eq!(args.word().as_deref(), Some("name"));
        assert_eq!(args.rest(), ["--rounds"]);
        args.done().unwrap();
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(args(&["--quik"]).done().is_err());
        assert!(args(&["--rounds", "many"]).value::<u64>("--rounds").is_err());
        assert!(args(&["--rounds"]).value::<u64>("--rounds").is_err());
        assert_eq!(args(&["--rounds=3"]).value::<u64>("--rounds").unwrap(), Some(3));
    }
}
