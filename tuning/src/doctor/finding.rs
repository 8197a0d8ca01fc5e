//! What a check says.

use std::fmt;

use serde::Serialize;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// Device, directory or file; empty for the machine.
    pub subject: String,
    pub seen: String,
    pub wanted: String,
    pub why: String,
    /// A figure with its source, or that none was measured.
    pub cost: String,
    /// Commands that mend it now.
    pub mend: Vec<String>,
    /// Commands that make it last over the next start of the machine or the daemon.
    pub lasting: Vec<String>,
}

/// A check that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    pub check: &'static str,
    pub why: String,
}

/// All that the doctor says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    pub findings: Vec<Finding>,
    pub unchecked: Vec<Unchecked>,
}

impl DoctorReport {
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub fn cannot(&mut self, check: &'static str, why: impl Into<String>) {
        self.unchecked.push(Unchecked { check, why: why.into() });
    }
}

pub(super) const NOT_MEASURED: &str = "not measured";

impl Finding {
    /// A fault of a device or directory, or of the machine where `subject` is empty.
    pub(super) fn new(check: &'static str, subject: impl Into<String>) -> Self {
        Self {
            check,
            subject: subject.into(),
            seen: String::new(),
            wanted: String::new(),
            why: String::new(),
            cost: NOT_MEASURED.into(),
            mend: Vec::new(),
            lasting: Vec::new(),
        }
    }

    pub(super) fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen = seen.into();
        self
    }

    pub(super) fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = wanted.into();
        self
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn costs(mut self, cost: impl Into<String>) -> Self {
        self.cost = cost.into();
        self
    }

    pub(super) fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend.push(command.into());
        self
    }

    pub(super) fn lasting(mut self, command: impl Into<String>) -> Self {
        self.lasting.push(command.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.subject.is_empty() { "" } else { " of " };
        writeln!(f, "{}{at}{}: {}", self.check, self.subject, self.seen)?;
        writeln!(f, "  wanted   {}", self.wanted)?;
        writeln!(f, "  because  {}", self.why)?;
        write!(f, "  cost     {}", self.cost)?;
        for command in &self.mend {
            write!(f, "\n  now      {command}")?;
        }
        for command in &self.lasting {
            write!(f, "\n  lasting  {command}")?;
        }
        Ok(())
    }
}

/// As a shell takes it for one word.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Nothing where there is nothing to say.
impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = self.findings.iter().map(ToString::to_string);
        let unchecked =
            self.unchecked.iter().map(|it| format!("not checked: {}: {}", it.check, it.why));
        let all: Vec<String> = findings.chain(unchecked).collect();
        f.write_str(&all.join("\n"))
    }
}
