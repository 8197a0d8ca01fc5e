//! Submissions of files that are nowhere.

use dray_wire::messages::{Item, KIND_FILE, SILENT, Submit};
use dray_wire::{Class, FileHandle, List, Name, SessionId, Verb};

const FILE_SYSTEM: [u8; 16] = *b"dray-bench-files";
/// Inodes that a client has to itself.
const OWN: u64 = 1 << 32;

/// Makes submissions in which no file comes twice.
pub(super) struct Work {
    next: u64,
    pub(super) file_bytes: u64,
    names: bool,
    template: Submit,
}

impl Work {
    /// `number` sets the files of one client apart from those of others.
    pub(super) fn new(session: SessionId, number: u32, names: bool) -> Self {
        let (class, verb) = (Class::ARCHIVE, Verb::ARCHIVE);
        let template = Submit { session, class, verb, ..Submit::default() };
        Self { next: u64::from(number) * OWN + 1, file_bytes: 64 << 10, names, template }
    }

    /// Nobody is to be told how they end.
    pub(super) fn silent(mut self) -> Self {
        self.template.flags |= SILENT;
        self
    }

    pub(super) fn restores(mut self) -> Self {
        (self.template.class, self.template.verb) = (Class::INTERACTIVE, Verb::RESTORE);
        self
    }

    pub(super) fn submit(&mut self, count: u32) -> Submit {
        let items = (0..count).map(|_| self.item()).collect();
        Submit { items: List(items), ..self.template.clone() }
    }

    fn item(&mut self) -> Item {
        let inode = self.next;
        self.next += 1;
        Item {
            handle: FileHandle { file_system: FILE_SYSTEM, inode, generation: 1 },
            size: self.file_bytes,
            // One file behind the other on the LUN of this client.
            lun: 1 + inode / OWN,
            place: (inode % OWN) * self.file_bytes,
            kind: KIND_FILE,
            name: if self.names { name(inode) } else { Name::default() },
            ..Item::default()
        }
    }
}

/// 60 bytes, as a path of usual length.
fn name(inode: u64) -> Name {
    let mut name = *b"projects/genomics/run-2026/lane-04/reads/000000000000.fastq\0";
    *name.last_mut().expect("it is not empty") = b'2';
    let mut rest = inode;
    for digit in name[41..53].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    Name::new(name).expect("60 bytes are within the limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_comes_twice() {
        let mut work = Work::new(SessionId(1), 3, true);
        let mut items = work.submit(2).items.0;
        items.extend(work.submit(2).items.0);
        for pair in items.windows(2) {
            assert_ne!(pair[0].handle, pair[1].handle);
            assert_ne!(pair[0].name, pair[1].name);
            assert_eq!((pair[0].lun, pair[0].name.as_slice().len()), (pair[1].lun, 60));
        }
    }
}
