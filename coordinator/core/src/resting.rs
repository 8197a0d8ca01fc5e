//! Restores whose file is in somebody else's hands: they are tried again after a rest.
//!
//! Whoever has a lease on a file is about to release it, and is done soon. Or his process is
//! stopped: then nobody else gets the file until the kernel takes the lease away. An open file as
//! such does not keep a restore from anything. The same goes for one that was moved by somebody
//! else while it was being restored in parts.

use dray_wire::{Reason, Status, Verb};

use crate::coordinator::Coordinator;
use crate::limits::{REST_MAX_NS, REST_NS, RESTS_MAX};
use crate::movement::Ending;
use crate::requests::Where;
use crate::slab::Key;
use crate::timers::Due;

/// Nanoseconds of the rest after `before` others.
fn pause_ns(before: u8) -> u64 {
    REST_NS.saturating_mul(1 << before.min(32)).min(REST_MAX_NS)
}

impl Coordinator {
    /// Lets a request rest that was moved in vain; false if it is to end so.
    //= docs/wire.md#w-59
    pub(crate) fn rest(&mut self, index: u32, ending: &Ending) -> bool {
        let request = &mut self.requests.slab[index];
        let held = ending.status == Status::FAILED && ending.reason == Reason::LATER;
        let may = request.verb == Verb::RESTORE && !request.cancelled && request.rests < RESTS_MAX;
        if !held || !may {
            return false;
        }
        let at_ns = self.now_ns + pause_ns(request.rests);
        request.rests += 1;
        if self.requeue(index) {
            self.requests.slab[index].place_in = Where::Resting;
            let Key { index, generation } = self.requests.slab.key(index);
            self.timers.set(at_ns, Due::Rest { index, generation });
        }
        true
    }

    pub(crate) fn rest_due(&mut self, index: u32, generation: u32) {
        let key = self.requests.slab.key(index);
        let rests = |it: &crate::requests::Request| it.place_in == Where::Resting;
        if key.generation == generation && self.requests.slab.get(index).is_some_and(rests) {
            self.put_in_bucket(index, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_outlast_a_lease_of_a_stopped_process() {
        let all_ns: u64 = (0..RESTS_MAX).map(pause_ns).sum();
        assert!((55_000_000_000..60_000_000_000).contains(&all_ns), "{all_ns}");
    }
}
