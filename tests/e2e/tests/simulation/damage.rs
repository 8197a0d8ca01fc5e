//! Bytes that changed on the medium: verify finds each and says where it is, everything else
//! restores, and what is damaged gives an error or the right bytes, never others.

use std::path::{Path, PathBuf};

use dray_archive::{
    Archive, Damage, FIRST_SEGMENT, Finding, IndexItem, Scan, items, verify_volumes,
};
use dray_io::{Access, Files};
use dray_sim::Sim;

use crate::checker::difference;
use crate::mover::{Act, act};
use crate::world::{Scene, path, rounds};

const VOLUME: &str = "/archive/volume-00000001.dray";

/// A structure of a volume, and what verify must say of a byte in it.
#[derive(Debug, Clone)]
struct Part {
    what: &'static str,
    start: u64,
    end: u64,
    segment: Option<u64>,
    /// The file whose data it is, and the file offset of its first byte.
    data: Option<(PathBuf, u64)>,
}

/// Everything that a volume is made of, in order, with nothing left out.
fn anatomy(sim: &Sim) -> Vec<Part> {
    let whole = |what, start, end, segment| Part { what, start, end, segment, data: None };
    let mut parts = vec![
        whole("superblock A", 0, 4096, None),
        whole("superblock B", 4096, 8192, None),
        whole("reserved", 8192, FIRST_SEGMENT, None),
    ];
    let tier = Archive::open(sim, &scene_place()).unwrap();
    let volume = &tier.volumes()[0];
    let superblock = &volume.superblock;
    let mut scan = Scan::begin(sim, &volume.file, &volume.path, superblock, FIRST_SEGMENT);
    while let Some(finding) = scan.next(sim).unwrap() {
        let Finding::Segment(found) = finding else { panic!("a whole volume has no gaps") };
        let mark = &found.segment.mark;
        let index = scan.index(sim, &found.segment).unwrap().to_vec();
        let at = Some(mark.at);
        parts.push(whole("header", mark.at, mark.payload_at(), at));
        for item in items(&index[..mark.index as usize]) {
            let IndexItem::Record { record, .. } = item else { panic!("a whole record") };
            for extent in record.extents() {
                let start = mark.at + extent.payload;
                let end = start + extent.range.len();
                let name = record.path().map_or_else(|| path("large"), Path::to_path_buf);
                let data = Some((name, extent.range.start));
                parts.push(Part { what: "data", start, end, segment: at, data });
                let padded = end.next_multiple_of(4096);
                parts.push(whole("padding", end, padded, at));
            }
        }
        let records = mark.index_at() + mark.index;
        parts.push(whole("index", mark.index_at(), records, at));
        parts.push(whole("padding of the index", records, mark.trailer_at(), at));
        parts.push(whole("trailer", mark.trailer_at(), mark.end(), at));
    }
    parts.retain(|part| part.start < part.end);
    parts.sort_by_key(|part| part.start);
    let apart = parts.windows(2).all(|pair| pair[0].end == pair[1].start);
    assert!(apart, "the anatomy leaves nothing out: {parts:?}");
    assert_eq!(parts.last().unwrap().end, sim.tree().stat(VOLUME).size);
    parts
}

fn scene_place() -> dray_archive::VolumePlace {
    dray_archive::VolumePlace::Directory { path: "/archive".into(), volume_bytes: 4 << 20 }
}

fn damages(sim: &Sim) -> Vec<Damage> {
    let mut found = Vec::new();
    verify_volumes(sim, &[VOLUME], &mut |damage| found.push(damage.clone())).unwrap();
    found
}

/// Verify names the damage at `at` in `part`.
fn is_named(part: &Part, at: u64, found: &[Damage]) -> bool {
    let offset = part.data.as_ref().map(|(_, start)| start + (at - part.start) / 65536 * 65536);
    found.iter().any(|damage| {
        let near = damage.at <= at && at < damage.at.max(part.start) + (64 << 10);
        let file = match &part.data {
            Some((file, _)) => damage.file.as_ref() == Some(file),
            None => true,
        };
        damage.volume == Path::new(VOLUME)
            && damage.segment == part.segment
            && damage.file_offset == offset
            && near
            && file
    })
}

/// Restores with the damage in place: right bytes, or an error for the file that is hit.
fn restores_around(scene: &Scene, sim: &Sim, part: &Part) -> Result<(), String> {
    let outcome = act(sim, &scene.place, Act::Restore);
    if let Some(error) = outcome.ended {
        return Err(format!("the run ended: {error}"));
    }
    if outcome.failed.len() > 1 {
        return Err(format!("one damage, several files: {:?}", outcome.failed));
    }
    let inode = |path: &Path| sim.tree().stat(path).handle;
    for file in &scene.files {
        let found = sim.tree().read_file(&file.path);
        let Some(what) = difference(&found, &file.content) else { continue };
        // Under whichever of its names it was told of.
        let of_this = |path: &Path| inode(path) == inode(&file.path);
        let told = outcome.failed.iter().any(|(path, _)| of_this(path));
        let own = part.data.as_ref().is_none_or(|(path, _)| of_this(path));
        let wrong = found.iter().zip(&*file.content).any(|(a, b)| a != b && *a != 0);
        if !told || !own || wrong {
            let name = file.path.display();
            return Err(format!("{name} {what}: told {told}, own {own}, wrong bytes {wrong}"));
        }
    }
    Ok(())
}

/// Flips bytes all over the volume; how many.
fn flip_all(scene: &Scene, per_part: u64) {
    let sim = scene.start(0);
    assert!(damages(&sim).is_empty());
    let parts = anatomy(&sim);
    let per_part = per_part * rounds();
    for part in &parts {
        let length = part.end - part.start;
        let step = (length / per_part).max(1);
        let inner = (part.start..part.end).step_by(step as usize);
        for at in inner.chain([part.start + length / 2, part.end - 1]) {
            let sim = scene.start(at);
            if sim
                .tree()
                .data_ranges(VOLUME)
                .iter()
                .all(|range| at < range.start || range.end <= at)
            {
                continue;
            }
            sim.tree().flip_byte(VOLUME, at);
            let found = damages(&sim);
            assert!(is_named(part, at, &found), "byte {at}, {}: {part:?}: {found:?}", part.what);
            if let Err(problem) = restores_around(scene, &sim, part) {
                panic!("byte {at}, {}: {problem}", part.what);
            }
        }
    }
}

#[test]
fn a_flipped_byte_among_small_files_is_found_and_named() {
    let scene = Scene::shapes(1, 4 << 20).after(&[Act::Archive, Act::Release]);
    flip_all(&scene, 8);
}

#[test]
fn a_flipped_byte_in_a_large_file_is_found_and_named() {
    let scene =
        Scene::pair_named(2, "large", (1 << 20) + 5001).after(&[Act::Archive, Act::Release]);
    flip_all(&scene, 12);
}

#[test]
fn a_volume_with_neither_superblock_is_refused() {
    let scene = Scene::shapes(3, 4 << 20).after(&[Act::Archive, Act::Release]);
    let sim = scene.start(3);
    sim.tree().flip_byte(VOLUME, 100);
    sim.tree().flip_byte(VOLUME, 4196);
    let file = sim.open(Path::new(VOLUME), Access::ReadDirect).unwrap();
    drop(file);
    assert!(verify_volumes(&sim, &[VOLUME], &mut |_| {}).is_err());
    assert!(act(&sim, &scene.place, Act::Restore).ended.is_some());
}
