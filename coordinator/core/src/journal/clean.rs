//! What is still true of a block is recorded anew, so that the block can be dropped.

use dray_wire::Right;

use super::record::{BadBlock, Record, SubmittedItem, read_block};
use crate::coordinator::Coordinator;

impl Coordinator {
    /// The block that should be given to [`clean`](Self::clean), if one should.
    pub fn wants_clean(&self) -> Option<u64> {
        self.journal.wants_clean(self.requests.open)
    }

    /// Records anew what is still true of the oldest block.
    ///
    /// # Errors
    ///
    /// If it is not as it was recorded. Then it is not dropped.
    //= docs/journal.md#j-7
    pub fn clean(&mut self, block: &[u8]) -> Result<(), BadBlock> {
        let mut records = Vec::new();
        self.journal.begin_clean();
        read_block(block, |record| records.push(record))?;
        for record in records {
            self.record_anew(record);
        }
        self.journal.end_clean();
        Ok(())
    }

    fn record_anew(&mut self, record: Record) {
        match record {
            Record::Session { id, .. } => {
                // By whichever of its ids: an older one is not found, and a newer record of it is
                // further on in the queue.
                if let Some(session) = self.sessions.find(id) {
                    self.keep_session(session);
                }
            }
            Record::Limit { file_system, .. } => {
                let index = self.file_systems.index(file_system);
                if let Some(limit) = self.file_systems.limits.get(&index) {
                    let rate = limit.rate();
                    self.journal.put(&Record::Limit { file_system, rate });
                }
            }
            Record::Token { token, .. } => self.keep_token(token),
            Record::Right { token, handle, .. } => {
                if self.rights.query(handle, token) != Right::NULL {
                    self.keep_right(handle, token);
                }
            }
            Record::Submitted(head, items) => {
                let known =
                    |item: &SubmittedItem| self.requests.slab.find(item.request.0).is_some();
                let items: Vec<_> = items.into_iter().filter(known).collect();
                if items.is_empty() {
                    return;
                }
                if let Some(mut submission) = self.journal.submission(head) {
                    for item in &items {
                        submission.add(item.request, item.age, &item.item);
                    }
                    submission.end();
                }
                for item in items {
                    self.keep_ended(item.request);
                }
            }
            // What they end is before them in the queue: it has been dropped already.
            Record::Destroyed { .. } | Record::TokenGone { .. } | Record::Ended { .. } => {}
        }
    }
}
