//! What this machine has seen of files, so that nothing is read again only to find it unchanged.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OutputFolder;
use crate::Error;
use crate::store::{Meta, is_address};

const NOTES_FILE: &str = "notes.json";

/// A change within one tick of the file system's clock leaves no trace in a stamp: one that was
/// taken sooner after the last change is not relied on.
const SETTLED_NS: u64 = 2_000_000_000;

/// What a file system says about a file, short of its content. Any write, rename or replacement
/// changes it; the time of change cannot be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its number in the file system.
    pub inode: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// When its content was last modified, in nanoseconds since 1970 (UTC).
    pub modified_ns: u64,
    /// When its content, name or rights last changed, in nanoseconds since 1970 (UTC).
    pub changed_ns: u64,
}

impl Stamp {
    /// Takes the stamp of a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it is not there.
    pub fn of(path: &Path) -> Result<Self, Error> {
        Ok(Self::from(&fs_err::metadata(path)?))
    }
}

impl From<&Meta> for Stamp {
    /// What a store says of a file. Its tag stands for everything that could change.
    fn from(meta: &Meta) -> Self {
        let tag = meta.identity.as_ref().map(|tag| blake3::hash(tag.as_bytes()));
        let inode = tag.map(|tag| u64::from_le_bytes(tag.as_bytes()[..8].try_into().unwrap_or_default()));
        let (bytes, modified_ns) = (meta.bytes, meta.modified_ns);
        match inode {
            Some(inode) => Self { inode, bytes, modified_ns: 0, changed_ns: 0 },
            // A server that tells neither tag nor time may have anything by now.
            None if modified_ns == 0 => Self { inode: 0, bytes, modified_ns, changed_ns: u64::MAX },
            None => Self { inode: 0, bytes, modified_ns, changed_ns: modified_ns },
        }
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| {
            let total = i128::from(seconds) * 1_000_000_000 + i128::from(rest);
            u64::try_from(total.max(0)).unwrap_or(u64::MAX)
        };
        Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Hashes of files with the stamps they had, kept in an output folder. A cache:
/// lost or damaged, it costs time and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    files: BTreeMap<String, Note>,
    /// What was found in text files, by looking at all of them.
    tables: BTreeMap<String, Note>,
    /// Whatever else the machine should remember. Not interpreted here.
    memory: Map<String, Value>,
    /// Whether there is anything that was not read from a folder.
    #[serde(skip)]
    is_new: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    stamp: Stamp,
    noted_ns: u64,
    hash: String,
}

impl Notes {
    /// Reads the notes of an output folder; empty where there are none that can be used.
    pub fn load(folder: &OutputFolder) -> Self {
        let read = |path: PathBuf| serde_json::from_slice(&folder.store().read(&path).ok()??).ok();
        let old = || Some(Self { is_new: true, ..read(folder.old_notes())? });
        read(path(folder)).or_else(old).unwrap_or_default()
    }

    /// Adds what is new in these notes to those of an output folder.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written.
    pub fn save(&mut self, folder: &OutputFolder) -> Result<(), Error> {
        if !self.is_new {
            return Ok(());
        }
        let known = Self::load(folder);
        let mut all = self.clone();
        for (notes, known) in [(&mut all.files, &known.files), (&mut all.tables, &known.tables)] {
            for (path, note) in known {
                notes.entry(path.clone()).or_insert_with(|| note.clone());
            }
            notes.retain(|path, _| is_address(Path::new(path)) || Path::new(path).exists());
        }
        let json = serde_json::to_string(&all).map_err(std::io::Error::other)?;
        folder.write(&path(folder), json.as_bytes())?;
        self.is_new = false;
        Ok(())
    }

    /// What the machine was to remember.
    pub fn remembered(&self, key: &str) -> Option<&Value> {
        self.memory.get(key)
    }

    /// Remembers something for whoever looks at the output later.
    pub fn remember(&mut self, key: &str, value: Value) {
        if self.memory.get(key) != Some(&value) {
            self.memory.insert(key.to_owned(), value);
            self.is_new = true;
        }
    }

    /// The hash that the file had, if it has the same stamp still.
    pub fn hash_of(&self, path: &Path, stamp: &Stamp) -> Option<&str> {
        still_true(&self.files, path, stamp)
    }

    /// Notes the hash of a file, which it had at some time after `stamp` was taken.
    pub fn note(&mut self, path: &Path, stamp: Stamp, hash: String) {
        self.is_new |= insert(&mut self.files, path, stamp, hash);
    }

    /// What was found in a text file, if it has the same stamp still.
    pub(crate) fn table_of(&self, path: &Path, stamp: &Stamp) -> Option<&str> {
        still_true(&self.tables, path, stamp)
    }

    /// Notes what was found in a text file at some time after `stamp` was taken.
    pub(crate) fn note_table(&mut self, path: &Path, stamp: Stamp, table: String) {
        self.is_new |= insert(&mut self.tables, path, stamp, table);
    }
}

fn path(folder: &OutputFolder) -> PathBuf {
    folder.own().join(NOTES_FILE)
}

/// What a file is noted under, wherever one starts.
fn key(path: &Path) -> Option<String> {
    if is_address(path) {
        return path.to_str().map(str::to_owned);
    }
    std::path::absolute(path).ok()?.to_str().map(str::to_owned)
}

fn still_true<'a>(notes: &'a BTreeMap<String, Note>, path: &Path, stamp: &Stamp) -> Option<&'a str> {
    let note = notes.get(&key(path)?)?;
    let settled = note.noted_ns.saturating_sub(note.stamp.changed_ns) > SETTLED_NS;
    (settled && *stamp == note.stamp).then_some(note.hash.as_str())
}

/// Returns whether there is a place for it.
fn insert(notes: &mut BTreeMap<String, Note>, path: &Path, stamp: Stamp, hash: String) -> bool {
    let Some(path) = key(path) else { return false };
    notes.insert(path, Note { stamp, noted_ns: now_ns(), hash });
    true
}

fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
