//! Released files that are opened to be written anew while somebody else has them recalled.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use dray_e2e::{content, write_file};

use crate::scene::{KINDS, Scene};

const FILES: u64 = 200;
/// Longer, and shorter, than the other.
const BEFORE: u64 = 80 << 10;
const AFTER: u64 = 40 << 10;

/// The kernel says nothing of the cutting, only of the opening, and what is written back beyond the
/// new end would make the file longer again.
#[test]
fn a_file_that_is_emptied_while_it_comes_back_stays_so() {
    for kind in KINDS {
        let test = "a_file_that_is_emptied_while_it_comes_back_stays_so";
        let Some(scene) = Scene::new(test, kind) else { continue };
        let path = |number: u64| scene.file(&format!("f{number}"));
        for number in 0..FILES {
            write_file(&path(number), number, BEFORE);
        }
        scene.put_away();
        for number in 0..FILES {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // What it gets is from before, or after, or nothing.
                    let file = fs::File::open(path(number)).unwrap();
                    let _ = file.read_at(&mut [0; 4096], BEFORE - 8192);
                });
                // From before the recall begins until it is over.
                std::thread::sleep(Duration::from_micros(number * 25));
                let mut file = fs::File::create(path(number)).unwrap();
                file.write_all(&content(FILES + number, AFTER)).unwrap();
            });
        }
        for number in 0..FILES {
            let (read, wanted) = (fs::read(path(number)).unwrap(), content(FILES + number, AFTER));
            assert!(
                read == wanted,
                "{kind}, file {number}: {} bytes\n{}",
                read.len(),
                scene.logs()
            );
        }
    }
}
