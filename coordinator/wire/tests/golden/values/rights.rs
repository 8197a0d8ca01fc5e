//! *Rights*.

use dray_wire::messages::{
    DowngradeRight, QueryRight, ReleaseRight, RequestRight, RightIs, UpgradeRight,
};
use dray_wire::{Message, Right, SessionId, Token, Zeros};

use super::{handle, other_handle};

pub(super) fn all() -> Vec<Message> {
    vec![
        RequestRight {
            session: SessionId(51),
            token: Token(52),
            handle: handle(),
            right: Right::EXCL,
            wait: 1,
            reserved: Zeros,
        }
        .into(),
        ReleaseRight { session: SessionId(53), token: Token(54), handle: other_handle() }.into(),
        UpgradeRight {
            session: SessionId(55),
            token: Token(56),
            handle: handle(),
            wait: 1,
            reserved: Zeros,
        }
        .into(),
        DowngradeRight { session: SessionId(57), token: Token(58), handle: handle() }.into(),
        QueryRight { session: SessionId(59), token: Token(60), handle: handle() }.into(),
        RightIs { right: Right::SHARED, reserved: Zeros }.into(),
    ]
}
