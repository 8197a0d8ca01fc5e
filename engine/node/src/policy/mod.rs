//! Space management: file systems that are filled to their high mark are brought below the low one
//! (`docs/policy.md`).

mod area;
mod board;
mod busy;
mod candidates;
mod charge;
mod decide;
mod keeper;
mod limits;
mod pattern;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dray_fs::LinuxFiles;
use tokio::sync::{mpsc, watch};

pub use area::{Area, areas};
pub use board::{Note, Standings};
pub use candidates::Candidates;
pub use decide::{Candidate, Held, Inflow, Plan, Pressure, Room, Usage, decide};
pub use pattern::Pattern;
pub use scan::survey;

use crate::daemon::DaemonError;
use crate::leader::Way;
use board::Board;
use busy::Busy;
use charge::Charge;
use keeper::Keeper;
use scan::Scanner;

/// Parts of a scan that wait for the keeper: it takes them at once, unless it waits for the
/// coordinator, and then nobody should go on scanning.
const PARTS: usize = 4;

/// Makes space until it is dropped.
pub(crate) struct Policy {
    stop: watch::Sender<bool>,
    board: Arc<Board>,
}

impl Policy {
    /// With a thread for each physical file system, and one that scans it: both make blocking
    /// calls. None if there is nothing to see to.
    pub(crate) fn start(
        areas: Vec<Area>,
        way: &Way,
        socket: &Path,
    ) -> Result<Option<Self>, DaemonError> {
        if areas.is_empty() {
            return Ok(None);
        }
        let board = Arc::new(Board::beside(socket));
        let mut by_file_system: BTreeMap<[u8; 16], Vec<Arc<Area>>> = BTreeMap::new();
        for area in areas {
            by_file_system.entry(area.file_system).or_default().push(Arc::new(area));
        }
        let (stop, stopped) = watch::channel(false);
        for areas in by_file_system.into_values() {
            start(areas, way.clone(), Arc::clone(&board), stopped.clone())?;
        }
        Ok(Some(Self { stop, board }))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.board.close();
    }
}

fn start(
    areas: Vec<Arc<Area>>,
    way: Way,
    board: Arc<Board>,
    stopped: watch::Receiver<bool>,
) -> Result<(), DaemonError> {
    let haste = Arc::new(AtomicBool::new(false));
    let busy = Arc::new(Busy::default());
    let (scan, wanted) = std::sync::mpsc::channel();
    let (sender, found) = mpsc::channel(PARTS);
    let scanner = Scanner {
        files: LinuxFiles::new(),
        areas: areas.clone(),
        haste: Arc::clone(&haste),
        busy: Arc::clone(&busy),
        wanted,
        found: sender,
    };
    let keeper = Keeper {
        files: LinuxFiles::new(),
        charges: areas.into_iter().map(|area| Charge::new(area, Arc::clone(&busy))).collect(),
        haste,
        scan,
        found,
        scanning: false,
        patience: None,
        warned: HashMap::new(),
        board,
    };
    let thread = std::thread::Builder::new().name("scan".to_owned());
    thread.spawn(move || scanner.run()).map_err(DaemonError::Thread)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(DaemonError::Thread)?;
    let thread = std::thread::Builder::new().name("policy".to_owned());
    let keep = move || runtime.block_on(keeper.run(way, stopped));
    thread.spawn(keep).map_err(DaemonError::Thread)?;
    Ok(())
}
