//! Bytes that flip in a volume are found, named, and never handed out as data.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use dray_e2e::{Output, Place, Rng, Snapshot, content, write_file, write_sparse};
use serde_json::Value;

const BLOCK: u64 = 4096;
const FIRST_SEGMENT: u64 = 65_536;

/// Where a segment has what: `docs/volume.md`.
#[derive(Debug, Clone)]
struct Segment {
    at: u64,
    kind: u16,
    payload: u64,
    index: u64,
}

impl Segment {
    fn index_at(&self) -> u64 {
        self.at + BLOCK + self.payload
    }

    fn trailer_at(&self) -> u64 {
        self.index_at() + self.index.next_multiple_of(BLOCK)
    }
}

struct Bench {
    place: Place,
    volume: PathBuf,
    segments: Vec<Segment>,
    before: Snapshot,
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn segments(volume: &[u8]) -> Vec<Segment> {
    let (mut at, mut found) = (FIRST_SEGMENT, Vec::new());
    while (at as usize) < volume.len() && volume[at as usize..].starts_with(b"DRAYSEG1") {
        let mark = &volume[at as usize..at as usize + BLOCK as usize];
        let kind = u16::from_le_bytes([mark[10], mark[11]]);
        let segment = Segment { at, kind, payload: number(mark, 56), index: number(mark, 64) };
        at = segment.trailer_at() + BLOCK;
        found.push(segment);
    }
    assert_eq!(at as usize, volume.len(), "the segments fill the volume");
    found
}

impl Bench {
    /// Small files in packed segments, two large ones in pieces; archived.
    fn new() -> Self {
        let place = Place::new();
        for index in 0..6 {
            write_file(&place.file(&format!("small-{index}")), index, 3000 + 20_000 * index);
        }
        write_file(&place.file("large"), 7, (2 << 20) + 100);
        write_sparse(&place.file("sparse"), 8, 5 << 20, &[(8192, 70_000), (4 << 20, 5)]);
        let before = Snapshot::take(&place.fs);
        place.all("archive").expect(0);
        let volume = place.volumes().remove(0);
        let segments = segments(&fs::read(&volume).unwrap());
        place.run(["volume", "verify"]).expect(0);
        Self { place, volume, segments, before }
    }

    fn flip(&self, at: u64) {
        let file = fs::File::options().read(true).write(true).open(&self.volume).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
    }

    fn verify(&self) -> Output {
        self.place.run(["volume", "verify"])
    }

    /// Flips a byte; the damage that is reported for it. The byte is put back.
    #[track_caller]
    fn damage(&self, at: u64) -> Value {
        self.flip(at);
        let output = self.verify();
        self.flip(at);
        assert_eq!(output.code, Some(5), "byte {at}: {} {:#?}", output.stderr, self.segments);
        let damages = output.json()["damages"].as_array().unwrap().clone();
        // A structure that is whole to its reader but for one byte is one damage.
        assert!(!damages.is_empty(), "byte {at}");
        let named = |it: &&Value| it["volume"] == self.volume.to_str().unwrap();
        assert!(damages.iter().all(|it| named(&it)), "byte {at}: {damages:?}");
        let near = |it: &Value| {
            let found = it["at"].as_u64().unwrap();
            found <= at && at < found + 65_536
        };
        let found = damages.iter().find(|it| near(it));
        found.unwrap_or_else(|| panic!("byte {at} is not in {damages:?}")).clone()
    }

