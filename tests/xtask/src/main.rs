//! The one door: `cargo xtask <task>`.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod check;
mod engines;
mod failover;
mod fuzz;
mod hammer;
mod host;
mod instructions;
mod loops;
mod machine;
mod memory;
mod place;
mod rounds;
mod run;
mod test;
mod tuning;

use std::process::ExitCode;

use crate::args::Args;

const HELP: &str = "\
usage: cargo xtask <task>

  check [--advisories] [--install]   format, lints, house rules, documentation, licences
                                     --install fetches cargo-deny if it is missing (CI=true too)
  test [--quick] [FILTER]            all tests; as root installs the tools they need first
                                     --quick leaves end-to-end and documentation tests out
  crash [--rounds N]                 long form of the kill -9 test (500 rounds)
  cluster [--files N] [--gib N]      three nodes in network namespaces over shared LUNs: 20,000
                                     files and one of 8 GiB archived, released, restored, compared
  failover [--rounds N] [--out FILE] three nodes over an etcd of three, each fault 50 times under
                                     load; FILE gets how long the work stood still, as JSON
  sim [--rounds N]                   long form of the simulation (1000 seeds)
  sim --cluster [--seeds N] [--scenario NAME]
                                     the whole cluster simulated: N seeds of each scenario (1000)
  sim --cluster --seed N [--scenario NAME]
                                     one seed, twice and compared, with all that happens in it
  bench [--out DIR] [--dry-run] [-- ARGS]
                                     runs the benchmarks, keeps results with their machine;
                                     ARGS go to each benchmark
  engines [--out FILE] [-- ARGS]     builds other engines beside that of the product, and runs
                                     dray bench engines with ARGS; FILE gets its result as JSON
  fuzz [--seconds N] [--target frame|body] [--kind 0xNNNN] [--jobs N] [--keep]
                                     every decoder of the protocol under libFuzzer, or one (1800 s
                                     each, one per processor at a time); needs a C++ compiler
                                     --keep adds to tests/fuzz/corpus what reaches further
  memory [--files N] [--gib N] [--dir DIR] [--out FILE]
                                     peak memory by number of files and by size of a file
  hammer [--minutes N] [--processes N] [--files N] [--fs ext4|xfs|btrfs]
                                     32 processes access 5,000 files in every way for 20 minutes on
                                     each file system while these are released, and drayd is killed
  instructions [--record] [--release VERSION]
                                     instructions of hot paths under callgrind, held against
                                     bench/runs/instructions.json; --record writes that, --release
                                     a line of bench/runs/releases.jsonl
  locality [--files N] [--rounds N] [--out FILE]
                                     20,000 files archived and restored in the order in which their
                                     data lies and at random, in turn; FILE (locality.json) gets
                                     seconds and requests of the device
  stall [--out DIR]                  a device that stalls under an open loop of dray and of fio; DIR
                                     (stall) gets their results and the report of both
  tuning [--dir DIR] [--rounds N] [--mib N] [--out FILE]
                                     drayd with a profile of DIR against drayd as usual, in turn,
                                     and what faults that `tune doctor` names cost a copy, as JSON
  loop-clean [--dry-run]             detaches loop devices and mounts left by tests below the
                                     temporary directory (TMPDIR)
  help                               this
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let task = words.next().unwrap_or_else(|| "help".into());
    let args = Args::new(words.collect());
    let result = match task.as_str() {
        "check" => check::run(args),
        "test" => test::run(args),
        "crash" => rounds::crash(args),
        "cluster" => rounds::cluster(args),
        "failover" => failover::run(args),
        "sim" => rounds::sim(args),
        "bench" => bench::run(args),
        "engines" => engines::run(args),
        "fuzz" => fuzz::run(args),
        "hammer" => hammer::run(args),
        "memory" => memory::run(args),
        "instructions" => instructions::run(args),
        "locality" => rounds::locality(args),
        "stall" => rounds::stall(args),
        "tuning" => tuning::run(args),
        "loop-clean" => loops::clean(args),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("{HELP}");
            eprintln!("\nxtask: no task named {other}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => {
            println!("xtask {task}: passed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask {task}: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
