//! The machines of the coordinator as tables: which state may follow which. `docs/machines.md`
//! draws them; a test compares both with these.

/// A state and those that may follow it.
pub type Edges = &'static [(&'static str, &'static [&'static str])];

/// A request, from its submission.
pub const REQUEST: Edges = &[
    ("queued", &["waiting", "moving", "cancelled"]),
    ("waiting", &["queued", "moving", "cancelled"]),
    ("moving", &["queued", "done", "nothing to do", "failed", "cancelled"]),
    ("done", &[]),
    ("nothing to do", &[]),
    ("failed", &[]),
    ("cancelled", &[]),
];

/// A large file that is moved by many.
pub const SPLIT: Edges = &[
    ("beginning", &["moving", "over"]),
    ("moving", &["finishing", "stopping"]),
    ("stopping", &["over"]),
    ("finishing", &["over"]),
    ("over", &[]),
];

/// A synchronous event.
pub const EVENT: Edges = &[
    ("undisposed", &["undelivered", "answered"]),
    ("undelivered", &["outstanding"]),
    ("outstanding", &["answered"]),
    ("answered", &[]),
];

/// A node, from its joining.
pub const NODE: Edges = &[("alive", &["silent"]), ("silent", &["gone"]), ("gone", &[])];

/// All of them, by what they are of.
pub const ALL: &[(&str, Edges)] =
    &[("Request", REQUEST), ("Split", SPLIT), ("Event", EVENT), ("Node", NODE)];

/// Whether `to` may follow `from`.
pub fn may_follow(machine: Edges, from: &str, to: &str) -> bool {
    machine.iter().any(|(state, next)| *state == from && next.contains(&to))
}
