//! Folders that are tables of a lakehouse: which of their files count stands in a log.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::Error;

/// Says of folders whether they are tables, each looked at once.
#[derive(Default)]
pub(super) struct Tables {
    formats: HashMap<PathBuf, Option<&'static str>>,
    /// Folders that are no table and in none.
    free: HashSet<PathBuf>,
}

impl Tables {
    /// Refuses a file below a folder that is a table.
    ///
    /// # Errors
    /// [`Error::TableFolder`].
    pub(super) fn refuse_above(&mut self, file: &Path) -> Result<(), Error> {
        let parent = file.parent().unwrap_or(file);
        if self.free.contains(parent) {
            return Ok(());
        }
        for folder in std::path::absolute(file)?.ancestors().skip(1) {
            self.refuse(folder)?;
        }
        self.free.insert(parent.to_owned());
        Ok(())
    }

    /// Refuses a folder that is a table.
    ///
    /// # Errors
    /// [`Error::TableFolder`].
    pub(super) fn refuse(&mut self, folder: &Path) -> Result<(), Error> {
        let format = self.formats.entry(folder.to_owned()).or_insert_with(|| format_of(folder));
        match *format {
            Some(format) => Err(Error::TableFolder { folder: folder.to_owned(), format }),
            None => Ok(()),
        }
    }
}

fn format_of(folder: &Path) -> Option<&'static str> {
    if folder.join("_delta_log").is_dir() {
        Some("Delta Lake")
    } else if folder.join(".hoodie").is_dir() {
        Some("Hudi")
    } else if has_iceberg_metadata(&folder.join("metadata")) {
        Some("Iceberg")
    } else {
        None
    }
}

/// The table that a file of a store is in, and its format, if the file's own name says so.
pub(super) fn marks_table(file: &Path) -> Option<(PathBuf, &'static str)> {
    let folder = |mark: &str| file.ancestors().find(|place| place.ends_with(mark))?.parent();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let iceberg = || folder("metadata").filter(|_| is_iceberg_metadata(&name));
    let found = folder("_delta_log").map(|folder| (folder, "Delta Lake"));
    let found = found.or_else(|| folder(".hoodie").map(|folder| (folder, "Hudi")));
    let (folder, format) = found.or_else(|| iceberg().map(|folder| (folder, "Iceberg")))?;
    Some((folder.to_owned(), format))
}

fn has_iceberg_metadata(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| is_iceberg_metadata(&entry.file_name().to_string_lossy()))
}

/// `v3.metadata.json`, or `00003-….metadata.json`, compressed or not.
fn is_iceberg_metadata(name: &str) -> bool {
    let is_numbered = name.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    is_numbered
        && (name.ends_with(".metadata.json")
            || name.ends_with(".gz.metadata.json")
            || name.ends_with(".metadata.json.gz"))
}
