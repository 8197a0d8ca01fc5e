//! One file moved by two nodes, part by part.

use dray_archive::PartRef;
use dray_io::limits::PART_UNIT;
use dray_io::{Access, Files, Range};
use dray_mover::{Begun, Entry, Error, Standing, begin_archive};
use dray_sim::{Failure, Faults, Sim};

use crate::checker::{all, at_rest, difference, restorable, standing, tail, volumes_sound};
use crate::mover::{Act, act};
use crate::nodes::{Nodes, entry};
use crate::world::{LONG, Scene, content, path, rounds};

const SIZE: usize = (3 << 20) + 5001;

fn is_whole(scene: &Scene, sim: &Sim, name: &str) {
    let file = scene.expected(name);
    assert_eq!(difference(&sim.tree().read_file(&file.path), &file.content), None, "{name}");
    assert_eq!(sim.tree().stat(&file.path).modified, file.modified, "{name}");
}

fn is_archived(sim: &Sim, name: &str) -> Option<bool> {
    match standing(sim, &path(name)) {
        Standing::Archived { certain, .. } => Some(certain),
        _ => None,
    }
}

/// Archives in parts on a new world, and releases.
fn released(scene: &Scene, seed: u64) -> Sim {
    let sim = scene.start(seed);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    nodes.archive(&entry("subject")).unwrap();
    nodes.end().unwrap();
    sim.advance(LONG);
    let outcome = act(&sim, &scene.place, Act::Release);
    let others = outcome.failed.iter().filter(|(at, _)| *at == path("subject"));
    assert_eq!(others.count(), 0, "{:?}", outcome.complaints());
    sim
}

#[test]
fn a_file_archived_and_restored_in_parts_by_two_nodes_is_the_same() {
    let scene = Scene::pair(1, SIZE);
    let sim = scene.start(1);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let parts = nodes.archive(&entry("subject")).unwrap();
    assert!(parts.iter().any(|part| part.volume != parts[0].volume), "each node has a volume");
    nodes.end().unwrap();
    assert_eq!(is_archived(&sim, "subject"), Some(true));
    let again = begin_archive(&sim, &entry("subject")).unwrap();
    assert_eq!(again, Begun::Nothing("archived already"));
    sim.advance(LONG);
    act(&sim, &scene.place, Act::Release);
    assert!(matches!(standing(&sim, &path("subject")), Standing::Away { .. }));

    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    assert_eq!(nodes.restore(&entry("subject")).unwrap(), SIZE as u64, "every byte once");
    nodes.end().unwrap();
    is_whole(&scene, &sim, "subject");
    assert_eq!(is_archived(&sim, "subject"), Some(false), "no lease was held over all of it");
    sim.advance(LONG);
    assert!(act(&sim, &scene.place, Act::Archive).is_clean());
    assert!(act(&sim, &scene.place, Act::Release).is_clean());
    all(&scene, &sim).unwrap();
}

#[test]
fn holes_stay_holes_and_a_part_of_nothing_else_has_no_piece() {
    let scene = Scene::pair(2, 5000);
    let sim = scene.start(2);
    let (a, b) = (content(1, 70_000), content(2, 8192));
    let stretches = [(8192, a.as_slice()), (3 * PART_UNIT - 4096, b.as_slice())];
    sim.tree().write_sparse(path("subject"), &stretches, 5 * PART_UNIT + 77);
    sim.advance(LONG);
    let wanted = sim.tree().read_file(path("subject"));
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let stamp = nodes.begin_archive(&entry("subject")).unwrap();
    let hole = Range::new(PART_UNIT, 2 * PART_UNIT);
    assert_eq!(nodes.archive_parts(0, &entry("subject"), &stamp, &[hole]).unwrap(), []);
    nodes.archive(&entry("subject")).unwrap();
    act(&sim, &scene.place, Act::Release);
    assert!(matches!(standing(&sim, &path("subject")), Standing::Away { .. }));
    let bytes = nodes.restore(&entry("subject")).unwrap();
    assert!(bytes < 128 << 10, "{bytes} bytes written");
    nodes.end().unwrap();
    assert_eq!(difference(&sim.tree().read_file(path("subject")), &wanted), None);
}

