//! What must be true of a world, whatever was done to it.

use std::path::Path;

use dray_archive::verify_volumes;
use dray_mover::{Attribute, Kept, Standing};
use dray_sim::Sim;

use crate::mover::{Act, act};
use crate::world::{ARCHIVE, Expected, Scene};

pub(crate) type Check = Result<(), String>;

/// How a file stands, by its attribute and its metadata.
pub(crate) fn standing(sim: &Sim, path: &Path) -> Standing {
    let tree = sim.tree();
    let bytes = tree.attribute(path);
    let attribute = bytes.map(|bytes| Attribute::decode(&bytes).expect("a whole attribute"));
    Standing::judge(&tree.stat(path), attribute)
}

/// Where two contents first differ.
pub(crate) fn difference(found: &[u8], wanted: &[u8]) -> Option<String> {
    if found.len() != wanted.len() {
        return Some(format!("{} bytes, not {}", found.len(), wanted.len()));
    }
    let at = found.iter().zip(wanted).position(|(a, b)| a != b)?;
    let zeros = if found[at] == 0 { " (zeros)" } else { "" };
    Some(format!("differs at byte {at}{zeros}"))
}

/// The rule for those who read a file with no mover about: what is said to be there is there.
pub(crate) fn at_rest(scene: &Scene, sim: &Sim) -> Check {
    scene.files.iter().try_for_each(|file| file_at_rest(sim, file))
}

fn file_at_rest(sim: &Sim, file: &Expected) -> Check {
    let path = &file.path;
    if !sim.tree().exists(path) {
        return Err(format!("{} is gone", path.display()));
    }
    let found = sim.tree().read_file(path);
    let say = |what: String, how: &Standing| Err(format!("{}: {what}, {how:?}", path.display()));
    let how = standing(sim, path);
    match &how {
        Standing::Resident | Standing::Archived { .. } | Standing::Dirty(_) => {
            difference(&found, &file.content).map_or(Ok(()), |what| say(what, &how))
        }
        Standing::Away { attribute, .. } => {
            if found.len() != file.content.len() {
                return say(format!("size is {}", found.len()), &how);
            }
            let partial = attribute.kept == Kept::Partial;
            for range in attribute.present.as_slice().iter().filter(|_| partial) {
                let part = range.start as usize..range.end as usize;
                if let Some(what) = difference(&found[part.clone()], &file.content[part]) {
                    return say(format!("present range {range:?} {what}"), &how);
                }
            }
            Ok(())
        }
        Standing::Overwritten(_) | Standing::Foreign(_) => {
            say("is taken for another's".into(), &how)
        }
    }
}

/// After a restore by a new process every file is as its owner left it.
pub(crate) fn restorable(scene: &Scene, sim: &Sim) -> Check {
    let outcome = act(sim, &scene.place, Act::Restore);
    if !outcome.is_clean() {
        return Err(format!("restore complains: {:?}", outcome.complaints()));
    }
    scene.files.iter().try_for_each(|file| file_whole(sim, file))
}

fn file_whole(sim: &Sim, file: &Expected) -> Check {
    let path = &file.path;
    let how = standing(sim, path);
    let say = |what: &str| Err(format!("after restore {}: {what}, {how:?}", path.display()));
    if let Some(what) = difference(&sim.tree().read_file(path), &file.content) {
        return say(&what);
    }
    if sim.tree().stat(path).modified != file.modified {
        return say("its modification time moved");
    }
    match &how {
        Standing::Resident | Standing::Archived { .. } => Ok(()),
        _ => say("its state is wrong"),
    }
}

/// No volume has damage: what a crash tore is told from what was committed.
pub(crate) fn volumes_sound(sim: &Sim) -> Check {
    for path in sim.tree().paths() {
        // A volume whose making was interrupted is not one yet.
        let readable = sim.tree().stat(&path).size >= 8192 && sim.tree().read_file(&path)[0] != 0;
        if !path.starts_with(ARCHIVE) || path == Path::new(ARCHIVE) || !readable {
            continue;
        }
        let mut damages = Vec::new();
        let report =
            verify_volumes(sim, &[&path], &mut |damage| damages.push(format!("{damage:?}")));
        if let Err(error) = report {
            return Err(format!("verify of {}: {error}", path.display()));
        }
        if !damages.is_empty() {
            return Err(format!("damage without cause: {damages:?}"));
        }
    }
    Ok(())
}

/// All of it: as found, the archive, and after a restore.
pub(crate) fn all(scene: &Scene, sim: &Sim) -> Check {
    at_rest(scene, sim)?;
    restorable(scene, sim)
}

/// The last operations of a world, for messages.
pub(crate) fn tail(sim: &Sim) -> String {
    let trace = sim.trace();
    let last = trace.iter().skip(trace.len().saturating_sub(14));
    last.map(|step| format!("\n{step}")).collect()
}
