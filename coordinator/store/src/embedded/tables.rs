//! What is in the database.

use std::path::Path;

use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError,
    WriteTransaction,
};

use crate::error::{Error, FORMAT, Result};
use crate::span::Span;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
pub(super) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");

/// What a store says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub format: u32,
    pub cluster: [u8; 16],
    pub epoch: u64,
}

impl Meta {
    pub(super) fn check(&self, path: &Path, cluster: [u8; 16]) -> Result<()> {
        let at = || path.display().to_string();
        if self.format != FORMAT {
            return Err(Error::Version { at: at(), found: self.format });
        }
        if self.cluster != cluster {
            return Err(Error::OtherCluster { at: at(), found: self.cluster, expected: cluster });
        }
        Ok(())
    }
}

/// Turns errors of the database into ours.
pub(super) fn failed(operation: &'static str, path: &Path) -> impl Fn(redb::Error) -> Error {
    let path = path.to_owned();
    move |cause| {
        let path = path.clone();
        match cause {
            redb::Error::Io(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
                Error::Damaged { path, why: "it ends too early".into() }
            }
            redb::Error::Io(cause) => Error::io(operation, &path, cause),
            redb::Error::DatabaseAlreadyOpen => Error::Locked { path },
            redb::Error::Corrupted(why) => Error::Damaged { path, why },
            redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => {
                Error::NotAStore { path, why: cause.to_string() }
            }
            _ => Error::Damaged { path, why: cause.to_string() },
        }
    }
}

/// Meta and blocks at hand, or why this is no store.
pub(super) fn look(database: &Database) -> Result<Result<(Meta, Span), String>, redb::Error> {
    let transaction = database.begin_read()?;
    let no_table = |error: TableError| match error {
        TableError::Storage(error) => Err(redb::Error::from(error)),
        other => Ok(other.to_string()),
    };
    let meta = match transaction.open_table(META) {
        Ok(table) => table,
        Err(error) => return no_table(error).map(Err),
    };
    let get = |key: &str| -> Result<Option<Vec<u8>>, redb::Error> {
        Ok(meta.get(key)?.map(|value| value.value().to_vec()))
    };
    let Some(format) = get("format")?.and_then(|it| it.try_into().ok()).map(u32::from_le_bytes)
    else {
        return Ok(Err("it names no format".into()));
    };
    let cluster = get("cluster")?.and_then(|it| it.try_into().ok()).unwrap_or_default();
    let number = |key: &str| -> Result<u64, redb::Error> {
        Ok(get(key)?.and_then(|it| it.try_into().ok()).map_or(0, u64::from_le_bytes))
    };
    let found = Meta { format, cluster, epoch: number("epoch")? };
    if format != FORMAT {
        // Of another format this much is certain and no more.
        return Ok(Ok((found, Span::EMPTY)));
    }
    let first = number("first")?;
    let blocks = match transaction.open_table(BLOCKS) {
        Ok(table) => table,
        Err(error) => return no_table(error).map(Err),
    };
    let next = blocks.last()?.map_or(first, |(number, _)| number.value() + 1);
    Ok(Ok((found, Span { first, next })))
}

/// Everything of one commit, durable when it returns. `before` is what is kept until then.
pub(super) fn commit(
    database: &Database,
    meta: &Meta,
    frames: &[(u64, Vec<u8>)],
    before: Span,
    after: Span,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    write(&transaction, meta, frames, before, after)?;
    Ok(transaction.commit()?)
}

fn write(
    transaction: &WriteTransaction,
    meta: &Meta,
    frames: &[(u64, Vec<u8>)],
    before: Span,
    after: Span,
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(META)?;
    table.insert("format", meta.format.to_le_bytes().as_slice())?;
    table.insert("cluster", meta.cluster.as_slice())?;
    table.insert("epoch", meta.epoch.to_le_bytes().as_slice())?;
    table.insert("first", after.first.to_le_bytes().as_slice())?;
    let mut blocks = transaction.open_table(BLOCKS)?;
    for number in before.first..after.first {
        blocks.remove(number)?;
    }
    for (number, frame) in frames {
        blocks.insert(number, frame.as_slice())?;
    }
    Ok(())
}

/// Calls `each` with number and frame, in order, until it fails.
pub(super) fn each_block(
    database: &Database,
    each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
) -> Result<Result<()>, redb::Error> {
    let blocks = database.begin_read()?.open_table(BLOCKS)?;
    for entry in blocks.iter()? {
        let (number, frame) = entry?;
        if let Err(error) = each(number.value(), frame.value()) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}
