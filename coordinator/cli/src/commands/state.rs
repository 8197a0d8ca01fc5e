//! `dray state`.

use std::io::Write;
use std::path::PathBuf;

use dray_fs::LinuxFiles;
use dray_io::{Access, Context, Files, Kind, Operation};
use dray_mover::{Entry, Standing, Walk, standing};
use serde_json::{Value, json};

use crate::exit::{Code, Failure};
use crate::output::{Output, json_path, text_path};
use crate::session::resolve;

/// Prints the state of each file; in JSON one object per line, since trees can be large.
pub(crate) fn run(paths: &[PathBuf], output: &Output) -> Result<Code, Failure> {
    let files = LinuxFiles::new();
    let roots = paths.iter().map(|path| resolve(path)).collect::<Result<Vec<_>, _>>()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut code = Code::Done;
    for found in Walk::new(&files, roots, Vec::new()) {
        let line = found.map_err(Failure::from).and_then(|entry| line(&files, &entry, output));
        match line {
            Ok(None) => {}
            Ok(Some(line)) => {
                // A reader that has seen enough (`| head`) is no error.
                if writeln!(out, "{line}").is_err() {
                    return Ok(Code::Failed);
                }
            }
            Err(failure) => {
                output.warn(&format!("{:#}", failure.error));
                code = Code::Failed;
            }
        }
    }
    Ok(if out.flush().is_err() { Code::Failed } else { code })
}

fn line(files: &LinuxFiles, entry: &Entry, output: &Output) -> Result<Option<String>, Failure> {
    let path = entry.path.as_path();
    if entry.kind != Kind::File {
        return Ok(None);
    }
    let file = files.open(path, Access::Look).during(Operation::Open, path)?;
    let (stat, standing) = standing(files, &file, path)?;
    if output.json {
        return Ok(Some(describe(path, &stat, &standing).to_string()));
    }
    let (word, size, allocated) = (standing.word(), stat.size, stat.allocated);
    Ok(Some(format!("{word:<9} {size:>14} {allocated:>14}  {}", text_path(path))))
}

fn describe(path: &std::path::Path, stat: &dray_io::Stat, standing: &Standing) -> Value {
    let attribute = standing.attribute();
    let certain = match standing {
        Standing::Archived { certain, .. } => Some(*certain),
        _ => None,
    };
    json!({
        "path": json_path(path),
        "state": standing.word(),
        "size": stat.size,
        "allocated": stat.allocated,
        "certain": certain,
        "moving": attribute.map(|attribute| attribute.moving),
        "volume": attribute.map(|attribute| attribute.manifest.volume),
        "manifest": attribute.map(|attribute| attribute.manifest.at),
        "present": attribute.map(|attribute| {
            let ranges = attribute.present.as_slice();
            ranges.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>()
        }),
    })
}
