//! What is recorded, and when.

use dray_wire::messages::Item;
use dray_wire::{Field, FileHandle, RequestId, Token, Writer};

use super::{Journal, Record, SubmittedHead};
use crate::coordinator::Coordinator;
use crate::limits::JOURNAL_BLOCK;

/// A submission that is being recorded. It may go over several blocks.
pub(crate) struct Submission<'j> {
    journal: &'j mut Journal,
    head: SubmittedHead,
    /// Where the count is that is to be set, and the items that are counted in it.
    record: Option<(Writer, usize, u32)>,
}

impl Journal {
    /// `None` if nothing of it is to be recorded.
    pub(crate) fn submission(&mut self, head: SubmittedHead) -> Option<Submission<'_>> {
        self.is_on().then_some(Submission { journal: self, head, record: None })
    }
}

impl Submission<'_> {
    pub(crate) fn add(&mut self, request: RequestId, age: u64, item: &Item) {
        if self.record.as_ref().is_some_and(|(writer, _, _)| writer.len() >= JOURNAL_BLOCK) {
            self.end();
        }
        let (writer, _, count) = self.record.get_or_insert_with(|| {
            let mut writer = self.journal.writer();
            self.head.put(&mut writer);
            let at = writer.len();
            0_u32.put(&mut writer);
            (writer, at, 0)
        });
        let before = writer.len();
        request.put(writer);
        age.put(writer);
        item.put(writer);
        *count += 1;
        let bytes = (writer.len() - before) as u64;
        self.journal.count_requests(1, bytes);
    }

    pub(crate) fn end(&mut self) {
        if let Some((mut writer, at, count)) = self.record.take() {
            writer.set(at, &count.to_le_bytes());
            self.journal.written(writer);
        }
    }
}

impl Coordinator {
    /// Records a session as it is now.
    //= docs/journal.md#j-3
    pub(crate) fn keep_session(&mut self, session: u32) {
        if self.journal.is_on() {
            let record = self.session_record(session);
            self.journal.put(&record);
        }
    }

    pub(crate) fn session_record(&self, session: u32) -> Record {
        let state = &self.sessions.slab[session];
        let limit = self.file_systems.session_limits.get(&session);
        Record::Session {
            root: state.root,
            id: state.id,
            share: state.share,
            rate: limit.map_or(0, |limit| limit.rate()),
            info: state.info.clone(),
            dispositions: self.sessions.dispositions(session),
        }
    }

    /// Records what an event's token has on a file now.
    //= docs/journal.md#j-5
    pub(crate) fn keep_right(&mut self, handle: FileHandle, token: Token) {
        if self.journal.is_on() {
            let right = self.rights.query(handle, token);
            self.journal.put(&Record::Right { token, handle, right });
        }
    }
}
