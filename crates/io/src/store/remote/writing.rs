//! Files that appear in a store whole or not at all.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryFutureExt, TryStreamExt, stream};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::failure::{Doing, failure, is_unsupported, no_conditions, reason};
use super::{Remote, patiently};
use crate::Error;

/// Longer files are uploaded in pieces of this size, each of which is tried again by itself.
const PIECE_BYTES: usize = 8 << 20;
/// So many pieces are on their way at once.
const PIECES_AT_ONCE: usize = 4;

/// What a file is noted under while it is uploaded in pieces.
const UPLOADS_FOLDER: &str = "uploads";

/// One state of a file among those it has had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(UpdateVersion);

impl Version {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self(UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() })
    }
}

/// What a write does where a file is.
#[derive(Debug, Clone)]
pub(crate) enum On {
    Overwrite,
    /// Nothing is written.
    Create,
    /// Nothing is written unless it is this one.
    Update(Version),
}

/// An upload that is under way, for whoever finds it abandoned.
#[derive(Serialize, Deserialize)]
struct Upload {
    key: String,
    id: String,
}

impl Remote {
    /// Writes a small file at once; `None` if another is there than was said.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8], on: On) -> Result<Option<Version>, Error> {
        self.put_within(None, path, bytes, on)
    }

    /// As [`Remote::put`]; what was not done within `limit` is not done later either.
    pub(crate) fn put_within(
        &self,
        limit: Option<Duration>,
        path: &Path,
        bytes: &[u8],
        on: On,
    ) -> Result<Option<Version>, Error> {
        let key = self.key(path)?;
        let payload = Bytes::copy_from_slice(bytes);
        let (is_conditional, may_be_gone) = (!matches!(on, On::Overwrite), matches!(on, On::Update(_)));
        let mode = match on {
            On::Overwrite => PutMode::Overwrite,
            On::Create => PutMode::Create,
            On::Update(version) => PutMode::Update(version.0),
        };
        let answer = |error| if is_conditional { error } else { without_condition(error) };
        let put = self.ask(limit, || {
            let payload = PutPayload::from_bytes(payload.clone());
            self.files().put_opts(&key, payload, PutOptions::from(mode.clone())).map_err(answer)
        });
        use object_store::Error as E;
        match put {
            Ok(put) => Ok(Some(Version(put.into()))),
            // An earlier attempt may have come through without its answer.
            Err(E::AlreadyExists { .. } | E::Precondition { .. }) if is_conditional => {
                self.version_if_same(path, bytes)
            }
            Err(E::NotFound { .. }) if may_be_gone => self.version_if_same(path, bytes),
            Err(error) if is_conditional && is_unsupported(&error) => {
                Err(no_conditions(path, &format!("this one does not know them: {}", reason(&error))))
            }
            Err(error) => Err(failure(Doing::Write, path, error)),
        }
    }

    /// The version of a file that has these bytes.
    fn version_if_same(&self, path: &Path, bytes: &[u8]) -> Result<Option<Version>, Error> {
        Ok(self.get(path)?.filter(|(there, _)| there == bytes).map(|(_, version)| version))
    }

    /// The failure of a store that has `refused` conditional writes of a file that nobody else has written.
    pub(crate) fn no_conditions(&self, path: &Path, refused: u32) -> Error {
        no_conditions(
            path,
            &format!("this one refused {refused} in a row though nobody else had written the file"),
        )
    }

    /// Writes a file that has been made here. One that is there has the same name and so the same bytes.
    /// What is under way is noted in the folder `own`.
    pub(crate) fn upload(&self, path: &Path, mut file: fs_err::File, own: &Path) -> Result<(), Error> {
        let bytes = file.metadata()?.len();
        file.rewind()?;
        if bytes <= PIECE_BYTES as u64 {
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            return match self.put(path, &content, On::Create)? {
                Some(_) => Ok(()),
                None => self.put(path, &content, On::Overwrite).map(drop),
            };
        }
        let store = self.uploads_to(path)?;
        let key = self.key(path)?;
        let failed = |error| failure(Doing::Write, path, error);
        let id = self.ask(None, || store.create_multipart(&key)).map_err(failed)?;
        let upload = Upload { key: key.to_string(), id: id.clone() };
        let note = own.join(UPLOADS_FOLDER).join(format!("{}.json", blake3::hash(id.as_bytes()).to_hex()));
        let json = serde_json::to_vec(&upload).map_err(std::io::Error::other)?;
        if let Err(error) = self.put(&note, &json, On::Overwrite) {
            // Nobody would know of it.
            let _ = self.ask(None, || store.abort_multipart(&key, &id));
            return Err(error);
        }
        let done = self.send(store, &key, &id, file, bytes);
        if let Err(error) = done {
            // Whoever comes next does it if this fails too.
            if self.ask(None, || store.abort_multipart(&key, &id)).is_ok() {
                self.remove(&note)?;
            }
            return Err(match error {
                Sending::Reading(error) => error.into(),
                Sending::Store(error) => failed(error),
            });
        }
        self.remove(&note)
    }

    fn send(
        &self,
        store: &Arc<dyn MultipartStore>,
        key: &Key,
        id: &String,
        mut file: fs_err::File,
        bytes: u64,
    ) -> Result<(), Sending> {
        let pieces = bytes.div_ceil(PIECE_BYTES as u64) as usize;
        let read = |index: usize| {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
            Ok::<_, Sending>((index, Bytes::from(piece)))
        };
        self.wait(async {
            let parts: Vec<_> = stream::iter((0..pieces).map(read))
                .map(|read| async {
                    let (index, piece) = read?;
                    let put = || store.put_part(key, id, index, PutPayload::from_bytes(piece.clone()));
                    patiently(self.patience, put).await.map_err(Sending::Store)
                })
                .buffered(PIECES_AT_ONCE)
                .try_collect()
                .await?;
            let complete = || store.complete_multipart(key, id, parts.clone());
            match patiently(self.patience, complete).await {
                Ok(_) => Ok(()),
                // It may have come through without its answer.
                Err(error) => match self.store.head(key).await {
                    Ok(there) if there.size == bytes => Ok(()),
                    _ => Err(Sending::Store(error)),
                },
            }
        })
    }

    /// The notes of uploads in the folder `own`.
    pub(crate) fn uploads(&self, own: &Path) -> Result<Vec<PathBuf>, Error> {
        Ok(self.children(&own.join(UPLOADS_FOLDER))?.into_iter().map(|(note, _)| note).collect())
    }

    /// Gives up an upload that nobody goes on with.
    pub(crate) fn give_up(&self, note: &Path) -> Result<(), Error> {
        let store = self.uploads_to(note)?;
        let Some((json, _)) = self.get(note)? else { return Ok(()) };
        if let Ok(Upload { key, id }) = serde_json::from_slice(&json) {
            // It may be done, and its note all that is left.
            let key = Key::from(key);
            let _ = self.ask(None, || store.abort_multipart(&key, &id));
        }
        self.remove(note)
    }

    /// Removes a file; nothing happens if there is none.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        self.remove_within(None, path)
    }

    /// As [`Remote::remove`], within a limit.
    pub(crate) fn remove_within(&self, limit: Option<Duration>, path: &Path) -> Result<(), Error> {
        let key = self.key(path)?;
        match self.ask(limit, || self.files().delete(&key)) {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(failure(Doing::Remove, path, error)),
        }
    }
}

/// A conflict, where nothing was said of what is there: others write at the same moment, and it goes by.
fn without_condition(error: object_store::Error) -> object_store::Error {
    match error {
        object_store::Error::AlreadyExists { source, .. } => {
            object_store::Error::Generic { store: "", source }
        }
        error => error,
    }
}

enum Sending {
    Reading(std::io::Error),
    Store(object_store::Error),
}

impl From<std::io::Error> for Sending {
    fn from(error: std::io::Error) -> Self {
        Self::Reading(error)
    }
}
