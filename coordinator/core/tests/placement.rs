//! Where work goes: evenly, near its neighbours, and to the same place when others come and go.

use std::collections::BTreeMap;

use dray_core::limits::REGION_BYTES;
use dray_core::placement::{Candidate, Region, core_of, place, seed_of};

const EXTENTS: u64 = 100_000;
const NODES: usize = 16;
const LUNS: u64 = 8;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|node| format!("node{node:02}")).collect()
}

/// Extents as they lie on some LUNs, so many to a region, in an order in which regions alternate.
fn regions(per_region: u64) -> Vec<Region> {
    let count = EXTENTS / per_region;
    let region = |number: u64| {
        let (lun, place) = (number % LUNS, number / LUNS * REGION_BYTES + 4096 * number);
        Region::of(0x6000_5076_0000_0000 + lun, place)
    };
    (0..count).map(region).collect()
}

/// The node of each region, placed one after the other.
fn placed(regions: &[Region], nodes: &[String], per_region: u64) -> Vec<usize> {
    let mut candidates: Vec<Candidate> =
        nodes.iter().map(|name| Candidate { seed: seed_of(name), load: 0 }).collect();
    let mut chosen = Vec::new();
    for region in regions {
        let node = place(*region, per_region, &candidates).expect("there are nodes");
        candidates[node].load += per_region;
        chosen.push(node);
    }
    chosen
}

/// How much more the busiest has than the mean.
fn excess(counts: &[u64]) -> f64 {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().max().copied().unwrap_or(0) as f64 / mean
}

fn loads(chosen: &[usize], per_region: u64) -> Vec<u64> {
    let mut loads = vec![0; NODES];
    for node in chosen {
        loads[*node] += per_region;
    }
    loads
}

#[test]
fn no_node_has_much_more_than_the_mean() {
    for per_region in [10, 100] {
        let regions = regions(per_region);
        let chosen = placed(&regions, &names(NODES), per_region);
        let most = excess(&loads(&chosen, per_region));
        let seeds: Vec<u64> = names(NODES).iter().map(|name| seed_of(name)).collect();
        let first = |region: &Region| {
            let idle = |seed: &u64| Candidate { seed: *seed, load: 0 };
            place(*region, 1, &seeds.iter().map(idle).collect::<Vec<_>>())
        };
        let passed = regions.iter().zip(&chosen).filter(|(own, node)| first(own) != Some(**node));
        let passed = passed.count() as f64 / regions.len() as f64;
        println!("{per_region} a region: most {most:.3} of the mean, {passed:.4} not first choice");
        assert!(most <= 1.25, "{most}");
        assert!(passed < 0.05, "{passed}");
    }
}

#[test]
fn few_move_when_a_node_joins_or_leaves() {
    let all = names(NODES);
    for per_region in [10, 100] {
        let regions = regions(per_region);
        let before = placed(&regions, &all, per_region);
        for gone in 0..NODES {
            let mut fewer = all.clone();
            fewer.remove(gone);
            let after = placed(&regions, &fewer, per_region);
            let same = |(own, other): &(&usize, &usize)| all[**own] == fewer[**other];
            let moved = before.iter().zip(&after).filter(|pair| !same(pair)).count();
            let moved = moved as f64 / regions.len() as f64;
            // Read the other way round it is a node that joins.
            println!("{per_region} a region, without {}: {moved:.4} moved", all[gone]);
            assert!(moved <= 1.0 / NODES as f64 + 0.02, "{moved}");
        }
    }
}

#[test]
fn neighbours_meet() {
    let seed = seed_of("node03");
    for place in [0, 5 * REGION_BYTES, 77 * REGION_BYTES] {
        let first = Region::of(1, place);
        for step in [1, 4096, REGION_BYTES - 1] {
            let other = Region::of(1, place + step);
            assert_eq!(first, other);
            assert_eq!(core_of(first, seed, 24), core_of(other, seed, 24));
        }
        assert_ne!(first, Region::of(1, place + REGION_BYTES));
        assert_ne!(first, Region::of(2, place));
    }
}

#[test]
fn cores_of_a_node_are_used_evenly() {
    for cores in [2, 16, 64] {
        let mut counts = vec![0_u64; usize::from(cores)];
        let seed = seed_of("node03");
        for region in regions(10) {
            counts[usize::from(core_of(region, seed, cores))] += 1;
        }
        let least = counts.iter().min().copied().unwrap_or(0);
        let mean = 10_000 / u64::from(cores);
        println!("{cores} cores: {least} to {:?} regions, mean {mean}", counts.iter().max());
        // As even as throwing dice: within four deviations.
        let spread = 4 * mean.isqrt();
        assert!(counts.iter().all(|count| count.abs_diff(mean) <= spread), "{counts:?}");
    }
}

/// The node's choice says nothing of the core's: else a node would use few of its own.
#[test]
fn cores_are_used_evenly_by_what_a_node_won() {
    let names = names(NODES);
    let regions = regions(10);
    let chosen = placed(&regions, &names, 10);
    let mut counts: BTreeMap<(usize, u16), u64> = BTreeMap::new();
    for (region, node) in regions.iter().zip(chosen) {
        *counts.entry((node, core_of(*region, seed_of(&names[node]), 8))).or_default() += 1;
    }
    let counts: Vec<u64> = counts.into_values().collect();
    println!("cores of all nodes: most {:.3} of the mean", excess(&counts));
    assert_eq!(counts.len(), NODES * 8);
    assert!(excess(&counts) < 1.6);
}

/// A node that starts again with another build finds its regions.
#[test]
fn scores_stay_the_same() {
    let names = names(NODES);
    let all: Vec<Candidate> =
        names.iter().map(|name| Candidate { seed: seed_of(name), load: 0 }).collect();
    let regions = regions(100);
    let chosen: Vec<_> = regions[..12].iter().filter_map(|it| place(*it, 1, &all)).collect();
    let cores: Vec<_> = regions[..12].iter().map(|it| core_of(*it, all[0].seed, 16)).collect();
    assert_eq!(all[0].seed, 0x79e3_5968_bc07_ed9b);
    assert_eq!(chosen, [9, 4, 5, 13, 15, 9, 14, 8, 10, 0, 3, 7]);
    assert_eq!(cores, [9, 3, 12, 13, 13, 14, 8, 3, 7, 11, 14, 14]);
}

#[test]
fn nobody_takes_what_nobody_can() {
    assert_eq!(place(Region::of(1, 1), 1, &[]), None);
    assert_eq!(core_of(Region::of(1, 1), 5, 1), 0);
}
