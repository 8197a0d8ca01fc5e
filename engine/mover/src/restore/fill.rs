//! Reading ranges of a file from the archive and writing them, one call at a time.

use dray_archive::{Archive, FileRecord};
use dray_io::{Aligned, Context, Files, Operation, Range};

use super::settle::Target;
use crate::error::Result;
use crate::tally::Run;

/// Writes `todo`, each stretch of it after it was verified, and no more once the lease has ended.
pub(super) fn fill<F: Files>(
    files: &F,
    archive: &Archive<F>,
    target: &Target<F>,
    (record, place): (&FileRecord, (u32, u64)),
    todo: &[Range],
    run: &Run<'_>,
) -> Result<()> {
    let mut buffer = Aligned::new(0);
    let mut may_act = Ok(());
    for range in todo {
        archive.read(files, record, place, *range, &mut buffer, &mut |at, bytes| {
            if may_act.is_ok() {
                may_act = run.may_act(&target.path);
            }
            if may_act.is_ok() {
                files.write_at(&target.file, bytes, at).during_at(
                    Operation::Write,
                    &target.path,
                    at,
                )?;
            }
            Ok(())
        })?;
        std::mem::replace(&mut may_act, Ok(()))?;
    }
    Ok(())
}