#[test]
fn a_range_is_restored_in_parts() {
    let scene = Scene::pair(3, SIZE);
    let sim = released(&scene, 3);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    for (range, least) in [((70_000, 900_000), 830_000), ((500_000, 2_000_000), 1_100_000)] {
        let part = Entry { range: Some(Range::new(range.0, range.1)), ..entry("subject") };
        let bytes = nodes.restore(&part).unwrap();
        assert!((least..least + 300_000).contains(&bytes), "{bytes} of {range:?}");
        assert!(standing(&sim, &path("subject")).word() == "partial");
        at_rest(&scene, &sim).unwrap();
    }
    nodes.restore(&entry("subject")).unwrap();
    nodes.end().unwrap();
    is_whole(&scene, &sim, "subject");
}

#[test]
fn a_crash_between_and_in_all_steps_loses_nothing() {
    let scene = Scene::pair(4, (1 << 20) + 5001);
    let sim = scene.start(4);
    let watched = scene.clone();
    let stride = (5 / rounds()).max(1);
    sim.watch(move |sim, step| {
        let crashed = sim.after_crash(step.number);
        let checked = at_rest(&watched, &crashed)
            .and_then(|()| volumes_sound(&crashed))
            .and_then(|()| restorable(&watched, &crashed));
        let checked = checked.and_then(|()| {
            if !step.number.is_multiple_of(stride) {
                return Ok(());
            }
            let outcome = act(&crashed, &watched.place, Act::Archive);
            let clean = outcome.is_clean() && is_archived(&crashed, "subject").is_some();
            if clean { Ok(()) } else { Err(format!("{:?}", outcome.complaints())) }
        });
        if let Err(what) = checked {
            panic!("crash before {step}: {what}{}", tail(sim));
        }
    });
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    nodes.archive(&entry("subject")).unwrap();
    sim.advance(LONG);
    act(&sim, &scene.place, Act::Release);
    let part = Entry { range: Some(Range::new(70_000, 200_001)), ..entry("subject") };
    nodes.restore(&part).unwrap();
    nodes.restore(&entry("subject")).unwrap();
    nodes.end().unwrap();
    sim.unwatch();
    is_whole(&scene, &sim, "subject");
}

#[test]
fn a_fault_in_any_step_is_told_and_loses_nothing() {
    let scene = Scene::pair(5, (1 << 20) + 5001);
    let cycle = |sim: &Sim| -> Result<(), Error> {
        let nodes = Nodes::start(sim, &scene.place)?;
        nodes.archive(&entry("subject"))?;
        sim.advance(LONG);
        act(sim, &scene.place, Act::Release);
        if is_archived(sim, "subject").is_none() {
            nodes.restore(&entry("subject"))?;
        }
        nodes.end()
    };
    let stride = (3 / rounds()).max(1) as usize;
    for number in (1..).step_by(stride) {
        let sim = scene.start(number);
        sim.set_faults(Faults::fail_at(number, Failure::Eio));
        let outcome = cycle(&sim);
        if !sim.fault_fired() {
            outcome.unwrap();
            return;
        }
        sim.set_faults(Faults::default());
        for sim in [sim.after_crash(number), sim] {
            sim.restart();
            if let Err(what) = at_rest(&scene, &sim).and_then(|()| all(&scene, &sim)) {
                panic!("a fault at {number}, {outcome:?}: {what}{}", tail(&sim));
            }
        }
    }
}

#[test]
fn a_change_between_the_steps_of_an_archive_is_refused_and_nothing_is_marked() {
    let scene = Scene::pair(6, SIZE);
    let (subject, whole) = (path("subject"), Range::new(0, SIZE as u64));
    let quiet = |sim: &Sim| {
        // Puts the time back: only the change time tells.
        sim.tree().overwrite(&subject, 2_000_000, b"changed");
        sim.tree().set_modified(&subject, scene.expected("subject").modified);
    };
    let grown = |sim: &Sim| sim.tree().overwrite(&subject, SIZE as u64, b"more");
    let elsewhere = |sim: &Sim| assert!(act(sim, &scene.place, Act::Archive).is_clean());
    let deeds: [&dyn Fn(&Sim); 3] = [&quiet, &grown, &elsewhere];
    for (number, deed) in deeds.into_iter().enumerate() {
        for late in [false, true] {
            let sim = scene.start(number as u64);
            let nodes = Nodes::start(&sim, &scene.place).unwrap();
            let stamp = nodes.begin_archive(&entry("subject")).unwrap();
            let parts =
                |nodes: &Nodes<'_>| nodes.archive_parts(0, &entry("subject"), &stamp, &[whole]);
            let written = if late { parts(&nodes).unwrap() } else { Vec::new() };
            deed(&sim);
            let before = sim.tree().attribute(&subject);
            let refused = if late {
                nodes.finish_archive(&entry("subject"), &stamp, written).map(drop)
            } else {
                parts(&nodes).map(drop)
            };
            assert!(matches!(refused, Err(Error::Changed { .. })), "{number}: {refused:?}");
            assert_eq!(sim.tree().attribute(&subject), before, "{number}");
            nodes.end().unwrap();
            assert!(act(&sim, &scene.place, Act::Archive).is_clean());
        }
    }
}

