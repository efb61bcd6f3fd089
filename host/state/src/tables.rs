//! What is in the file, and how a transaction changes it.

use std::collections::BTreeMap;
use std::ops::Range;

use portcullis_model::TenantName;
use portcullis_model::fault::StateFault;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::added;
use crate::space::{SpaceName, tenant_of};
use crate::usage::{Bounds, Holdings, Usage};

/// (space, key) to value.
pub(crate) const ENTRIES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("entries");
/// Space to how many keys it has, and how many bytes keys and values together.
pub(crate) const USAGE: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("usage");
/// Tenant to the same of all its spaces together. Counted anew whenever the store is opened.
pub(crate) const SUMS: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("sums");

type Sums = BTreeMap<String, Usage>;
type Entries<'t> = Table<'t, (&'static str, &'static str), &'static [u8]>;
type Usages<'t> = Table<'t, &'static str, (u32, u64)>;

/// The tables in a transaction that changes them.
pub(crate) struct Tables<'t> {
    entries: Entries<'t>,
    /// Of each space.
    usage: Usages<'t>,
    /// Of each tenant's spaces together.
    sums: Usages<'t>,
}

/// What is to be cleared.
#[derive(Debug)]
pub(crate) enum Extent {
    Key(SpaceName, String),
    Space(SpaceName),
    Tenant(TenantName),
}

/// Why a change was not made.
pub(crate) enum Stop {
    /// The change is at fault: those beside it go on.
    Refused(StateFault),
    /// The store is, and the whole transaction with it.
    Broken(redb::Error),
}

/// Makes the tables, so that a read never finds them missing, and the sums: a store of before there were tenants has
/// none. Nothing is written where all is as it should be: that works on a full disk too.
pub(crate) fn prepare(database: &Database) -> Result<(), redb::Error> {
    if is_prepared(&database.begin_read()?)? {
        return Ok(());
    }
    let transaction = begin(database)?;
    transaction.open_table(ENTRIES)?;
    let sums = count(&transaction.open_table(USAGE)?)?;
    transaction.delete_table(SUMS)?;
    {
        let mut table = transaction.open_table(SUMS)?;
        for (tenant, sum) in sums {
            table.insert(tenant.as_str(), <(u32, u64)>::from(sum))?;
        }
    }
    Ok(transaction.commit()?)
}

fn is_prepared(transaction: &ReadTransaction) -> Result<bool, redb::Error> {
    let tables = transaction.open_table(ENTRIES).and_then(|_| {
        let usage = transaction.open_table(USAGE)?;
        Ok((usage, transaction.open_table(SUMS)?))
    });
    let (usage, sums) = match tables {
        Err(TableError::TableDoesNotExist(_)) => return Ok(false),
        tables => tables?,
    };
    let mut kept = Sums::new();
    for entry in sums.iter()? {
        let (tenant, sum) = entry?;
        kept.insert(tenant.value().to_owned(), sum.value().into());
    }
    Ok(kept == count(&usage)?)
}

fn count(usage: &impl ReadableTable<&'static str, (u32, u64)>) -> Result<Sums, redb::Error> {
    let mut sums = Sums::new();
    for entry in usage.iter()? {
        let (space, usage) = entry?;
        let usage = Usage::from(usage.value());
        // Stores of before kept a row for what was emptied.
        if usage == Usage::default() {
            continue;
        }
        let sum = sums.entry(tenant_of(space.value()).to_owned()).or_default();
        *sum = sum.plus(usage);
    }
    Ok(sums)
}

/// Begins a change. Its commit has two phases, so that the header never names a commit that is not wholly on disk: a
/// commit of one phase is told from a torn one by a checksum alone, which is no match for a policy that chooses values.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// What a space, or a tenant, holds.
pub(crate) fn kept(table: &impl ReadableTable<&'static str, (u32, u64)>, whose: &str) -> Result<Usage, StorageError> {
    Ok(table.get(whose)?.map_or_else(Usage::default, |kept| kept.value().into()))
}

/// The first name after all that are `space`.
pub(crate) fn end_of(space: &str) -> String {
    format!("{space}\0")
}

// === impl Tables ===

