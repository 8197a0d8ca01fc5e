//! Adds to the corpus what reaches code that nothing in it reaches.

use std::fs;

use anyhow::Result;

use super::decoder::Decoder;
use super::{Places, fresh};
use crate::run;

/// Longer inputs are not worth their place in git.
const BYTES_MAX: usize = 1024;

pub(super) fn keep(places: &Places, decoders: &[Decoder]) -> Result<()> {
    for target in ["frame", "body"] {
        let found = fresh(places.out.join("keep").join(target))?;
        for (number, decoder) in decoders.iter().filter(|it| it.target == target).enumerate() {
            for entry in fs::read_dir(decoder.inputs(places))? {
                let entry = entry?;
                let prefix = decoder.kind.map(u16::to_le_bytes);
                let mut bytes = prefix.map_or(Vec::new(), |kind| kind.to_vec());
                bytes.extend(fs::read(entry.path())?);
                let name = format!("{number}-{}", entry.file_name().display());
                fs::write(found.join(name), bytes)?;
            }
        }
        let mut command = run::program(places.programs.join(target));
        // A small set that reaches all code, however often: else there would be thousands.
        command.args(["-set_cover_merge=1", "-use_counters=0", "-verbosity=0"]);
        command.arg(format!("-max_len={BYTES_MAX}"));
        command.arg(places.home.join("corpus").join(target)).arg(found);
        run::step(&mut command)?;
    }
    Ok(())
}
