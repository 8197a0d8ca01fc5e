//! The corpus of the fuzzer: begins with the recorded frames, and is replayed here, so that what
//! was found once is found without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use dray_wire::{HEADER_BYTES, Header, Message};

use crate::{dashed, hex, invalid, read};

#[path = "../../../../tests/fuzz/src/checks.rs"]
mod checks;

/// All files together.
const BYTES_MAX: usize = 1 << 20;

fn folder() -> PathBuf {
    hex::folder().join("../../fuzz/corpus")
}

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder().join(target)).expect("the corpus is there");
    let paths = entries.map(|entry| entry.expect("the corpus can be read").path());
    paths.map(|path| fs::read(path).expect("the corpus can be read")).collect()
}

/// Compares, or writes if told to.
fn seed(path: &Path, bytes: &[u8]) {
    if hex::bless() {
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("the folder is made");
        fs::write(path, bytes).expect("the seed is written");
    }
    let kept = fs::read(path).unwrap_or_default();
    assert!(kept == bytes, "{}: not as the vector is; DRAY_BLESS=1 writes it", path.display());
}

#[test]
fn the_corpus_has_every_vector() {
    let valid = Message::KINDS.iter().map(|(_, name)| dashed(name));
    let broken = invalid::all().into_iter().map(|(name, ..)| format!("invalid/{name}"));
    for name in valid.chain(broken) {
        let bytes = read(&hex::folder().join(&name).with_extension("hex")).bytes;
        let file = format!("{}.bin", name.replace('/', "-"));
        seed(&folder().join("frame").join(&file), &bytes);
        // What is wrong with a header is not of a body.
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().expect("a whole frame");
        if Header::decode(header).is_ok_and(|header| header.check(body).is_ok()) {
            let input = [&header[6..8], body].concat();
            seed(&folder().join("body").join(&file), &input);
        }
    }
}

#[test]
fn the_corpus_holds() {
    inputs("frame").iter().for_each(|input| checks::frames(input));
    inputs("body").iter().for_each(|input| checks::chosen(input));
}

#[test]
fn the_corpus_is_small() {
    let all = [inputs("frame"), inputs("body")].concat();
    assert!(all.len() > 2 * Message::KINDS.len());
    assert!(all.iter().map(Vec::len).sum::<usize>() <= BYTES_MAX);
}