    /// Volume offset of a byte of the payload, by its content.
    fn find(&self, bytes: &[u8]) -> u64 {
        let volume = fs::read(&self.volume).unwrap();
        let blocks = volume.chunks(BLOCK as usize);
        let at = blocks.enumerate().find(|(_, block)| block.starts_with(bytes));
        at.expect("the content is there").0 as u64 * BLOCK
    }
}

#[test]
fn a_flipped_byte_is_found_in_every_structure() {
    let bench = Bench::new();
    let mut rng = Rng::from_environment("DRAY_DAMAGE_SEED");
    // Superblocks, field by field, and the reserved bytes after them.
    for at in [0, 8, 12, 16, 32, 40, 48, 56, 64, 72, 80, 124, 128, 4095] {
        bench.damage(at);
        bench.damage(at + BLOCK);
    }
    for at in [8192, 40_000, FIRST_SEGMENT - 1] {
        bench.damage(at);
    }
    for segment in &bench.segments {
        let marks = [0, 8, 10, 12, 16, 32, 36, 40, 48, 56, 64, 72, 80, 88, 92, 124, 4095];
        for field in marks {
            let header = bench.damage(segment.at + field);
            assert_eq!(header["segment"], segment.at, "{header}");
            let trailer = bench.damage(segment.trailer_at() + field);
            assert_eq!(trailer["segment"], segment.at, "{trailer}");
        }
        let index = segment.index.next_multiple_of(BLOCK);
        for _ in 0..12 {
            let damage = bench.damage(segment.index_at() + rng.below(index));
            assert_eq!(damage["segment"], segment.at, "{damage}");
        }
        for _ in 0..if segment.payload > 0 { 12 } else { 0 } {
            let damage = bench.damage(segment.at + BLOCK + rng.below(segment.payload));
            assert_eq!(damage["segment"], segment.at, "{damage}");
        }
    }
    bench.verify().expect(0);
}

/// First, last and middle bytes of files: the report names the file and the place in it.
#[test]
fn damaged_data_is_named_by_file_and_offset() {
    let bench = Bench::new();
    for (name, seed, length) in [("small-5", 5, 103_000), ("large", 7, (2 << 20) + 100)] {
        let start = bench.find(&content(seed, length)[..512]);
        for offset in [0, 65_535, 65_536, length / 2, length - 1] {
            let damage = bench.damage(start + offset);
            assert_eq!(damage["file"], bench.place.file(name).to_str().unwrap(), "{damage}");
            assert_eq!(damage["file_offset"], offset / 65_536 * 65_536, "{damage}");
            assert!(damage["segment"].is_u64(), "{damage}");
        }
    }
    // The second island of a sparse file: its offset is that in the file.
    let island = bench.find(&content(8 ^ (4 << 20), 5));
    let damage = bench.damage(island + 2);
    assert_eq!(damage["file"], bench.place.file("sparse").to_str().unwrap(), "{damage}");
    assert_eq!(damage["file_offset"], 4 << 20, "{damage}");
}

/// Only the damaged file fails, it says so, and what does come back of it is right.
#[test]
fn other_files_are_restored_and_the_damaged_one_is_not() {
    let bench = Bench::new();
    let place = &bench.place;
    place.all("release").expect(0);
    for (name, seed, length, offset) in
        [("small-2", 2, 43_000, 30_000), ("large", 7, (2 << 20) + 100, 1_500_000)]
    {
        let (path, right) = (place.file(name), content(seed, length));
        let start = bench.find(&right[..512]);
        bench.flip(start + offset);
        let output = place.all("restore").expect(5);
        let errors = output.json()["errors"].as_array().unwrap().clone();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0]["path"], path.to_str().unwrap());
        let states = place.states();
        for other in states.0.keys().filter(|other| **other != path) {
            assert_eq!(states.word(other), "archived", "{}", other.display());
        }
        assert!(["released", "partial"].contains(&states.word(&path)), "{:?}", states.of(&path));
        never_wrong(&path, &right);
        place.cat(&path).expect(5);
        let to = place.path().join(format!("to-{name}"));
        let words = ["volume", "extract", "--to", to.to_str().unwrap()];
        place.run(words).expect(5);
        assert!(!to.join(path.strip_prefix("/").unwrap()).exists(), "half a file was left");
        // A range beside the damage can be had.
        let range = ["restore", "--range", "0:10", path.to_str().unwrap()];
        if length > 65_536 {
            place.run(range).expect(0);
            assert_eq!(fs::read(&path).unwrap()[..65_536], right[..65_536]);
        }
        bench.flip(start + offset);
        place.all("restore").expect(0);
        bench.before.assert_same(&Snapshot::take(&place.fs));
        place.all("release").expect(0);
    }
}

fn never_wrong(path: &Path, right: &[u8]) {
    let found = fs::read(path).unwrap();
    let mut sectors = found.chunks(512).zip(right.chunks(512));
    assert!(sectors.all(|(a, b)| a == b || a.iter().all(|byte| *byte == 0)), "wrong data");
}

/// Wherever the byte is: what a restore or an extraction says is done is right.
#[test]
fn no_flipped_byte_makes_wrong_data() {
    let bench = Bench::new();
    let place = &bench.place;
    let mut rng = Rng::from_environment("DRAY_DAMAGE_SEED");
    let end = fs::metadata(&bench.volume).unwrap().len();
    let mut places: Vec<u64> = (0..8).map(|_| rng.below(end)).collect();
    for segment in &bench.segments {
        places.extend([segment.at + 40, segment.trailer_at() + 64]);
        places.extend((0..8).map(|_| segment.index_at() + rng.below(segment.index)));
    }
    place.all("release").expect(0);
    for at in places {
        bench.flip(at);
        let output = place.all("restore");
        assert!(matches!(output.code, Some(0 | 1 | 3 | 5)), "byte {at}: {}", output.stderr);
        let states = place.states();
        for (path, state) in &states.0 {
            let meta = &bench.before.0[path.strip_prefix(&place.fs).unwrap()];
            if state.is_on_disk() {
                assert_eq!(Some(dray_e2e::hash_file(path)), meta.hash, "byte {at}: {state:?}");
            }
        }
        bench.flip(at);
        place.all("restore").expect(0);
        bench.before.assert_same(&Snapshot::take(&place.fs));
        place.all("release").expect(0);
    }
}

/// Kinds of segment that the tests above are about.
#[test]
fn the_bench_has_all_kinds_of_segment() {
    let kinds: Vec<u16> = Bench::new().segments.iter().map(|segment| segment.kind).collect();
    for kind in [1, 2, 3] {
        assert!(kinds.contains(&kind), "no segment of kind {kind} in {kinds:?}");
    }
}

#[test]
fn a_volume_cut_short_or_missing_is_named() {
    let bench = Bench::new();
    let place = &bench.place;
    place.all("release").expect(0);
    let whole = fs::read(&bench.volume).unwrap();
    fs::write(&bench.volume, &whole[..whole.len() - 300_000]).unwrap();
    assert_ne!(bench.verify().code, Some(0), "a volume that was cut is not whole");
    fs::remove_file(&bench.volume).unwrap();
    place.all("restore").expect(3);
    place.all("archive").expect(3);
    place.states().all("released");
    fs::write(&bench.volume, &whole).unwrap();
    place.all("restore").expect(0);
    bench.before.assert_same(&Snapshot::take(&place.fs));
}
