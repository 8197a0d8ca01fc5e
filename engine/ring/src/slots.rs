//! Which slots the kernel is using, and how.

use dray_io::Slot;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Idle,
    /// The kernel writes into the slot for a request on the file of this index.
    Reading(u32),
    /// The kernel reads the slot for a request on the file of this index.
    Writing(u32),
    /// No memory is used: a flush of the file of this index is under way.
    Flushing(u32),
}

/// The slots of one ring and the requests on its files.
#[derive(Debug)]
pub(crate) struct Slots {
    uses: Vec<Use>,
    /// Requests under way per attached file; `None` is a free index.
    files: Vec<Option<u32>>,
    under_way: u32,
}

impl Slots {
    pub(crate) fn new(slots: u32, files: u32) -> Self {
        Self {
            uses: vec![Use::Idle; slots as usize],
            files: vec![None; files as usize],
            under_way: 0,
        }
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.uses.len()).expect("made from a u32")
    }

    /// Requests that the kernel has or will get.
    pub(crate) fn under_way(&self) -> u32 {
        self.under_way
    }

    pub(crate) fn attach(&mut self) -> Option<u32> {
        let index = self.files.iter().position(Option::is_none)?;
        self.files[index] = Some(0);
        u32::try_from(index).ok()
    }

    pub(crate) fn detach(&mut self, file: u32) {
        let requests = self.files[file as usize].take();
        assert_eq!(requests, Some(0), "file {file} is attached and has no request under way");
    }

    pub(crate) fn begin(&mut self, slot: Slot, how: Use) {
        let (Use::Reading(file) | Use::Writing(file) | Use::Flushing(file)) = how else {
            unreachable!("a request has a file")
        };
        assert_eq!(self.uses[slot.0 as usize], Use::Idle, "slot {} has a request", slot.0);
        let requests = self.files[file as usize].as_mut();
        *requests.expect("requests go to attached files") += 1;
        self.uses[slot.0 as usize] = how;
        self.under_way += 1;
    }

    pub(crate) fn end(&mut self, slot: Slot) {
        let how = self.uses[slot.0 as usize];
        let (Use::Reading(file) | Use::Writing(file) | Use::Flushing(file)) = how else {
            unreachable!("slot {} had no request", slot.0)
        };
        let requests = self.files[file as usize].as_mut();
        *requests.expect("a file with requests stays attached") -= 1;
        self.uses[slot.0 as usize] = Use::Idle;
        self.under_way -= 1;
    }

    pub(crate) fn assert_readable(&self, slot: Slot) {
        let using = self.uses[slot.0 as usize];
        assert!(!matches!(using, Use::Reading(_)), "slot {} is being read into", slot.0);
    }

    pub(crate) fn assert_idle(&self, slot: Slot) {
        assert_eq!(self.uses[slot.0 as usize], Use::Idle, "slot {} has a request", slot.0);
    }
}
