use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};

use crate::command::Cmd;
use crate::runner::{Held, Meter, Phase};
use crate::scratch::remove;
use crate::tools::Tool;
use crate::tree::usage;

/// A managed directory, its archive and its configuration, made anew for every round.
pub(crate) struct Tier {
    dray: Tool,
    root: PathBuf,
    /// Bytes the managed directory will hold.
    bytes: u64,
}

/// Makes the data at a path that does not exist yet.
pub(crate) type Make = Box<dyn Fn(&Path) -> Result<()>>;
/// Compares the restored data with what was made.
pub(crate) type Verify = Box<dyn Fn(&Path) -> Result<()>>;

impl Tier {
    pub(crate) fn new(dray: &Tool, root: PathBuf, bytes: u64) -> Rc<Self> {
        Rc::new(Self { dray: dray.clone(), root, bytes })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.managed().join("data")
    }

    pub(crate) fn clean(&self) -> Result<()> {
        remove(&self.root)
    }

    fn managed(&self) -> PathBuf {
        self.root.join("managed")
    }

    fn archive(&self) -> PathBuf {
        self.root.join("archive")
    }

    fn cmd(&self) -> Cmd {
        self.dray.cmd().arg("--config").arg(self.root.join("dray.toml"))
    }

    fn init(&self) -> Result<()> {
        for dir in [self.managed(), self.archive()] {
            fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        }
        let init = self.cmd().arg("init").arg("--fs").arg(self.managed());
        init.arg("--archive").arg(self.archive()).run()?;
        Ok(())
    }

    /// An archive that holds less than the data has not been written.
    fn check_archived(&self) -> Result<()> {
        let held = usage(&self.archive())?.allocated;
        ensure!(held >= self.bytes, "the archive holds {held} bytes of {}", self.bytes);
        Ok(())
    }

    /// A restore of what was never released would be timed for doing nothing.
    fn release(&self) -> Result<()> {
        let before = usage(&self.data())?.allocated;
        self.cmd().arg("release").arg(self.data()).run()?;
        let after = usage(&self.data())?.allocated;
        ensure!(after < before / 10, "released, yet {after} of {before} bytes are still there");
        Ok(())
    }

    /// The timed archive, and the timed restore of what was released after it.
    pub(crate) fn phases(self: &Rc<Self>, meter: Meter, make: Make, verify: Verify) -> Vec<Phase> {
        let (fresh, archived) = (Rc::clone(self), Rc::clone(self));
        let (releasing, restored) = (Rc::clone(self), Rc::clone(self));
        let archive = Phase {
            name: "archive",
            meter,
            setup: Box::new(move || {
                fresh.init()?;
                make(&fresh.data())?;
                Ok(Box::new(()) as Held)
            }),
            commands: vec![self.cmd().arg("archive").arg(self.data())],
            check: Box::new(move |_| archived.check_archived()),
        };
        let restore = Phase {
            name: "restore",
            meter,
            setup: Box::new(move || {
                releasing.release()?;
                Ok(Box::new(()) as Held)
            }),
            commands: vec![self.cmd().arg("restore").arg(self.data())],
            check: Box::new(move |full| {
                let data = restored.data();
                if full { verify(&data) } else { Ok(()) }
            }),
        };
        vec![archive, restore]
    }
}