impl<'t> Tables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            usage: transaction.open_table(USAGE)?,
            sums: transaction.open_table(SUMS)?,
        })
    }

    pub(crate) fn compare_and_set(
        &mut self,
        space: &SpaceName,
        bounds: Bounds,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, Stop> {
        let current = self.current(space, key)?;
        if current.as_deref() != expected {
            return Ok(false);
        }
        self.set(space, bounds, key, current.as_deref(), value)?;
        Ok(true)
    }

    pub(crate) fn add(&mut self, space: &SpaceName, bounds: Bounds, key: &str, delta: i64) -> Result<i64, Stop> {
        let current = self.current(space, key)?;
        let sum = added(key, current.as_deref(), delta)?;
        self.set(space, bounds, key, current.as_deref(), Some(&sum.to_le_bytes()))?;
        Ok(sum)
    }

    /// How much went is the answer. 20,000 keys take some 5 ms, which is no longer than a commit on many a disk: so it
    /// is one transaction, and nobody sees half of it.
    pub(crate) fn clear(&mut self, extent: &Extent) -> Result<Usage, Stop> {
        match extent {
            Extent::Key(space, key) => {
                let current = self.current(space, key)?;
                // What only shrinks is within any bounds.
                self.set(space, Bounds::default(), key, current.as_deref(), None)?;
                Ok(Usage::of(key, current.as_deref()))
            }
            Extent::Space(space) => Ok(self.clear_space(space.as_str(), space.tenant().as_str())?),
            Extent::Tenant(tenant) => {
                let mut gone = Usage::default();
                for space in self.spaces_of(tenant)? {
                    gone = gone.plus(self.clear_space(&space, tenant.as_str())?);
                }
                Ok(gone)
            }
        }
    }

    fn clear_space(&mut self, space: &str, tenant: &str) -> Result<Usage, StorageError> {
        let end = end_of(space);
        let all: Range<(&str, &str)> = (space, "")..(end.as_str(), "");
        let mut gone = Usage::default();
        for entry in self.entries.extract_from_if(all, |_, _| true)? {
            let (key, value) = entry?;
            gone = gone.plus(Usage::of(key.value().1, Some(value.value())));
        }
        let held = kept(&self.usage, space)?;
        let left = kept(&self.sums, tenant)?.minus(held);
        keep(&mut self.usage, space, Usage::default())?;
        keep(&mut self.sums, tenant, left)?;
        Ok(gone)
    }

    fn spaces_of(&self, tenant: &TenantName) -> Result<Vec<String>, StorageError> {
        let mut spaces = Vec::new();
        for entry in self.usage.iter()? {
            let (space, _) = entry?;
            if tenant_of(space.value()) == tenant.as_str() {
                spaces.push(space.value().to_owned());
            }
        }
        Ok(spaces)
    }

    fn current(&self, space: &SpaceName, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.entries.get((space.as_str(), key))?.map(|value| value.value().to_vec()))
    }

    /// Refused where what the space, or all of its tenant's together, holds would grow past its limit.
    fn set(
        &mut self,
        space: &SpaceName,
        bounds: Bounds,
        key: &str,
        current: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Stop> {
        let (name, tenant) = (space.as_str(), space.tenant().as_str());
        let held = Holdings { space: kept(&self.usage, name)?, tenant: kept(&self.sums, tenant)? };
        let held = held.replacing(Usage::of(key, current), Usage::of(key, value), bounds)?;
        match value {
            Some(value) => self.entries.insert((name, key), value).map(drop),
            None => self.entries.remove((name, key)).map(drop),
        }?;
        keep(&mut self.usage, name, held.space)?;
        Ok(keep(&mut self.sums, tenant, held.tenant)?)
    }
}

/// What holds nothing is not listed.
fn keep(table: &mut Usages<'_>, whose: &str, usage: Usage) -> Result<(), StorageError> {
    if usage == Usage::default() {
        table.remove(whose).map(drop)
    } else {
        table.insert(whose, <(u32, u64)>::from(usage)).map(drop)
    }
}

// === impl Stop ===

impl From<StateFault> for Stop {
    fn from(fault: StateFault) -> Self {
        Self::Refused(fault)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Broken(error.into())
    }
}
