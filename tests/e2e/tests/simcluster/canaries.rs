//! What is spoilt on purpose is caught by the check that is there for it.

use crate::checks::Check;
use crate::cluster::Wrong;
use crate::run::Stage;
use crate::scenario;

/// What is wrong, in which scenario, what has to catch it, and with how many seeds at most.
const CANARIES: [(Wrong, &str, Check, u64); 11] = [
    (Wrong::LeaseIgnored, "storm", Check::Fence, 200),
    (Wrong::LeaseIgnored, "succession", Check::Fence, 500),
    (Wrong::NothingChecked, "storm", Check::Fence, 200),
    (Wrong::NothingChecked, "succession", Check::Fence, 500),
    (Wrong::OutcomeTurned, "storm", Check::Promise, 50),
    (Wrong::BlockForgotten, "succession", Check::Promise, 50),
    (Wrong::LeadIgnored, "succession", Check::Fence, 500),
    (Wrong::ByteTurned, "storm", Check::Whole, 50),
    (Wrong::RightAssumed, "storm", Check::Exclusive, 50),
    (Wrong::AnswerSwallowed, "storm", Check::Reader, 50),
    (Wrong::OutcomeSwallowed, "storm", Check::Drain, 50),
];

/// The first seed with which a check notices what is wrong.
fn caught(wrong: Wrong, scenario: &str, check: Check, most: u64) -> Option<u64> {
    let stage = Stage::new(scenario::load(scenario));
    (0..most).find(|seed| {
        let outcome = stage.run(*seed, wrong, false);
        outcome.faults.iter().any(|fault| fault.check == check)
    })
}

#[test]
fn what_is_spoilt_is_caught() {
    for (wrong, scenario, check, most) in CANARIES {
        let seed = caught(wrong, scenario, check, most);
        let seed = seed.unwrap_or_else(|| {
            panic!("{wrong:?} in {scenario}: {check:?} does not catch it with {most} seeds")
        });
        println!("{wrong:?} in {scenario}: {check:?} catches it with seed {seed}");
    }
}
