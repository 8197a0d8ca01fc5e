//! The histogram of each second as an interval log, which HdrHistogram's tools read (`.hlog`).

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::json::{Results, since_1970};
use crate::latencies::Latencies;
use crate::model::{Kind, Phase};

/// The log shows the largest value of an interval in ms; the histograms are in ns.
const NS_PER_MS: f64 = 1e6;

/// A line of the log.
struct Line<'a> {
    /// Since 1970.
    at: Duration,
    length: Duration,
    tag: String,
    latencies: &'a Latencies,
}

impl Results {
    /// One line per second, direction and kind of latency, tagged
    /// `PHASE.read.service`, `PHASE.read.response` and so on.
    pub fn to_hlog(&self) -> String {
        let mut lines: Vec<Line<'_>> = self.run.phases.iter().flat_map(lines).collect();
        lines.sort_by_key(|line| line.at);
        let base = lines.first().map_or(Duration::ZERO, |line| line.at);
        let (mut text, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(&format!(
                "[dray {}, host {}; values are ns, Interval_Max is ms]",
                self.run.environment.dray, self.run.host
            ))
            .with_start_time(UNIX_EPOCH + base)
            .with_base_time(UNIX_EPOCH + base)
            .with_max_value_divisor(NS_PER_MS)
            .begin_log_with(&mut text, &mut serializer)
            .expect("memory takes all");
        for line in lines {
            let tag = Tag::new(&line.tag);
            let histogram = line.latencies.histogram();
            log.write_histogram(&histogram, line.at - base, line.length, tag)
                .expect("memory takes all, and the counts fit");
        }
        drop(log);
        String::from_utf8(text).expect("the format is text")
    }

    /// The tags of [`Results::to_hlog`].
    pub fn hlog_tags(&self) -> BTreeSet<String> {
        self.run.phases.iter().flat_map(lines).map(|line| line.tag).collect()
    }
}

fn lines(phase: &Phase) -> Vec<Line<'_>> {
    let name: String = phase.name.chars().map(tag_character).collect();
    let start = since_1970(phase.started);
    let mut lines = Vec::new();
    for interval in &phase.intervals {
        for kind in Kind::ALL {
            let of = interval.directions.of(kind);
            let mut add = |what, latencies| {
                let tag = format!("{name}.{}.{what}", kind.fio_name());
                let (at, length) = (start + interval.start, interval.length);
                lines.push(Line { at, length, tag, latencies });
            };
            if of.is_unused() {
                continue;
            }
            add("service", &of.service);
            if let Some(response) = &of.from_intended {
                add("response", response);
            }
        }
    }
    lines
}

/// A tag ends at a comma or a space.
fn tag_character(c: char) -> char {
    if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c }
}
