//! What waits to be sent to one peer.

use std::cell::{Cell, RefCell};

use dray_wire::limits::UNREAD_MAX;
use dray_wire::messages::Refused;
use dray_wire::{Message, Reason, Text};
use tokio::sync::Notify;

use crate::limits::KEEP;

#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: RefCell<Vec<u8>>,
    /// Bytes that were taken and that the peer has not read yet.
    under_way: Cell<usize>,
    /// There is something to be sent, or nothing will be any more.
    pub(crate) filled: Notify,
    /// Something was sent, or nothing will be any more.
    pub(crate) drained: Notify,
    closing: Cell<bool>,
    /// It did not read: nothing is sent any more.
    cut: Cell<bool>,
}

impl Outgoing {
    /// Takes what there is, leaving `spare` to be filled. What was taken before has been sent.
    pub(crate) fn take(&self, spare: &mut Vec<u8>) {
        spare.clear();
        // A long reply is rare; its memory is not kept for every peer that ever had one.
        spare.shrink_to(KEEP);
        std::mem::swap(&mut *self.bytes.borrow_mut(), spare);
        self.under_way.set(spare.len());
        self.drained.notify_one();
    }

    /// The peer has taken so many bytes.
    pub(crate) fn sent(&self, count: usize) {
        self.under_way.set(self.under_way.get() - count);
        self.drained.notify_one();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.bytes.borrow().len() + self.under_way.get()
    }

    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.filled.notify_one();
        self.drained.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    //= docs/wire.md#w-10
    pub(crate) fn push(&self, message: &Message, request: u64) {
        if self.cut.get() {
            return;
        }
        let mut bytes = self.bytes.borrow_mut();
        if let Err(why) = dray_wire::try_encode(message, request, &mut bytes) {
            // A mistake of ours, and not one for which all others should be left alone.
            tracing::error!(kind = %message.kind(), "a message cannot be sent: {why}");
            if request != 0 {
                let text = Text::new(&format!("the reply does not fit a frame: {why}"));
                let refused = Refused { reason: Reason::TOO_BIG, text, ..Refused::default() };
                dray_wire::encode(&refused.into(), request, &mut bytes);
            }
        }
        if bytes.len() + self.under_way.get() > UNREAD_MAX {
            *bytes = Vec::new();
            self.cut.set(true);
            drop(bytes);
            self.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use dray_wire::messages::{Order, OrderItem, Tokens};
    use dray_wire::{Bytes, Deframer, List};

    use super::*;

    /// Half a frame.
    fn long() -> Message {
        let receipt = Bytes::new(vec![0; 512 << 10]).expect("within its limit");
        let item = OrderItem { receipt, ..OrderItem::default() };
        Order { items: List(vec![item]), ..Order::default() }.into()
    }

    /// What was read is not held against a peer; what is on its way and was not, is.
    #[test]
    fn bytes_on_their_way_count() {
        let (outgoing, mut taken) = (Outgoing::default(), Vec::new());
        for _ in 0..20 {
            outgoing.push(&long(), 0);
        }
        outgoing.take(&mut taken);
        assert_eq!(outgoing.waiting(), taken.len());
        outgoing.sent(taken.len());
        for _ in 0..20 {
            outgoing.push(&long(), 0);
        }
        assert!(!outgoing.is_cut());
        outgoing.take(&mut taken);
        for _ in 0..20 {
            outgoing.push(&long(), 0);
        }
        assert!(outgoing.is_cut() && outgoing.is_closing());
        assert_eq!(outgoing.waiting(), taken.len(), "the rest is forgotten");
    }

    #[test]
    fn a_reply_that_fits_no_frame_is_a_refusal() {
        let (outgoing, mut taken) = (Outgoing::default(), Vec::new());
        let tokens = List(vec![Default::default(); 5000]);
        outgoing.push(&Tokens { tokens }.into(), 7);
        outgoing.take(&mut taken);
        let mut deframer = Deframer::default();
        deframer.buffer().extend_from_slice(&taken);
        let frame = deframer.next_frame().ok().flatten().expect("a frame");
        assert_eq!(frame.header.request, 7);
        let message = Message::decode(frame.header.kind, frame.body);
        let refused = matches!(&message, Ok(Message::Refused(it)) if it.reason == Reason::TOO_BIG);
        assert!(refused, "{message:?}");
    }
}
