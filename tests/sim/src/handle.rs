//! Open files and directories, and what every call on one does first.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard};

use dray_io::{Access, Operation, Range};

use crate::errors::Errno;
use crate::image::Id;
use crate::sim::{Intent, Sim};
use crate::state::{Open, State};

/// An open file. Closed when dropped.
#[derive(Debug)]
pub struct SimFile {
    sim: Sim,
    pub(crate) boot: u64,
    pub(crate) handle: u64,
    pub(crate) open: Open,
    pub(crate) path: Arc<Path>,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.sim.state();
        if state.boot == self.boot {
            state.close(self.handle);
        }
    }
}

/// A directory being listed, in an order that is neither that of names nor that of creation.
#[derive(Debug)]
pub struct SimDir {
    pub(crate) boot: u64,
    pub(crate) id: Id,
    pub(crate) path: Arc<Path>,
    pub(crate) after: Option<(u64, OsString)>,
}

impl Sim {
    pub(crate) fn call(
        &self,
        operation: Operation,
        path: &Path,
    ) -> io::Result<MutexGuard<'_, State>> {
        let intent = Intent { operation, path, id: None, range: None, ring: false };
        let (state, verdict) = self.begin(intent);
        verdict.map(|()| state)
    }

    pub(crate) fn on(
        &self,
        operation: Operation,
        file: &SimFile,
    ) -> io::Result<MutexGuard<'_, State>> {
        self.on_range(operation, file, None)
    }

    pub(crate) fn on_range(
        &self,
        operation: Operation,
        file: &SimFile,
        range: Option<Range>,
    ) -> io::Result<MutexGuard<'_, State>> {
        let id = Some(file.open.id);
        let (state, verdict) =
            self.begin(Intent { operation, path: &file.path, id, range, ring: false });
        verdict?;
        self.check(&state, file.boot)?;
        Ok(state)
    }

    pub(crate) fn opened(&self, state: &mut State, id: Id, access: Access, path: &Path) -> SimFile {
        let open = Open { id, access, process: self.number() };
        let handle = state.open(open);
        SimFile { sim: self.clone(), boot: state.boot, handle, open, path: path.into() }
    }
}

pub(crate) fn need(allowed: bool) -> io::Result<()> {
    if allowed { Ok(()) } else { Err(Errno::BadDescriptor.into()) }
}