#[test]
fn a_change_while_a_part_is_read_is_refused() {
    let scene = Scene::pair(6, SIZE);
    let sim = scene.start(6);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let stamp = nodes.begin_archive(&entry("subject")).unwrap();
    sim.at_operation(sim.operations() + 20, |sim| {
        sim.tree().overwrite(path("subject"), 100, b"changed");
    });
    let ranges = [Range::new(0, PART_UNIT)];
    let refused = nodes.archive_parts(0, &entry("subject"), &stamp, &ranges);
    assert!(matches!(refused, Err(Error::Changed { .. })), "{refused:?}");
}

#[test]
fn parts_that_are_not_all_of_the_file_are_refused() {
    let scene = Scene::pair(7, SIZE);
    let sim = scene.start(7);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let stamp = nodes.begin_archive(&entry("subject")).unwrap();
    let cut = [Range::new(0, 2 * PART_UNIT), Range::new(2 * PART_UNIT, SIZE as u64)];
    let parts = nodes.archive_parts(0, &entry("subject"), &stamp, &cut).unwrap();
    let stray = nodes.archive_parts(0, &entry("subject"), &stamp, &cut[..1]).unwrap();
    let other = nodes.begin_archive(&entry("other")).unwrap();
    let of_other = nodes.archive_parts(0, &entry("other"), &other, &[Range::new(0, 5000)]).unwrap();
    let broken: [Vec<PartRef>; 5] = [
        Vec::new(),
        parts[1..].to_vec(),
        parts[..parts.len() - 1].to_vec(),
        [parts.as_slice(), &stray].concat(),
        [&of_other, &parts[1..]].concat(),
    ];
    for parts in broken {
        let refused = nodes.finish_archive(&entry("subject"), &stamp, parts.clone());
        assert!(matches!(refused, Err(Error::BadParts { .. })), "{parts:?}: {refused:?}");
        assert_eq!(sim.tree().attribute(path("subject")), None);
    }
    let misaligned = [Range::new(4096, PART_UNIT)];
    let refused = nodes.archive_parts(0, &entry("subject"), &stamp, &misaligned);
    assert!(matches!(refused, Err(Error::BadParts { .. })), "{refused:?}");
    nodes.finish_archive(&entry("subject"), &stamp, parts).unwrap();
    nodes.end().unwrap();
    assert_eq!(is_archived(&sim, "subject"), Some(true));
}

#[test]
fn what_somebody_wrote_between_the_steps_of_a_restore_is_kept() {
    let scene = Scene::pair(8, SIZE);
    let base = released(&scene, 8);
    let (subject, whole) = (path("subject"), [Range::new(0, SIZE as u64)]);
    let halves = [Range::new(0, 1_500_000), Range::new(1_500_000, SIZE as u64)];
    let start = |sim: &Sim| {
        let nodes = Nodes::start(sim, &scene.place).unwrap();
        let stamp = nodes.begin_restore(&entry("subject")).unwrap().stamp;
        nodes.restore_parts(0, &entry("subject"), &stamp, &halves[..1]).unwrap();
        nodes.end().unwrap();
        stamp
    };
    // Into what is still missing.
    let sim = base.after_crash(1);
    let stamp = start(&sim);
    sim.tree().overwrite(&subject, 2_000_000, b"changed");
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let refused = nodes.restore_parts(1, &entry("subject"), &stamp, &halves[1..]);
    assert!(matches!(refused, Err(Error::Overwritten { .. })), "{refused:?}");
    assert_eq!(&sim.tree().read_file(&subject)[2_000_000..2_000_007], b"changed");
    // By cutting it and making it as long again.
    let sim = base.after_crash(2);
    let stamp = start(&sim);
    sim.tree().truncate(&subject, 100);
    sim.tree().truncate(&subject, SIZE as u64);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    nodes.restore_parts(1, &entry("subject"), &stamp, &halves[1..]).unwrap();
    let refused = nodes.finish_restore(&entry("subject"), &stamp);
    assert!(matches!(refused, Err(Error::Incomplete { .. })), "{refused:?}");
    // Into what is back: it stays, and a release sees it.
    let sim = base.after_crash(3);
    let stamp = start(&sim);
    sim.tree().overwrite(&subject, 1000, b"changed");
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    nodes.restore_parts(1, &entry("subject"), &stamp, &halves[1..]).unwrap();
    nodes.finish_restore(&entry("subject"), &stamp).unwrap();
    sim.advance(LONG);
    let outcome = act(&sim, &scene.place, Act::Release);
    assert!(
        outcome
            .failed
            .iter()
            .any(|(at, error)| { *at == subject && matches!(error, Error::Dirty { .. }) })
    );
    assert_eq!(&sim.tree().read_file(&subject)[1000..1007], b"changed");
    // By restoring it whole.
    let sim = base.after_crash(4);
    let stamp = start(&sim);
    assert!(act(&sim, &scene.place, Act::Restore).is_clean());
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let refused = nodes.restore_parts(1, &entry("subject"), &stamp, &whole);
    assert!(matches!(refused, Err(Error::Superseded { .. })), "{refused:?}");
    is_whole(&scene, &sim, "subject");
}

