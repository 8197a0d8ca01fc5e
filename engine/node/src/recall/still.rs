//! Files that nobody moves for a moment, as a program cuts them to nothing.
//!
//! When a file is opened with `O_TRUNC` the kernel tells of the opening, and not of the cutting
//! which follows. Data that came back in between would make the file longer again. So before the
//! program goes on, whoever serves events takes the file's right (`docs/wire.md`, W-44).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dray_io::Handle;
use dray_wire::Token;

use super::waiting::Waiting;

/// How long others may join those who go on: each is given ten seconds, and the right is kept for
/// fifteen.
const FRESH: Duration = Duration::from_secs(3);

/// One such file.
struct Still {
    /// Of the event by which it was asked for.
    token: Token,
    /// Since then nobody moves it.
    granted: Option<Instant>,
    /// Who may have been let go to cut it, and has not done so yet.
    cutting: usize,
    /// Who goes on as soon as nobody moves it.
    first: Vec<Waiting>,
    /// Who needs data, and with it that it is moved.
    then: Vec<Waiting>,
}

/// By file.
#[derive(Default)]
pub(crate) struct Stills(HashMap<Handle, Still>);

impl Stills {
    pub(crate) fn is_still(&self, handle: Handle) -> bool {
        let granted = self.0.get(&handle).and_then(|still| still.granted);
        granted.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// An access that may go on once nobody moves its file. True if that has to be asked for, under
    /// this token. One that comes late has to wait for the next time.
    pub(crate) fn wait(&mut self, handle: Handle, one: Waiting, token: Token) -> bool {
        if let Some(still) = self.0.get_mut(&handle) {
            let list = if still.granted.is_some() { &mut still.then } else { &mut still.first };
            list.push(one);
            return false;
        }
        let (first, then) = (vec![one], Vec::new());
        self.0.insert(handle, Still { token, granted: None, cutting: 0, first, then });
        true
    }

    /// Keeps an access that needs data until the file may be moved again, if it may not now.
    pub(crate) fn hold_back(&mut self, handle: Handle, one: Waiting) -> Option<Waiting> {
        let Some(still) = self.0.get_mut(&handle) else { return Some(one) };
        still.then.push(one);
        None
    }

    /// Nobody moves it: who goes on.
    pub(crate) fn granted(&mut self, handle: Handle) -> Vec<Waiting> {
        let Some(still) = self.0.get_mut(&handle) else { return Vec::new() };
        still.granted = Some(Instant::now());
        std::mem::take(&mut still.first)
    }

    /// Somebody was let go to cut it.
    pub(crate) fn begin_cut(&mut self, handle: Handle) {
        if let Some(still) = self.0.get_mut(&handle) {
            still.cutting += 1;
        }
    }

    /// Somebody has cut it, or will not.
    pub(crate) fn end_cut(&mut self, handle: Handle) {
        if let Some(still) = self.0.get_mut(&handle) {
            still.cutting -= 1;
        }
    }

    /// If nobody cuts it any more: the token, and who waited for that.
    pub(crate) fn end(&mut self, handle: Handle) -> Option<(Token, Vec<Waiting>)> {
        let over = self.0.get(&handle).is_some_and(|it| it.granted.is_some() && it.cutting == 0);
        let still = over.then(|| self.0.remove(&handle)).flatten()?;
        Some((still.token, still.then))
    }

    /// It was refused: all who waited.
    pub(crate) fn refused(&mut self, handle: Handle) -> (Vec<Waiting>, Vec<Waiting>) {
        let still = self.0.remove(&handle);
        still.map_or_else(Default::default, |still| (still.first, still.then))
    }
}
