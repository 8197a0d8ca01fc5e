//! A sum over everything that happens, and the last of it in words.

use std::collections::VecDeque;

use dray_sim::Step;

use crate::agenda::Event;

#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) sum: u64,
    pub(crate) events: u64,
    pub(crate) operations: u64,
    /// The last lines, if they are wanted.
    pub(crate) lines: Option<VecDeque<String>>,
}

const LINES: usize = 100_000;

impl Trace {
    pub(crate) fn new(wordy: bool) -> Self {
        let lines = wordy.then(VecDeque::new);
        Self { sum: 0xcbf2_9ce4_8422_2325, events: 0, operations: 0, lines }
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.sum = (self.sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn event(&mut self, now: u64, event: &Event) {
        self.events += 1;
        self.add(&now.to_le_bytes());
        match event {
            Event::Frame { link, up, number, bytes } => {
                self.add(&[1, u8::from(*up)]);
                self.add(&link.to_le_bytes());
                self.add(&number.to_le_bytes());
                // The sum of the body is in the header.
                self.add(&bytes[..dray_wire::HEADER_BYTES]);
            }
            Event::Ended { link, up } => {
                self.add(&[2, u8::from(*up)]);
                self.add(&link.to_le_bytes());
            }
            other => self.add(format!("{other:?}").as_bytes()),
        }
        if !matches!(event, Event::Frame { .. }) {
            self.say(now, || format!("{event:?}"));
        }
    }

    pub(crate) fn operation(&mut self, now: u64, process: u32, step: &Step) {
        self.operations += 1;
        self.add(&process.to_le_bytes());
        self.add(&[step.operation as u8]);
        self.add(step.path.as_os_str().as_encoded_bytes());
        self.say(now, || format!("    process {process} {step}"));
    }

    pub(crate) fn say(&mut self, now: u64, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(format!("{:>12.3} {}", now as f64 / 1e6, what()));
        }
    }
}
