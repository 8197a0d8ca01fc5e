use std::path::Path;

use crate::cold;

/// How every workload is measured, for the reader of a report.
pub(crate) fn common(kept: Option<&Path>) -> Vec<String> {
    let mut list = vec![
        "all movers alternate within a round, each round begins with the next one; one untimed \
         warm-up round of setup only"
            .to_owned(),
        "timed from spawn of the command to exit of the final flush (syncfs) after it".to_owned(),
        if cold::can_drop_caches() {
            "before each run: sync, caches dropped, the programs themselves loaded".to_owned()
        } else {
            "before each run: sync; caches not dropped: not root".to_owned()
        },
        "before each run of a mover that goes through the page cache: as much memory as it will \
         use touched and freed; before that of any other: 256 MiB"
            .to_owned(),
        "CPU is user+system of the process tree and of the flush; writeback by kernel threads is \
         outside, machine_busy_s of each run includes it"
            .to_owned(),
        format!(
            "memory is the peak of the largest process; it cannot show less than the {:.0} MiB of \
             the benchmark itself",
            cold::own_memory() as f64 / f64::from(1 << 20)
        ),
        "results are compared with their source in the first and in the last round".to_owned(),
        "ratios are medians of the ratios within each round; ~ marks those whose spread includes 1"
            .to_owned(),
    ];
    if let Some(path) = kept {
        list.push(format!("working files kept in {}", path.display()));
    }
    list
}
