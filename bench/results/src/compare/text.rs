//! A comparison for people.

use std::fmt::{self, Display, Formatter};

use super::{Basis, Comparison, Line, Verdict};
use crate::units;

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for line in &self.lines {
            let at = (&line.phase, line.direction);
            if last != Some(at) {
                last = Some(at);
                let (a, b) = (short(&self.a), short(&self.b));
                writeln!(
                    f,
                    "{:28} {a:>14} {b:>14} {:>8}  95 % interval",
                    format!("{}, {}", line.phase, line.direction),
                    "change"
                )?;
            }
            writeln!(f, "{line}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let threshold = self.threshold * 100.0;
        let verdict = match self.verdict {
            Verdict::Worse => format!("{} is worse than {}", self.b, self.a),
            Verdict::Better => format!("{} is better than {}, and nowhere worse", self.b, self.a),
            Verdict::Unsure => {
                format!("no difference beyond {threshold} % that chance alone would not make")
            }
            Verdict::Same => format!("no difference beyond {threshold} %"),
        };
        write!(f, "{verdict}")
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let figure = |value: f64| match self.metric {
            "IOPS" => units::count(value),
            "bandwidth" => units::bandwidth(value),
            _ => units::time(value),
        };
        let percent = |share: f64| format!("{:+.1} %", share * 100.0);
        let (a, b, change) = (figure(self.a), figure(self.b), percent(self.change));
        write!(f, "  {:26} {a:>14} {b:>14} {change:>8}  ", self.metric)?;
        let interval = match self.interval {
            Some((low, high)) => format!("{} to {}", percent(low), percent(high)),
            None => "not known".to_owned(),
        };
        let basis = match self.basis {
            Basis::Rounds => "rounds",
            Basis::Seconds => "seconds",
            Basis::Nothing => "",
        };
        let verdict = match self.verdict {
            Verdict::Same => "",
            Verdict::Better => "better",
            Verdict::Unsure => "may be chance",
            Verdict::Worse => "WORSE",
        };
        write!(f, "{}", format!("{interval:20} {basis:8} {verdict}").trim_end())
    }
}

/// The end of a name, which tells files apart more often than its beginning.
fn short(name: &str) -> String {
    let length = name.chars().count();
    if length <= 14 {
        name.to_owned()
    } else {
        format!("…{}", name.chars().skip(length - 13).collect::<String>())
    }
}
