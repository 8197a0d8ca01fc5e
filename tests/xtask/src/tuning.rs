//! `cargo xtask tuning`: what a profile is worth, and what a machine that is set up badly costs.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::args::Args;
use crate::place::Place;
use crate::{host, run, test};

const LARGE_FILES: u64 = 3;
const SMALL_FILES: u64 = 4000;
const SMALL_BYTES: usize = 24 * 1024;
/// For drayd to open its socket.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(mut args: Args) -> Result<()> {
    let dir: Option<PathBuf> = args.value("--dir")?;
    let rounds: usize = args.value("--rounds")?.unwrap_or(5);
    let mib: u64 = args.value("--mib")?.unwrap_or(1024);
    let out: Option<PathBuf> = args.value("--out")?;
    args.done()?;
    let product = match std::env::var_os("DRAY_BIN") {
        Some(product) => product.into(),
        None => test::build_product()?,
    };
    let dir = dir.unwrap_or_else(std::env::temp_dir);
    let place = Place(dir.join(format!("dray-tuning-{}", std::process::id())));
    fs::create_dir_all(&place.0).with_context(|| place.0.display().to_string())?;

    let trial = Trial { product, place: place.0.clone() };
    let profile = trial.probe()?;
    trial.make_files(mib)?;
    let daemons = trial.daemons(rounds)?;
    let faults = trial.faults(rounds)?;
    let result = json!({
        "machine": host::describe(&dir),
        "rounds": rounds,
        "profile": profile,
        "drayd": daemons,
        "faults": faults,
    });
    println!("{result:#}");
    if let Some(out) = out {
        let out = run::top().join(out);
        fs::write(&out, serde_json::to_string_pretty(&result)? + "\n")
            .with_context(|| out.display().to_string())?;
    }
    Ok(())
}

struct Trial {
    product: PathBuf,
    place: PathBuf,
}

