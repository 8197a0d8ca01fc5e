//! One run of libFuzzer.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::{Places, fresh};
use crate::run;

/// Every decoder is reached by short inputs, and long ones are slow.
const INPUT_MAX: usize = 16 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoder {
    pub(crate) name: String,
    pub(crate) target: &'static str,
    /// Of the only message, for `body`.
    pub(crate) kind: Option<u16>,
}

/// What the command line asks for: all, a target, or a message.
pub(super) fn choose(target: Option<&str>, kind: Option<&str>) -> Result<Vec<Decoder>> {
    let whole = |target: &'static str| Decoder { name: target.into(), target, kind: None };
    match (target, kind) {
        (None, None) => {
            let mut all = vec![whole("frame"), whole("body")];
            all.extend(messages()?);
            Ok(all)
        }
        (Some("frame"), None) => Ok(vec![whole("frame")]),
        (Some("body"), None) => Ok(vec![whole("body")]),
        (None | Some("body"), Some(kind)) => {
            let digits =
                kind.strip_prefix("0x").with_context(|| format!("{kind}: write 0x0401"))?;
            let kind = u16::from_str_radix(digits, 16)?;
            let known = messages()?.into_iter().find(|it| it.kind == Some(kind));
            Ok(vec![known.with_context(|| format!("no message is {kind:#06x}"))?])
        }
        (Some("frame"), Some(_)) => bail!("--kind is of the target body"),
        (Some(other), _) => bail!("no target {other}: frame or body"),
    }
}

/// The messages as the recorded frames have them, so that this tool builds when the product does
/// not.
fn messages() -> Result<Vec<Decoder>> {
    let folder = run::top().join("tests/vectors/wire");
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).context("tests/vectors/wire")? {
        let path = entry?.path();
        let Some(name) =
            path.file_stem().filter(|_| path.extension().is_some_and(|it| it == "hex"))
        else {
            continue;
        };
        let kind = kind_of(&fs::read_to_string(&path)?);
        let kind = Some(kind.with_context(|| format!("{} has no header", path.display()))?);
        all.push(Decoder { name: name.to_string_lossy().into_owned(), target: "body", kind });
    }
    all.sort_by_key(|decoder| decoder.kind);
    Ok(all)
}

/// Bytes 6 and 7 of a frame in hex digits.
fn kind_of(text: &str) -> Option<u16> {
    let header = text.lines().find(|line| !line.starts_with('#'))?;
    let kind = u16::from_str_radix(header.get(12..16)?, 16).ok()?;
    Some(kind.swap_bytes())
}

impl Decoder {
    /// Where its inputs are from run to run.
    pub(super) fn inputs(&self, places: &Places) -> PathBuf {
        places.out.join("inputs").join(&self.name)
    }

    pub(super) fn run(&self, places: &Places, seconds: u64) -> Result<Report> {
        let inputs = self.inputs(places);
        fs::create_dir_all(&inputs)?;
        let seeds = self.seeds(places)?;
        let (findings, logs) = (places.out.join("findings"), places.out.join("logs"));
        fs::create_dir_all(&findings)?;
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{}.log", self.name));

        let mut command = run::program(places.programs.join(self.target));
        command.args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=1024"]);
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={INPUT_MAX}"));
        command.arg(format!("-artifact_prefix={}/{}-", findings.display(), self.name));
        command.arg(&inputs).arg(&seeds);
        if let Some(kind) = self.kind {
            command.env("DRAY_FUZZ_KIND", format!("{kind:#06x}"));
        }
        let file = fs::File::create(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let status = command.status().with_context(|| run::text(&command))?;
        // What panics says may be any bytes.
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok(Report { found: !status.success(), ..Report::read(&text) })
    }

    /// The corpus, and for a message its part of that of `body`.
    fn seeds(&self, places: &Places) -> Result<PathBuf> {
        let corpus = places.home.join("corpus").join(self.target);
        let Some(kind) = self.kind else { return Ok(corpus) };
        let seeds = fresh(places.out.join("seeds").join(&self.name))?;
        for entry in fs::read_dir(corpus)? {
            let entry = entry?;
            let bytes = fs::read(entry.path())?;
            if let Some(body) = bytes.strip_prefix(&kind.to_le_bytes()[..]) {
                fs::write(seeds.join(entry.file_name()), body)?;
            }
        }
        Ok(seeds)
    }
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) found: bool,
    executions: u64,
    /// Of code that were gone along.
    edges: u64,
    /// In the end, with those that there were before.
    inputs: u64,
}

impl Report {
    /// Out of what libFuzzer prints.
    fn read(log: &str) -> Self {
        let last = |mark: &str| {
            let (_, after) = log.rsplit_once(mark)?;
            let digits: String =
                after.trim_start().chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        Self {
            found: false,
            executions: last("stat::number_of_executed_units:").unwrap_or(0),
            edges: last(" cov:").unwrap_or(0),
            inputs: last(" corp:").unwrap_or(0),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14} {:>8} {:>8}", self.executions, self.edges, self.inputs)?;
        if self.found { f.write_str("  FOUND") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, choose, kind_of};

    #[test]
    fn a_log_is_read() {
        let log = "#2\tINITED cov: 20 ft: 20 corp: 1/1b exec/s: 0\n\
            #70\tDONE   cov: 46 ft: 46 corp: 5/134b lim: 4096\n\
            stat::number_of_executed_units: 7091793\n";
        let expected = Report { found: false, executions: 7_091_793, edges: 46, inputs: 5 };
        assert_eq!(Report::read(log), expected);
        assert_eq!(expected.to_string(), "       7091793       46        5");
    }

    #[test]
    fn decoders_are_chosen() {
        let all = choose(None, None).unwrap();
        assert!(all.len() > 40);
        assert_eq!(choose(Some("frame"), None).unwrap(), all[..1]);
        let submit = choose(Some("body"), Some("0x0401")).unwrap();
        assert_eq!((submit.len(), submit[0].name.as_str()), (1, "submit"));
        assert!(choose(Some("frame"), Some("0x0401")).is_err());
        assert!(choose(None, Some("0x7777")).is_err());
        assert!(choose(Some("heads"), None).is_err());
    }

    #[test]
    fn a_kind_is_read_from_its_frame() {
        assert_eq!(kind_of("# a comment\n44524159010001040000\n"), Some(0x0401));
        assert_eq!(kind_of("# nothing\n"), None);
    }
}
