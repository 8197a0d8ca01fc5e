//! The steps of the trial.

use std::path::Path;

use dray_bench::Machine;
use dray_wire::Verb;
use serde_json::{Value, json};

use super::baseline::Baseline;
use super::phase::{Engine, Row};
use super::put;
use super::range::Sample;
use super::scratch::uninterrupted;
use super::tree::Census;
use crate::commands::volume;
use crate::exit::{Code, Failure};
use crate::output::{Output, json_path, text_path};
use crate::report::MIB;
use crate::requests::Ask;
use crate::session::Session;

/// Differences that are listed one by one.
const SHOWN: usize = 100;

fn step(output: &Output, name: &str, text: &str) {
    output.say(&format!("{name:<8} {text}"));
}

/// What a trial has found so far.
pub(super) struct Trial {
    pub(super) result: Value,
    pub(super) rows: Vec<Row>,
}

impl Trial {
    pub(super) fn put(&mut self, engine: &mut Engine<'_>, source: &Path) -> Result<(), Failure> {
        engine.conditions.set()?;
        let put = put::put(source, &engine.root)?;
        if let Some(why) = &put.failure {
            engine.output.warn(&format!("{}: {why}\n      going on with what was copied", put.how));
            engine.note(Code::Failed);
        }
        let seconds = put.row.seconds;
        step(engine.output, "put", &format!("{}, and a flush: {seconds:.2} s", put.how));
        self.rows.push(put.row);
        Ok(())
    }

    /// Out to the archive and back.
    pub(super) fn round(
        &mut self,
        engine: &mut Engine<'_>,
        looking: &Session,
    ) -> Result<(), Failure> {
        let root = engine.root.clone();
        let baseline = Baseline::take(&looking.machine, &root);
        uninterrupted()?;
        for fault in &baseline.unreadable {
            engine.output.warn(&fault.to_string());
            engine.note(Code::Failed);
        }
        let names = baseline.known.len();
        step(engine.output, "sum", &format!("BLAKE3 and attributes of {names} names taken"));
        let before = Census::take(&looking.machine, &root, true);
        let cp = &mut self.rows[0];
        (cp.files, cp.bytes) = (before.names(), baseline.bytes);
        self.archive(engine)?;
        let sample = Sample::take(looking.files(), &baseline.known)?;
        let released = self.release(engine, looking, &before)?;
        if let Some(sample) = sample {
            self.range(engine, looking, &sample, &released)?;
        }
        self.restore(engine, looking)?;
        self.compare(engine, looking, &baseline)?;
        self.verify(engine, looking)
    }

    fn archive(&mut self, engine: &mut Engine<'_>) -> Result<(), Failure> {
        let row = engine.phase("archive", "archiving", Ask::new(Verb::ARCHIVE))?;
        step(engine.output, "archive", &format!("{} names in {:.2} s", row.files, row.seconds));
        self.rows.push(row);
        Ok(())
    }

    fn release(
        &mut self,
        engine: &mut Engine<'_>,
        looking: &Session,
        before: &Census,
    ) -> Result<Census, Failure> {
        let row = engine.phase("release", "releasing", Ask::new(Verb::RELEASE))?;
        let after = Census::take(&looking.machine, &engine.root, true);
        let mib = |census: &Census| census.allocated as f64 / MIB;
        let (was, is, states) = (mib(before), mib(&after), after.states_text());
        let text = format!(
            "{} files in {:.2} s; disk use fell from {was:.1} to {is:.1} MiB; {states}",
            row.files, row.seconds,
        );
        step(engine.output, "release", &text);
        self.result["before"] = before.json();
        self.result["released"] = after.json();
        self.rows.push(row);
        Ok(after)
    }

