//! A body. Its kind stands before it, or for one decoder alone in `DRAY_FUZZ_KIND`.
#![no_main]

#[allow(dead_code)]
mod checks;

use std::sync::LazyLock;

use dray_wire::Kind;

static KIND: LazyLock<Option<Kind>> = LazyLock::new(|| {
    let number = std::env::var("DRAY_FUZZ_KIND").ok()?;
    let digits = number.strip_prefix("0x").expect("a kind is written 0x0401");
    Some(Kind(u16::from_str_radix(digits, 16).expect("a kind is written 0x0401")))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match *KIND {
    Some(kind) => checks::body(kind, bytes),
    None => checks::chosen(bytes),
});
