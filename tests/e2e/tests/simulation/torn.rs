//! Bad bytes in a volume with large files and a torn segment: each structure has its marks
//! checked, and damage to a piece names the file that it belongs to.

use std::path::{Path, PathBuf};

use dray_archive::{Damage, Finding, IndexItem, Mark, Record, Scan, SegmentKind, Superblock};
use dray_archive::{items, verify_volumes};
use dray_io::limits::SUM_BLOCK;
use dray_io::{Access, Files, Kind};
use dray_sim::{Failure, Faults, Sim};

use crate::checker::at_rest;
use crate::mover::{Act, act};
use crate::world::{Scene, rounds};

const VOLUME: &str = "/archive/volume-00000001.dray";

#[derive(Debug, Clone)]
struct Target {
    at: u64,
    segment: u64,
    /// The file, and where the sum begins in it.
    data: Option<(PathBuf, u64)>,
    /// Restoring needs it.
    needed: bool,
}

fn marks(sim: &Sim) -> Vec<Mark> {
    let file = sim.open(VOLUME.as_ref(), Access::ReadDirect).unwrap();
    let superblock = Superblock::newest(&sim.tree().read_file(VOLUME)[..8192]).unwrap();
    let mut scan = Scan::begin(sim, &file, VOLUME.as_ref(), &superblock, 0);
    let mut found = Vec::new();
    while let Some(finding) = scan.next(sim).unwrap() {
        let Finding::Segment(segment) = finding else { panic!("a gap: {finding:?}") };
        found.push(segment.segment.mark);
    }
    found
}

fn targets(sim: &Sim) -> Vec<Target> {
    let bytes = sim.tree().read_file(VOLUME);
    let mut all = Vec::new();
    for mark in marks(sim) {
        let segment = mark.at;
        let other = |at, needed| Target { at, segment, data: None, needed };
        for at in [0, 8, 16, 41, 89, 124, 4095] {
            all.extend([other(mark.at + at, false), other(mark.trailer_at() + at, false)]);
        }
        if mark.kind == SegmentKind::SKIP {
            continue;
        }
        let end = mark.index_at() + mark.index;
        let stride = (37 / rounds()).max(1) as usize;
        all.extend((mark.index_at()..end).step_by(stride).map(|at| other(at, true)));
        all.extend((end..mark.trailer_at()).step_by(1999).map(|at| other(at, false)));
        for item in items(&bytes[mark.index_at() as usize..end as usize]) {
            let IndexItem::Record { record, .. } = item else { panic!("a sound index") };
            data(sim, segment, &record, &mut all);
        }
    }
    all
}

/// The first and last bytes of each extent, some within, and the padding behind it.
fn data(sim: &Sim, segment: u64, record: &Record, all: &mut Vec<Target>) {
    let name = match record {
        Record::Part(part) => name_of(sim, part.handle.inode),
        other => other.path().map(Path::to_owned).unwrap_or_default(),
    };
    for extent in record.extents() {
        let (from, length) = (segment + extent.payload, extent.range.len());
        for offset in (0..length).step_by(50_021).chain([length - 1]) {
            let sum = extent.range.start + offset / SUM_BLOCK * SUM_BLOCK;
            let data = Some((name.clone(), sum));
            all.push(Target { at: from + offset, segment, data, needed: true });
        }
        for offset in (length..length.next_multiple_of(4096)).step_by(1999) {
            all.push(Target { at: from + offset, segment, data: None, needed: false });
        }
    }
}

fn name_of(sim: &Sim, inode: u64) -> PathBuf {
    let tree = sim.tree();
    let is_it = |path: &PathBuf| {
        let stat = tree.stat(path);
        stat.kind == Kind::File && stat.handle.inode == inode
    };
    tree.paths().into_iter().find(is_it).expect("the file is there")
}

/// Those of the archive: a manifest may be in another than the data.
fn volumes(sim: &Sim) -> Vec<PathBuf> {
    let is_volume = |path: &PathBuf| path.extension().is_some_and(|it| it == "dray");
    sim.tree().paths().into_iter().filter(is_volume).collect()
}

fn damages(sim: &Sim) -> Vec<Damage> {
    let mut found = Vec::new();
    verify_volumes(sim, &volumes(sim), &mut |damage| found.push(damage.clone())).unwrap();
    found
}

fn is_named(target: &Target, found: &[Damage]) -> bool {
    found.iter().any(|damage| {
        let data = damage.file.clone().zip(damage.file_offset);
        damage.volume == Path::new(VOLUME)
            && damage.segment == Some(target.segment)
            && (target.data.is_none() || data == target.data)
    })
}

/// Only the file hit may fail, and only if what was hit is needed.
fn restores(scene: &Scene, sim: &Sim, target: &Target) -> Result<(), String> {
    let outcome = act(sim, &scene.place, Act::Restore);
    at_rest(scene, sim)?;
    let failed: Vec<&PathBuf> = outcome.failed.iter().map(|(path, _)| path).collect();
    let right = match &target.data {
        Some((name, _)) => {
            failed == [name] && outcome.complaints()[0].contains(&name.display().to_string())
        }
        None => failed.len() <= usize::from(target.needed),
    };
    let right = right && outcome.ended.is_none();
    if right { Ok(()) } else { Err(format!("{:?}", outcome.complaints())) }
}

#[test]
fn a_bad_byte_in_a_volume_with_a_torn_segment_is_named_and_hurts_one_file() {
    let scene = Scene::large(3);
    let worlds = (1..200).map(|number| {
        let sim = scene.start(number);
        sim.set_faults(Faults::fail_at(number, Failure::Eio));
        act(&sim, &scene.place, Act::Archive);
        sim.set_faults(Faults::default());
        act(&sim, &scene.place, Act::Archive);
        act(&sim, &scene.place, Act::Release);
        sim
    });
    let is_torn = |sim: &Sim| {
        let torn = marks(sim).iter().any(|mark| mark.kind == SegmentKind::SKIP);
        torn && damages(sim).is_empty()
    };
    let sim = worlds.into_iter().find(is_torn).expect("some fault tears a segment");
    let stride = (5 / rounds()).max(1) as usize;
    for (index, target) in targets(&sim).into_iter().enumerate() {
        let hit = sim.after_crash(index as u64);
        hit.tree().flip_byte(VOLUME, target.at);
        let found = damages(&hit);
        assert!(is_named(&target, &found), "{target:?} is told as {found:?}");
        if index % stride == 0
            && let Err(problem) = restores(&scene, &hit, &target)
        {
            panic!("{target:?}: {problem}");
        }
    }
}
