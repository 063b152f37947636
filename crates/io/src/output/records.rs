//! Records of parts, each written once, when its part is committed. The manifest takes them over later:
//! what a record says, it does not have yet, or says as well.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::commit::sync_folder;
use super::{OutputFolder, PartRecord};
use crate::store::On;
use crate::{Error, Store};

/// What follows the name of the part in that of its record.
const RECORD_SUFFIX: &str = ".json";

/// Writes the record of a part.
pub(super) fn write(folder: &OutputFolder, part: &str, record: &PartRecord) -> Result<(), Error> {
    let path = path(folder, part);
    let json = serde_json::to_string(record).map_err(|error| Error::manifest(&path, error))?;
    let json = format!("{json}\n");
    if let Store::Remote(remote) = folder.store()
        && remote.put(&path, json.as_bytes(), On::Create)?.is_some()
    {
        return Ok(());
    }
    if !folder.store().is_local() && !folder.is_leased() {
        // Another worker was faster with the same part.
        return Ok(());
    }
    // In a store, whoever has left another one does not hold the output any more.
    folder.write(&path, json.as_bytes())
}

/// All records, by the name of their part.
pub(super) fn load(folder: &OutputFolder) -> Result<BTreeMap<String, PartRecord>, Error> {
    let mut records = BTreeMap::new();
    for (path, bytes) in folder.store().contents(&folder.records())? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(part) = name.strip_suffix(RECORD_SUFFIX) {
            let record = serde_json::from_slice(&bytes).map_err(|error| Error::manifest(&path, error))?;
            records.insert(part.to_owned(), record);
        }
    }
    Ok(records)
}

/// Removes the records of these parts, for good.
pub(super) fn remove(folder: &OutputFolder, records: Vec<(&String, &PartRecord)>) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    for (part, _) in records {
        folder.remove(&path(folder, part))?;
    }
    if folder.store().is_local() { sync_folder(&folder.records()) } else { Ok(()) }
}

/// The place of a part's record.
pub(super) fn path(folder: &OutputFolder, part: &str) -> PathBuf {
    folder.records().join(format!("{part}{RECORD_SUFFIX}"))
}
