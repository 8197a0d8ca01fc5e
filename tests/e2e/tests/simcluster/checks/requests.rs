//! Requests that were accepted, and what was said of them since.

use std::collections::BTreeMap;

use dray_wire::{RequestId, Status, Verb};

#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) file: usize,
    pub(crate) verb: Verb,
    pub(crate) since: u64,
    pub(crate) ended: Option<Status>,
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) known: BTreeMap<RequestId, Known>,
}

impl Requests {
    /// A program hears that a request is accepted; what is wrong with that.
    pub(crate) fn accepted(
        &mut self,
        request: RequestId,
        file: usize,
        verb: Verb,
        since: u64,
    ) -> Option<String> {
        let known = Known { file, verb, since, ended: None };
        let before = self.known.insert(request, known);
        before.map(|before| format!("request {request} is given out twice: {before:?}"))
    }

    /// A program hears of a status. The request, if it has ended with that; what is wrong.
    pub(crate) fn told(
        &mut self,
        request: RequestId,
        status: Status,
    ) -> Result<Option<Known>, String> {
        let Some(known) = self.known.get_mut(&request) else {
            return Err(format!("request {request} is {status}, and was never accepted"));
        };
        match known.ended {
            Some(ended) if ended != status => {
                Err(format!("request {request} is {status} after it was {ended}"))
            }
            None if status.is_final() => {
                known.ended = Some(status);
                Ok(Some(known.clone()))
            }
            _ => Ok(None),
        }
    }

    /// Whether a file has requests that nobody has heard the end of.
    pub(crate) fn is_awaited(&self, file: usize) -> bool {
        self.known.values().any(|known| known.file == file && known.ended.is_none())
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = (&RequestId, &Known)> {
        self.known.iter().filter(|(_, known)| known.ended.is_none())
    }
}
