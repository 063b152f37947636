//! Records of parts, each written once, when its part is committed. The manifest takes them over later:
//! what a record says, it does not have yet, or says as well.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::commit::sync_folder;
use super::sweep::{ignore_absent, list};
use super::{OutputFolder, PartRecord};
use crate::Error;

/// What follows the name of the part in that of its record.
const RECORD_SUFFIX: &str = ".json";

/// Writes the record of a part.
pub(super) fn write(folder: &OutputFolder, part: &str, record: &PartRecord) -> Result<(), Error> {
    let path = path(folder, part);
    let json = serde_json::to_string(record).map_err(|error| Error::manifest(&path, error))?;
    folder.write(&path, format!("{json}\n").as_bytes())
}

/// All records, by the name of their part.
pub(super) fn load(folder: &OutputFolder) -> Result<BTreeMap<String, PartRecord>, Error> {
    let mut records = BTreeMap::new();
    for (path, name) in list(&folder.records())? {
        if let Some(part) = name.strip_suffix(RECORD_SUFFIX) {
            let bytes = match fs_err::read(&path) {
                // The manifest has just taken it over.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                bytes => bytes?,
            };
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
        ignore_absent(fs_err::remove_file(path(folder, part)))?;
    }
    sync_folder(&folder.records())
}

/// The place of a part's record.
pub(super) fn path(folder: &OutputFolder, part: &str) -> PathBuf {
    folder.records().join(format!("{part}{RECORD_SUFFIX}"))
}
