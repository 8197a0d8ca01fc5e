//! What a rule found, and the message it fails with.

use std::fmt;

/// Breaches of one rule. A test returns them as its error, so that one run shows all there is
/// to do and nothing else.
pub struct Findings {
    rule: &'static str,
    lines: Vec<String>,
}

impl Findings {
    pub fn of(rule: &'static str) -> Self {
        Self { rule, lines: Vec::new() }
    }

    /// `line` counts from 1.
    pub fn add(&mut self, path: &str, line: usize, what: impl AsRef<str>) {
        self.lines.push(format!("{path}:{line}: {}", what.as_ref()));
    }

    pub fn none(self) -> Result<(), Self> {
        if self.lines.is_empty() { Ok(()) } else { Err(self) }
    }
}

/// The test harness prints errors this way.
impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (found: {})", self.rule, self.lines.len())?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