    fn range(
        &mut self,
        engine: &mut Engine<'_>,
        looking: &Session,
        sample: &Sample,
        released: &Census,
    ) -> Result<(), Failure> {
        engine.conditions.set()?;
        let path = sample.path.clone();
        let ask = Ask { range: Some(sample.range), ..Ask::new(Verb::RESTORE) };
        let row = engine.run("range", "restoring", path, ask)?;
        let mut checked = sample.check(looking.files())?;
        let now = Census::take(&looking.machine, &engine.root, true);
        if now.state("released") + sample.links < released.state("released") {
            checked.wrong.get_or_insert_with(|| "other files came back with it".to_owned());
        }
        let text = sample.text(&checked, row.seconds);
        step(engine.output, "range", &format!("{text}; {}", now.states_text()));
        if checked.wrong.is_some() {
            engine.output.warn(&text);
            engine.note(Code::Failed);
        }
        self.result["range"] = sample.json(&checked, row.seconds);
        Ok(())
    }

    fn restore(&mut self, engine: &mut Engine<'_>, looking: &Session) -> Result<(), Failure> {
        let row = engine.phase("restore", "restoring", Ask::new(Verb::RESTORE))?;
        let after = Census::take(&looking.machine, &engine.root, true);
        let (mib, states) = (after.allocated as f64 / MIB, after.states_text());
        let (files, seconds) = (row.files, row.seconds);
        let text = format!("{files} files in {seconds:.2} s; disk use {mib:.1} MiB; {states}");
        step(engine.output, "restore", &text);
        self.result["restored"] = after.json();
        self.rows.push(row);
        Ok(())
    }

    fn compare(
        &mut self,
        engine: &mut Engine<'_>,
        looking: &Session,
        baseline: &Baseline,
    ) -> Result<(), Failure> {
        let differences = baseline.compare(&looking.machine, &engine.root);
        uninterrupted()?;
        for difference in differences.iter().take(SHOWN) {
            let path = text_path(&difference.path);
            engine.output.warn(&format!("{path}: {}", difference.what));
        }
        let (names, count) = (baseline.known.len(), differences.len());
        let text = if count == 0 {
            format!("contents and attributes of {names} names: all as before")
        } else {
            engine.output.warn(&format!("{count} of {names} names are not as before"));
            engine.note(Code::Failed);
            format!("{count} of {names} names DIFFER")
        };
        step(engine.output, "compare", &text);
        let listed = differences.iter().take(SHOWN).map(
            |difference| json!({ "path": json_path(&difference.path), "what": difference.what }),
        );
        let listed: Vec<Value> = listed.collect();
        self.result["compare"] = json!({ "names": names, "different": count, "listed": listed });
        Ok(())
    }

    fn verify(&mut self, engine: &mut Engine<'_>, looking: &Session) -> Result<(), Failure> {
        let archive = looking.open_archive(&engine.config.archive[0])?;
        let volumes = archive.volumes();
        let paths: Vec<&Path> = volumes.iter().map(|volume| volume.path.as_path()).collect();
        let tell = &mut |damage: &_| engine.output.warn(&volume::damage_line(damage));
        let report = dray_archive::verify_volumes(looking.files(), &paths, tell)?;
        let (segments, bytes, damages) = (report.segments, report.data_bytes, report.damages);
        if damages > 0 {
            engine.note(Code::Damage);
        }
        let mib = bytes as f64 / MIB;
        let text = format!("{segments} segments, {mib:.1} MiB of data: {damages} damaged places");
        step(engine.output, "verify", &text);
        self.result["verify"] =
            json!({ "segments": segments, "data_bytes": bytes, "damages": damages });
        Ok(())
    }

    pub(super) fn json(&self, machine: &Machine, engine: &Engine<'_>) -> Value {
        let mut result = self.result.clone();
        let phases = self.rows.iter().map(|row| (row.name.to_owned(), row.json()));
        result["phases"] = Value::Object(phases.collect());
        result["caches"] = if engine.conditions.cold { "cold" } else { "warm" }.into();
        result["machine"] = serde_json::to_value(machine).unwrap_or_default();
        result["ok"] = (engine.code == Code::Done).into();
        result
    }
}
