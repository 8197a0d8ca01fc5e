//! Text for people, JSON for programs, progress for terminals.

use std::io::{IsTerminal, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dray_wire::Reason;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::exit::{Code, Failure};
use crate::requests::Totals;

/// Errors kept for the JSON report; the count of all is reported beside them.
const ERRORS_KEPT: usize = 1000;

/// Writes a line to standard output. Whoever has closed it wants no more (`dray … | head`), and
/// what was begun goes on.
fn print(line: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}")
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("dray: standard output: {error}");
    }
}

pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// A line for people.
    pub(crate) fn say(&self, line: &str) {
        if !self.json && !self.quiet {
            print(line);
        }
    }

    /// A line for people, whatever the rest is for.
    pub(crate) fn warn(&self, line: &str) {
        eprintln!("dray: {line}");
    }

    /// The result for programs.
    pub(crate) fn result(&self, value: &Value) {
        if self.json {
            print(&format!("{value:#}"));
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        eprintln!("dray: {:#}", failure.error);
        if let Some(advice) = failure.advice {
            eprintln!("      {advice}");
        }
        let error = format!("{:#}", failure.error);
        self.result(&json!({ "error": error, "advice": failure.advice }));
    }

    /// A bar that shows counts, on a terminal.
    pub(crate) fn progress(&self, verb: &str) -> ProgressBar {
        if self.json || self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {prefix} {msg} [{elapsed}]")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_prefix(verb.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// Runs `work` while a bar follows the counts of files and bytes, and what else there is to say.
pub(crate) fn with_progress<T>(
    output: &Output,
    verb: &str,
    counts: &(dyn Fn() -> (u64, u64, String) + Sync),
    work: impl FnOnce() -> T,
) -> T {
    let bar = output.progress(verb);
    if bar.is_hidden() {
        return work();
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (files, bytes, more) = counts();
                let rate = bytes as f64 / bar.elapsed().as_secs_f64().max(0.001);
                let (bytes, rate) = (HumanBytes(bytes), HumanBytes(rate as u64));
                bar.set_message(format!("{files} files, {bytes}, {rate}/s{more}"));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        bar.finish_and_clear();
        result
    })
}

/// A path in JSON: a string, or the bytes in hexadecimal if it is not UTF-8.
pub(crate) fn json_path(path: &Path) -> Value {
    match path.to_str() {
        Some(text) => Value::from(text),
        None => {
            let bytes = path.as_os_str().as_bytes();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": hex })
        }
    }
}

/// A path on one line of text: what is not printable is escaped.
pub(crate) fn text_path(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.chars().any(|c| c.is_control() || c == '\\') => text.to_owned(),
        _ => path.as_os_str().as_bytes().escape_ascii().to_string(),
    }
}

/// Hears of each file: prints failures at once and keeps them for the report.
pub(crate) struct Reporter<'a> {
    output: &'a Output,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    errors: Vec<Value>,
    lasting: u64,
    damage: bool,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, kept: Mutex::default() }
    }

    pub(crate) fn errors(&self) -> Vec<Value> {
        self.kept.lock().map(|kept| kept.errors.clone()).unwrap_or_default()
    }

    /// The exit code that the failures so far ask for.
    pub(crate) fn code(&self, totals: &Totals) -> Code {
        let Ok(kept) = self.kept.lock() else { return Code::Failed };
        match (Totals::count(&totals.failed), kept.damage, kept.lasting) {
            (0, ..) => Code::Done,
            (_, true, _) => Code::Damage,
            (_, _, 0) => Code::Later,
            _ => Code::Failed,
        }
    }

    /// Something that concerns no file.
    pub(crate) fn warn(&self, line: &str) {
        self.output.warn(line);
    }

    /// A file could not be moved.
    pub(crate) fn failed(&self, path: &Path, error: &str, advice: &str, reason: Reason) {
        self.output.warn(&format!("{error}\n      {advice}"));
        let Ok(mut kept) = self.kept.lock() else { return };
        let transient = reason == Reason::LATER;
        kept.damage |= reason == Reason::DAMAGE;
        kept.lasting += u64::from(!transient);
        if kept.errors.len() < ERRORS_KEPT {
            kept.errors.push(json!({
                "path": json_path(path),
                "error": error,
                "advice": advice,
                "transient": transient,
            }));
        }
    }
}
