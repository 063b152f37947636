//! What is written: files that appear whole, and a folder of them that knows what it holds.

pub(crate) mod commit;
mod difference;
mod folder;
mod hash;
mod lease;
mod lock;
mod manifest;
mod notes;
mod old;
mod recorded;
mod records;
mod shared;
pub(crate) mod sweep;

pub use commit::{sync_folder, write_atomically};
pub use difference::{Difference, differences};
pub use folder::{OutputFolder, PartStamps, SUCCESS_FILE};
pub use hash::{blake3_file, blake3_file_while};
pub use lock::{OutputLock, refuse_if_locked};
pub use manifest::{Content, FORMAT_VERSION, InputRecord, Manifest, PartRecord};
pub use notes::{Notes, Stamp};
pub use shared::SharedManifest;
pub(crate) use sweep::{ignore_absent, list};
pub use sweep::{stray_parts, sweep_temporaries, unknown_files};