#[test]
fn a_restore_in_parts_does_not_go_on_after_a_release_or_another_begin() {
    let scene = Scene::pair(9, SIZE);
    let sim = released(&scene, 9);
    let halves = [Range::new(0, 1_500_000), Range::new(1_500_000, SIZE as u64)];
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let old = nodes.begin_restore(&entry("subject")).unwrap().stamp;
    nodes.restore_parts(0, &entry("subject"), &old, &halves[..1]).unwrap();
    act(&sim, &scene.place, Act::Release);
    assert!(sim.tree().data_ranges(path("subject")).is_empty(), "it was released again");
    let refused = nodes.restore_parts(0, &entry("subject"), &old, &halves[1..]);
    assert!(matches!(refused, Err(Error::Superseded { .. })), "{refused:?}");
    let new = nodes.begin_restore(&entry("subject")).unwrap().stamp;
    let refused = nodes.finish_restore(&entry("subject"), &old);
    assert!(matches!(refused, Err(Error::Superseded { .. })), "{refused:?}");
    // One part is lost.
    nodes.restore_parts(0, &entry("subject"), &new, &halves[1..]).unwrap();
    let refused = nodes.finish_restore(&entry("subject"), &new);
    assert!(matches!(refused, Err(Error::Incomplete { .. })), "{refused:?}");
    at_rest(&scene, &sim).unwrap();
    nodes.end().unwrap();
    all(&scene, &sim).unwrap();
}

#[test]
fn no_step_acts_on_another_file_of_the_same_name() {
    let scene = Scene::pair(10, SIZE);
    let sim = scene.start(10);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let whole = [Range::new(0, SIZE as u64)];
    let stamp = nodes.begin_archive(&entry("subject")).unwrap();
    let parts = nodes.archive_parts(0, &entry("subject"), &stamp, &whole).unwrap();
    let other = entry("other");
    let meant = Entry { handle: Some(stamp.handle()), ..other.clone() };
    for entry in [other, meant] {
        let part = nodes.archive_parts(0, &entry, &stamp, &whole).map(drop);
        let end = nodes.finish_archive(&entry, &stamp, parts.clone()).map(drop);
        for refused in [part, end] {
            assert!(matches!(refused, Err(Error::AnotherFile { .. })), "{refused:?}");
        }
    }
    nodes.finish_archive(&entry("subject"), &stamp, parts).unwrap();
    assert!(act(&sim, &scene.place, Act::Archive).is_clean());
    sim.advance(LONG);
    assert!(act(&sim, &scene.place, Act::Release).is_clean());
    let stamp = nodes.begin_restore(&entry("subject")).unwrap().stamp;
    let part = nodes.restore_parts(0, &entry("other"), &stamp, &whole).map(drop);
    let end = nodes.finish_restore(&entry("other"), &stamp).map(drop);
    for refused in [part, end] {
        assert!(matches!(refused, Err(Error::AnotherFile { .. })), "{refused:?}");
    }
    // Nobody may have the file open now, or a release could not take its lease.
    let file = sim.open(&path("subject"), Access::Write).unwrap();
    sim.lease(&file).unwrap();
}
