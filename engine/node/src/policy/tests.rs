//! Decisions.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use dray_io::{Handle, Time};

use super::limits::{KNOWN, KNOWN_NAMES};
use super::*;
use crate::config::PolicyConfig;

const NOW: i64 = 1_000_000;
const MIB: u64 = 1 << 20;
const ROOM: Room = Room { now: 1000, ahead: 1000 };

fn time(seconds: i64) -> Time {
    Time { seconds, nanos: 0 }
}

fn now() -> Time {
    time(NOW)
}

fn policy() -> PolicyConfig {
    toml::from_str("high = 80\nlow = 60").unwrap()
}

fn candidate(inode: u64, mib: u64, age: i64, held: Held) -> Candidate {
    let (size, at) = (mib * MIB, time(NOW - age));
    let handle = Handle { file_system: [0; 16], inode, generation: 0 };
    let path = PathBuf::from(format!("/fs/{inode}"));
    Candidate { path, handle, size, allocated: size, modified: at, used: at, settled: at, held }
}

fn known(candidates: impl IntoIterator<Item = Candidate>) -> Candidates {
    let mut known = Candidates::default();
    candidates.into_iter().for_each(|it| known.insert(it, 0, now()));
    known
}

fn inodes(candidates: &[Candidate]) -> Vec<u64> {
    candidates.iter().map(|it| it.handle.inode).collect()
}

#[test]
fn space_is_short_from_the_high_mark_to_the_low_one() {
    let mut pressure = Pressure::default();
    let mut wanted = |used| pressure.wanted(&policy(), Usage { total: 1000, used }, 0);
    assert_eq!([wanted(700), wanted(800)], [0, 0]);
    assert_eq!([wanted(801), wanted(700), wanted(600)], [202, 101, 1]);
    // It has been below.
    assert_eq!([wanted(599), wanted(800), wanted(900)], [0, 0, 301]);
}

#[test]
fn what_is_written_meanwhile_has_to_go_too() {
    let mut inflow = Inflow::default();
    let second = Duration::from_secs(1);
    // 50 come in each second, whether as many go or none.
    for (at, used, freed) in [(0, 1000, 0), (1, 1050, 0), (2, 1050, 50), (3, 1050, 100)] {
        inflow.see(second * at, used, freed);
    }
    assert!((80..=100).contains(&inflow.coming()), "{inflow:?}");
    let usage = Usage { total: 10_000, used: 9000 };
    assert_eq!(Pressure::default().wanted(&policy(), usage, inflow.coming()), 3001 + 87);
    assert_eq!(Pressure::default().wanted(&policy(), usage, 5000), 3001 + 1000);
    let below = Usage { used: 5999, ..usage };
    assert_eq!(Pressure::default().wanted(&policy(), below, 5000), 0);
    inflow.see(second * 4, 0, 100);
    inflow.see(second * 5, 0, 100);
    assert!(inflow.coming() < 30);
}

#[test]
fn the_oldest_and_largest_go_first_and_no_more_than_have_to() {
    let here = |inode, mib, age| candidate(inode, mib, age, Held::Archived);
    let all = [here(1, 10, 100), here(2, 10, 1000), here(3, 100, 1000), here(4, 40, 100)];
    let mut known = known(all);
    let plan = decide(&policy(), 120 * MIB, now(), &mut known, ROOM);
    assert_eq!(inodes(&plan.release), [3, 2, 4]);
    assert_eq!((plan.archive.len(), plan.ahead.len(), plan.lacking), (0, 0, 0));
    assert_eq!(known.count(Held::Archived), 1);
}

