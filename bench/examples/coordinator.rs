//! `dray bench coordinator` without the rest of `dray`.

#![forbid(unsafe_code)]

use clap::Parser;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: dray_bench::CoordinatorOptions,
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let report = dray_bench::run_coordinator(&arguments.options)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
