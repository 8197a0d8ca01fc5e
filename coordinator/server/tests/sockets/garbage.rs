//! Bytes that mean nothing.

use dray_wire::Message;
use dray_wire::messages::{CreateSession, Submit};

use crate::party::{Place, Witness, frame, run};

/// Splitmix64: the same bytes in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[test]
fn garbage_harms_nobody() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let mut dice = Dice(1);
        for round in 0..300 {
            let mut raw = if round % 2 == 0 { place.raw().await } else { place.greeted().await };
            let length = 32 + dice.below(70_000);
            raw.send(&dice.bytes(length)).await;
            raw.refused(0, dray_wire::Reason::MALFORMED).await;
            raw.closed().await;
        }
        witness.unharmed("garbage").await;
    });
}

/// Frames with a byte changed: nothing but refusals, or the end.
#[test]
fn damaged_frames_harm_nobody() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let mut dice = Dice(2);
        for _ in 0..300 {
            let mut raw = place.greeted().await;
            let good = [frame(CreateSession::default(), 5), frame(Submit::default(), 6)].concat();
            let mut bad = good;
            let at = dice.below(bad.len());
            bad[at] ^= 1 + dice.below(255) as u8;
            raw.send(&bad).await;
            raw.hang_up().await;
            while let Some((_, message)) = raw.next().await {
                let known = matches!(message, Message::Refused(_) | Message::SessionCreated(_));
                assert!(known, "{message:?}");
            }
        }
        witness.unharmed("damaged frames").await;
    });
}
