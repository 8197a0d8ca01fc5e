//! Where a profile was measured.

use std::path::Path;

use dray_node::config::Measured;
use dray_results::{Machine, Place};
use time::OffsetDateTime;

pub(super) fn describe(measured: &mut Measured, target: &Path) {
    let machine = Machine::this();
    measured.target = target.display().to_string();
    measured.device = Place::of(target).map_or_else(|_| String::new(), |place| device(&place));
    measured.date = date(OffsetDateTime::now_utc());
    measured.kernel = machine.kernel;
    measured.processor = format!("{}, {} cores", machine.cpu, machine.cpus);
}

/// Without paths, which say nothing about another machine.
fn device(place: &Place) -> String {
    let mut parts = vec![place.file_system.clone()];
    parts.extend(place.name().map(|name| format!("on {name}")));
    parts.extend(place.model().map(|model| format!("model {model}")));
    for name in ["scheduler", "nr_requests", "max_sectors_kb"] {
        parts.extend(place.queue(name).map(|value| format!("{name} {}", chosen(&value))));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// Of `none [mq-deadline] bfq`, what is in brackets.
fn chosen(value: &str) -> &str {
    let inner = value.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inner.map_or(value, |(word, _)| word)
}

/// `2026-11-25`.
fn date(at: OffsetDateTime) -> String {
    at.date().to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        let known = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29")];
        for (days, text) in known.into_iter().chain([(20_782, "2026-11-25")]) {
            assert_eq!(date(OffsetDateTime::from_unix_timestamp(days * 86_400).unwrap()), text);
        }
    }
}