#[test]
fn what_is_in_the_archive_goes_before_what_has_to_get_there() {
    let all = [
        candidate(1, 10, 10_000, Held::HereOnly),
        candidate(2, 10, 100, Held::Archived),
        candidate(3, 10, 20_000, Held::HereOnly),
    ];
    let plan = decide(&policy(), 15 * MIB, now(), &mut known(all.clone()), ROOM);
    assert_eq!((inodes(&plan.release), inodes(&plan.archive)), (vec![2], vec![3]));
    let plan = decide(&policy(), 50 * MIB, now(), &mut known(all), ROOM);
    assert_eq!((inodes(&plan.release), inodes(&plan.archive)), (vec![2], vec![3, 1]));
    assert_eq!(plan.lacking, 20 * MIB);
}

#[test]
fn what_was_used_just_now_stays() {
    let young = candidate(1, 100, 59, Held::Archived);
    let mut read = candidate(2, 100, 5000, Held::Archived);
    read.used = time(NOW - 3);
    read.settled = read.used;
    let mut restored = candidate(5, 200, 9999, Held::Archived);
    restored.settled = time(NOW - 3);
    let tomorrow = candidate(3, 100, -86_400, Held::HereOnly);
    let mut known = known([young, read, restored, tomorrow, candidate(4, 1, 60, Held::Archived)]);
    let plan = decide(&policy(), 50 * MIB, now(), &mut known, ROOM);
    assert_eq!((inodes(&plan.release), plan.lacking), (vec![4], 49 * MIB));
    let later = time(NOW + 60);
    let plan = decide(&policy(), 500 * MIB, later, &mut known, ROOM);
    assert_eq!(inodes(&plan.release), [5, 1, 2]);
}

#[test]
fn files_that_have_come_to_rest_are_archived_ahead() {
    let here = |inode, age| candidate(inode, 1, age, Held::HereOnly);
    let all = [here(1, 299), here(2, 300), here(3, 4000), candidate(4, 1, 4000, Held::Archived)];
    let plan = decide(&policy(), 0, now(), &mut known(all.clone()), ROOM);
    assert_eq!((inodes(&plan.ahead), plan.release.len()), (vec![3, 2], 0));
    let room = Room { ahead: 1, ..ROOM };
    assert_eq!(inodes(&decide(&policy(), 0, now(), &mut known(all.clone()), room).ahead), [3]);
    let never = PolicyConfig { archive_after: 0, ..policy() };
    assert_eq!(decide(&never, 0, now(), &mut known(all), ROOM), Plan::default());
}

#[test]
fn no_more_is_asked_for_than_there_is_room() {
    let all = (0..100).map(|inode| candidate(inode, 1, 100, Held::Archived));
    let plan = decide(&policy(), 50 * MIB, now(), &mut known(all), Room { now: 7, ahead: 7 });
    // That says nothing of what is known.
    assert_eq!((plan.release.len(), plan.lacking), (7, 0));
}

#[test]
fn of_too_many_the_best_are_kept() {
    let count = KNOWN as u64 + 100;
    let mut known = known((0..count).map(|at| candidate(at, 1 + at, 100, Held::Archived)));
    assert!((KNOWN / 2..=KNOWN).contains(&known.count(Held::Archived)));
    let plan = decide(&policy(), MIB, now(), &mut known, ROOM);
    assert_eq!(inodes(&plan.release), [count - 1]);
}

#[test]
fn long_names_take_no_more_memory() {
    let mut known = Candidates::default();
    for inode in 0..10_000 {
        let path = PathBuf::from("x".repeat(4000));
        known.insert(Candidate { path, ..candidate(inode, 1, 1, Held::HereOnly) }, 0, now());
    }
    assert!(known.count(Held::HereOnly) <= KNOWN_NAMES / 4000);
}

#[test]
fn a_file_is_known_once_and_forgotten_when_it_is_gone() {
    let mut known = known([candidate(1, 1, 1, Held::HereOnly), candidate(2, 1, 1, Held::HereOnly)]);
    known.insert(candidate(1, 1, 1, Held::Archived), 1, now());
    assert_eq!((known.count(Held::HereOnly), known.count(Held::Archived)), (1, 1));
    known.forget_before(1);
    assert_eq!((known.count(Held::HereOnly), known.count(Held::Archived)), (0, 1));
}
