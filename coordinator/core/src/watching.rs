//! Who is told of outcomes: whoever asked last.

use dray_wire::messages::{Outcome, Watch, Watched};
use dray_wire::{List, RequestId, Status};

use crate::coordinator::Coordinator;
use crate::movement::Ending;
use crate::talk::At;

impl Coordinator {
    //= docs/wire.md#w-58
    pub(crate) fn watch(&mut self, at: At, it: &Watch) {
        let statuses: Vec<Status> =
            it.requests.0.iter().map(|it| self.watch_one(at.0, *it)).collect();
        self.reply(at.0, at.1, Watched { statuses: List(statuses) });
    }

    fn watch_one(&mut self, connection: u32, id: RequestId) -> Status {
        let Some(index) = self.requests.slab.find(id.0) else { return Status(0) };
        let request = &mut self.requests.slab[index];
        request.connection = connection;
        let status = request.status();
        if status.is_final() {
            let outcome = Outcome {
                request: id,
                bytes: request.bytes,
                status,
                reason: request.reason,
                ..Outcome::default()
            };
            self.out.outcome(connection, outcome);
        }
        status
    }

    pub(crate) fn tell_outcome(&mut self, connection: u32, request: RequestId, ending: &Ending) {
        if self.connection(connection).is_some() {
            let outcome = Outcome {
                request,
                bytes: ending.bytes,
                status: ending.status,
                reason: ending.reason,
                text: ending.text.clone(),
                ..Outcome::default()
            };
            self.out.outcome(connection, outcome);
        }
    }
}