/// The daemon, ended with its value.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut kill = run::program("kill");
        let _ = kill.arg("-TERM").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Trial {
    fn at(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// What a command of dray's reports.
    fn dray(&self, words: &[&str], path: &Path) -> Result<Value> {
        let mut command = run::program(&self.product);
        command.arg("--json").args(words).arg(path);
        let text = run::output(&mut command).with_context(|| run::text(&command))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn probe(&self) -> Result<Value> {
        let out = self.at("profile.toml");
        let out = out.to_str().context("a directory with a plain name")?;
        let report = self.dray(&["tune", "probe", "--out", out], &self.place)?;
        println!("{:#}", report["profile"]["engine"]);
        Ok(report["profile"].clone())
    }

    fn make_files(&self, mib: u64) -> Result<()> {
        let mut state = 1_u64;
        let mut block = vec![0_u8; 1 << 20];
        for byte in &mut block {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        let (large, small) = (self.at("large"), self.at("small"));
        fs::create_dir(&large)?;
        for number in 0..LARGE_FILES {
            let file = File::create(large.join(number.to_string()))?;
            for at in 0..mib {
                block[..8].copy_from_slice(&(number << 32 | at).to_le_bytes());
                file.write_all_at(&block, at << 20)?;
            }
            file.sync_all()?;
        }
        for number in 0..SMALL_FILES {
            let folder = small.join((number / 100).to_string());
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(number.to_string()), &block[..SMALL_BYTES])?;
        }
        run::step(&mut run::program("sync"))
    }

    /// drayd as usual and with the profile, in turn: seconds of each movement.
    fn daemons(&self, rounds: usize) -> Result<Value> {
        let kinds = ["usual", "profile"];
        let mut seconds: Map<String, Value> = Map::new();
        for round in 0..rounds {
            for at in 0..kinds.len() {
                let kind = kinds[(round + at) % kinds.len()];
                for (name, took) in self.with_daemon(kind)? {
                    println!("round {round}, {kind}: {name} {took:.2} s");
                    let list = seconds.entry(name).or_insert_with(|| json!({}));
                    let list = list.as_object_mut().expect("made above");
                    let list = list.entry(kind).or_insert_with(|| json!([]));
                    list.as_array_mut().expect("made above").push(json!(took));
                }
            }
        }
        for (name, of) in &mut seconds {
            let ratio = ratio(&of["usual"], &of["profile"]);
            println!("{name}: the usual takes {ratio:.2} times as long as with the profile");
            of["usual_to_profile"] = json!(ratio);
        }
        Ok(seconds.into())
    }

    fn with_daemon(&self, kind: &str) -> Result<Vec<(String, f64)>> {
        let (archive, config) = (self.at("archive"), self.at("dray.toml"));
        fs::create_dir(&archive)?;
        let (socket, store) = (self.at("socket"), self.at("store"));
        let tuning = if kind == "profile" { "[tuning]\nprofile = \"profile.toml\"\n" } else { "" };
        let text = format!(
            "[cluster]\nmode = \"standalone\"\n[node]\nsocket = {socket:?}\n[store]\n\
             kind = \"embedded\"\ndirectory = {store:?}\n{tuning}[[archive]]\nname = \"a\"\n\
             directory = {archive:?}\n[[fs]]\npath = {:?}\narchive = \"a\"\n",
            self.place
        );
        let mut init = run::program(&self.product);
        init.arg("--config").arg(self.at("init.toml")).arg("init").arg("--fs");
        init.arg(self.at("large")).arg("--archive").arg(&archive).stdout(Stdio::null());
        run::step(&mut init)?;
        fs::remove_file(self.at("init.toml"))?;
        fs::write(&config, text)?;
        let mut daemon = Command::new(self.product.with_file_name("drayd"));
        daemon.arg("--config").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Daemon(daemon.spawn().context("drayd cannot be run")?);
        let until = Instant::now() + PATIENCE;
        while !socket.exists() {
            if Instant::now() > until {
                bail!("drayd opens no socket");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut took = Vec::new();
        for tree in ["large", "small"] {
            for step in ["archive", "release", "restore", "remove"] {
                let began = Instant::now();
                let words = ["--config", config.to_str().context("a plain name")?, step];
                self.dray(&words, &self.at(tree))?;
                if step == "archive" || step == "restore" {
                    took.push((format!("{step} {tree}"), began.elapsed().as_secs_f64()));
                }
            }
        }
        drop(daemon);
        fs::remove_dir_all(&archive)?;
        fs::remove_dir_all(&store)?;
        Ok(took)
    }

    /// A copy as usual and with one fault each, in turn: seconds, and of a processor.
    fn faults(&self, rounds: usize) -> Result<Value> {
        let script = run::top().join("tests/e2e/tests/tuning/afflict.py");
        let kinds = ["none", "memlock", "pages", "rings"];
        let mut all: Map<String, Value> = Map::new();
        for round in 0..rounds {
            for at in 0..kinds.len() {
                let kind = kinds[(round + at) % kinds.len()];
                let mut command = run::program("python3");
                command.arg("-B").arg(&script).args((kind != "none").then_some(kind)).arg("--");
                command.arg(&self.product).args(["--json", "copy"]).arg(self.at("large/0"));
                command.arg(self.at("copy"));
                let text = run::output(&mut command).with_context(|| run::text(&command))?;
                let report: Value = serde_json::from_str(&text)?;
                let detail = if report["detail"].is_object() { &report["detail"] } else { &report };
                for name in ["seconds", "cpu_seconds"] {
                    let value = detail[name].as_f64().or_else(|| report[name].as_f64());
                    let value = value.with_context(|| format!("no {name} in {report}"))?;
                    let list = all.entry(kind).or_insert_with(|| json!({}));
                    let list = list.as_object_mut().expect("made above");
                    let list = list.entry(name).or_insert_with(|| json!([]));
                    list.as_array_mut().expect("made above").push(json!(value));
                }
                fs::remove_file(self.at("copy"))?;
            }
        }
        let usual = all["none"].clone();
        for (kind, of) in &mut all {
            for name in ["seconds", "cpu_seconds"] {
                let ratio = ratio(&of[name], &usual[name]);
                println!("{kind}: {name} {ratio:.2} times those without a fault");
                of[format!("{name}_to_none")] = json!(ratio);
            }
        }
        Ok(all.into())
    }
}

/// The median of the ratios within each round.
fn ratio(of: &Value, to: &Value) -> f64 {
    let list = |value: &Value| -> Vec<f64> {
        value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let mut ratios: Vec<f64> = list(of).iter().zip(list(to)).map(|(of, to)| of / to).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}
