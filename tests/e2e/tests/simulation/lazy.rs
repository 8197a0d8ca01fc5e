//! Users who did not sync. A crash may take from the file what they wrote, but not from an archive
//! that already has it. (That the file itself survives once it was read past the page cache rests
//! on the kernel's order of writing, which the simulated disk does not promise.)

use dray_archive::Archive;
use dray_io::{Aligned, Range};
use dray_mover::Standing;
use dray_sim::Sim;

use crate::checker::{difference, standing, tail};
use crate::mover::{Act, act};
use crate::world::{LONG, Scene, content, path, rounds};

/// If the file says that it was archived, the archive has it as it was.
fn is_kept(scene: &Scene, sim: &Sim, new: &[u8]) -> Result<(), String> {
    let Standing::Archived { attribute, .. } = standing(sim, &path("subject")) else {
        return Ok(());
    };
    let say = |error: dray_archive::Error| error.to_string();
    let tier = Archive::open(sim, &scene.place).map_err(say)?;
    let (record, segment) = tier.manifest(sim, attribute.manifest).map_err(say)?;
    let place = (attribute.manifest.volume, segment);
    let (whole, mut buffer) = (Range::new(0, record.size), Aligned::new(0));
    let mut found = vec![0; record.size as usize];
    tier.read(sim, &record, place, whole, &mut buffer, &mut |at, bytes| {
        found[at as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    })
    .map_err(say)?;
    difference(&found, new).map_or(Ok(()), Err)
}

#[test]
fn what_was_archived_unsynced_stays_in_the_archive() {
    for (size, pause) in [(150_001, 0), (150_001, LONG), ((1 << 20) + 5001, LONG)] {
        let scene = Scene::pair(1, size);
        let sim = scene.start(1);
        let new = content(40, size);
        sim.tree().unsynced().write_file(path("subject"), &new);
        sim.advance(pause);
        let (wanted, watched) = (new.clone(), scene.clone());
        sim.watch(move |sim, step| {
            for chance in 0..4 * rounds() {
                let crashed = sim.after_crash(step.number << 8 ^ chance);
                if let Err(problem) = is_kept(&watched, &crashed, &wanted) {
                    panic!("crash before {step}, chance {chance}: {problem}{}", tail(sim));
                }
            }
        });
        let outcome = act(&sim, &scene.place, Act::Archive);
        assert!(outcome.is_clean(), "{:?}", outcome.complaints());
        sim.unwatch();
        is_kept(&scene, &sim, &new).unwrap();
    }
}
