//! A store on another machine, asked from threads that wait for the answer.

mod connect;
mod failure;
mod hub;
mod reading;
mod writing;

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;

pub(super) use connect::Made;
pub(crate) use reading::RemoteFile;
pub(crate) use writing::{On, Version};

use super::Meta;
use crate::Error;
use failure::{Doing, failure, is_passing, is_unsupported};
use hub::Dataset;

/// A store on another machine: a bucket, a container, a server, a dataset of the hub.
pub struct Remote {
    /// What the addresses of its files begin with: `s3://bucket`.
    root: String,
    kind: Kind,
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    /// How long something is asked.
    patience: Duration,
}

enum Kind {
    /// Files are listed and written.
    Bucket(Bucket),
    /// Files are read whose addresses are known.
    Server,
    /// The hub says what there is.
    Dataset(Dataset),
}

/// What writes to a bucket: a client that soon says what was answered, and leaves it to [`patiently`] to ask again.
struct Bucket {
    files: Arc<dyn ObjectStore>,
    pieces: Arc<dyn MultipartStore>,
}

impl Bucket {
    fn of(store: impl ObjectStore + MultipartStore) -> Self {
        let store = Arc::new(store);
        Self { files: store.clone(), pieces: store }
    }
}

impl Remote {
    /// What the store says of a file; `None` if there is none.
    pub(crate) fn head(&self, path: &Path) -> Result<Option<Meta>, Error> {
        Ok(self.look(path)?.as_ref().map(|meta| self.meta(meta)))
    }

    fn look(&self, path: &Path) -> Result<Option<ObjectMeta>, Error> {
        let key = self.key(path)?;
        if key.as_ref().is_empty() {
            return Ok(None);
        }
        match self.ask(None, || self.store.head(&key)) {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure(Doing::Look, path, error)),
            Ok(meta) => Ok(Some(meta)),
        }
    }

    /// The bytes of a small file with the version they are of; `None` if there is none.
    pub(crate) fn get(&self, path: &Path) -> Result<Option<(Vec<u8>, Version)>, Error> {
        let key = self.key(path)?;
        let got = self.ask(None, || async {
            let result = self.store.get_opts(&key, GetOptions::default()).await?;
            let version = Version::of(&result.meta);
            Ok((result.bytes().await?.to_vec(), version))
        });
        match got {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure(Doing::Read, path, error)),
            Ok(got) => Ok(Some(got)),
        }
    }

    /// All files below a folder, sorted by address. What marks the folder itself, as consoles do with an empty
    /// file whose name ends with a slash, is none of them.
    pub(crate) fn list(&self, folder: &Path) -> Result<Vec<(PathBuf, Meta)>, Error> {
        let key = self.key(folder)?;
        let listed = match &self.kind {
            Kind::Dataset(dataset) => self.ask(None, || dataset.list(&key)),
            _ => self.ask(None, || self.store.list(Some(&key)).try_collect::<Vec<_>>()),
        };
        let listed = listed.map_err(|error| failure(Doing::List, folder, error))?;
        let files = listed.iter().filter(|meta| meta.location != key);
        let mut files: Vec<_> = files.map(|meta| (self.address(&meta.location), self.meta(meta))).collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(files)
    }

    /// The addresses and names of what is right below a folder, without what marks the folder itself.
    pub(crate) fn children(&self, folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
        let key = self.key(folder)?;
        let listed = self.ask(None, || self.store.list_with_delimiter(Some(&key)));
        let listed = listed.map_err(|error| failure(Doing::List, folder, error))?;
        let all = listed.objects.iter().map(|meta| &meta.location).chain(&listed.common_prefixes);
        let files = all.filter(|&location| *location != key);
        Ok(files.map(|key| (self.address(key), key.filename().unwrap_or_default().to_owned())).collect())
    }

    /// Whether a place is in it.
    pub(crate) fn holds(&self, place: &Path) -> bool {
        place.to_str().is_some_and(|place| place.starts_with(&self.root))
    }

    /// The files right below a folder with their bytes; all are small.
    pub(crate) fn contents(&self, folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
        const AT_ONCE: usize = 16;
        let files = self.children(folder)?.into_iter().map(|(path, _)| {
            let key = self.key(&path);
            async move {
                let got = async {
                    let key = key?;
                    let ask = || async { self.store.get(&key).await?.bytes().await };
                    patiently(self.patience, ask).await.map_err(Failed::from)
                }
                .await;
                match got {
                    // Somebody has just taken it away.
                    Err(Failed::Store(object_store::Error::NotFound { .. })) => Ok(None),
                    Err(Failed::Store(error)) => Err(failure(Doing::Read, &path, error)),
                    Err(Failed::Here(error)) => Err(error),
                    Ok(bytes) => Ok(Some((path, bytes.to_vec()))),
                }
            }
        });
        let contents = stream::iter(files).buffered(AT_ONCE).try_filter_map(|file| async { Ok(file) });
        self.wait(contents.try_collect())
    }

    /// Whether it can say what files there are.
    pub(crate) fn can_list(&self) -> bool {
        !matches!(self.kind, Kind::Server)
    }

    /// The client for uploads in pieces, if anything can be written.
    fn uploads_to(&self, path: &Path) -> Result<&Arc<dyn MultipartStore>, Error> {
        match &self.kind {
            Kind::Bucket(bucket) => Ok(&bucket.pieces),
            Kind::Server | Kind::Dataset(_) => Err(Error::Address {
                address: path.to_owned(),
                reason: "an output cannot lie there".to_owned(),
                hint: "name a folder, or an address of s3://, gs:// or az://",
            }),
        }
    }

    /// The client for whole files, where any can be written.
    fn files(&self) -> &Arc<dyn ObjectStore> {
        match &self.kind {
            Kind::Bucket(bucket) => &bucket.files,
            Kind::Server | Kind::Dataset(_) => &self.store,
        }
    }

    /// Makes sure that files can be written.
    ///
    /// # Errors
    /// [`Error::Address`] if not.
    pub(crate) fn check_writable(&self, path: &Path) -> Result<(), Error> {
        self.uploads_to(path).map(drop)
    }

    fn meta(&self, meta: &ObjectMeta) -> Meta {
        // Lists have fractions of seconds that answers about one file have not.
        let modified = u64::try_from(meta.last_modified.timestamp()).unwrap_or_default();
        let identity = match &self.kind {
            // The revision is part of the address, and no two files of it have one name.
            Kind::Dataset(dataset) => dataset.identity(meta),
            // Lists of Azure leave the quotes away.
            _ => meta.e_tag.as_ref().map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned()),
        };
        Meta { bytes: meta.size, modified_ns: modified.saturating_mul(1_000_000_000), identity }
    }

    /// The name of a file within the store.
    fn key(&self, path: &Path) -> Result<Key, Error> {
        let unusable = |reason: String| Error::Address {
            address: path.to_owned(),
            reason,
            hint: "name it by an address without empty names, `.` and `..`",
        };
        let text = path.to_str().ok_or_else(|| unusable("it is not UTF-8".to_owned()))?;
        let rest = text.strip_prefix(&self.root).unwrap_or(text).trim_matches('/');
        let key = match self.kind {
            Kind::Bucket(_) => Key::parse(rest),
            // As one copies them from a browser.
            Kind::Server | Kind::Dataset(_) => Key::from_url_path(rest),
        };
        key.map_err(|error| unusable(error.to_string()))
    }

    fn address(&self, key: &Key) -> PathBuf {
        match self.kind {
            Kind::Bucket(_) => format!("{}/{key}", self.root).into(),
            Kind::Server | Kind::Dataset(_) => format!("{}/{}", self.root, escaped(key.as_ref())).into(),
        }
    }

    pub(crate) fn not_there(&self, path: &Path) -> Error {
        failure::not_there(path)
    }

    /// How long something is asked.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether there is any file below a folder, beside what marks the folder itself.
    pub(crate) fn has_any(&self, folder: &Path) -> Result<bool, Error> {
        if let Kind::Dataset(_) = self.kind {
            return Ok(!self.list(folder)?.is_empty());
        }
        let key = self.key(folder)?;
        let first = self.ask(None, || async {
            let is_within = |meta: &ObjectMeta| std::future::ready(meta.location != key);
            self.store.list(Some(&key)).try_filter(is_within).try_next().await
        });
        first.map(|first| first.is_some()).map_err(|error| failure(Doing::List, folder, error))
    }

    /// Asks, again where it fails, for as long as there is patience or within a `limit`.
    fn ask<T, F>(&self, limit: Option<Duration>, ask: impl Fn() -> F) -> Result<T, object_store::Error>
    where
        F: Future<Output = Result<T, object_store::Error>>,
    {
        match limit {
            Some(limit) => self.wait(repeatedly(limit.min(self.patience), limit, ask)),
            None => self.wait(patiently(self.patience, ask)),
        }
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// A path of an address, in which some characters would mean something else.
fn escaped(path: &str) -> String {
    let escape = |character| match character {
        '%' => "%25".to_owned(),
        '?' => "%3F".to_owned(),
        '#' => "%23".to_owned(),
        character => String::from(character),
    };
    path.chars().map(escape).collect()
}

/// How often something is asked where nothing says that the failure will pass.
const ATTEMPTS: u32 = 6;
/// What is waited before the second time, and a multiple of it later.
const PAUSE: Duration = Duration::from_millis(250);
/// An answer to the last request may come this much later.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// The longest pause between two requests, ours or the client's: a part of all the time there is.
fn longest_pause(patience: Duration) -> Duration {
    (patience / 8).clamp(Duration::from_millis(100), Duration::from_secs(15))
}

/// Asks again what has not come through, for as long as there is patience. The client does so by itself, but not where
/// the body of an answer breaks off, or where it cannot know whether what it asked was done.
async fn patiently<T, F>(patience: Duration, ask: impl Fn() -> F) -> Result<T, object_store::Error>
where
    F: Future<Output = Result<T, object_store::Error>>,
{
    // The client has the same patience, and says after its last pause what the store answered.
    repeatedly(patience, patience + longest_pause(patience) + LAST_ANSWER, ask).await
}

/// Asks again what has not come through, for as long as there is patience, and goes on with nothing beyond a limit.
async fn repeatedly<T, F>(
    patience: Duration,
    limit: Duration,
    ask: impl Fn() -> F,
) -> Result<T, object_store::Error>
where
    F: Future<Output = Result<T, object_store::Error>>,
{
    let began = Instant::now();
    let mut failed = None;
    let asked = tokio::time::timeout(limit, async {
        let mut attempt = 1;
        loop {
            match ask().await {
                Err(error) if is_asked_again(&error, attempt) && began.elapsed() < patience => {
                    failed = Some(error);
                    let left = patience.saturating_sub(began.elapsed());
                    tokio::time::sleep((PAUSE * attempt).min(longest_pause(patience)).min(left)).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    })
    .await;
    match asked {
        Ok(answer) => answer,
        Err(_) => Err(failed.unwrap_or_else(|| object_store::Error::Generic {
            store: "",
            source: format!("no answer within {} s", limit.as_secs()).into(),
        })),
    }
}

/// Whether something is asked again that has failed so often.
fn is_asked_again(error: &object_store::Error, attempt: u32) -> bool {
    let object_store::Error::Generic { .. } = error else { return false };
    !is_unsupported(error) && (attempt < ATTEMPTS || is_passing(error))
}

/// Why there is no answer.
enum Failed {
    Here(Error),
    Store(object_store::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

impl From<object_store::Error> for Failed {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Stores are the same if the same addresses lead there.
impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Remote {}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it is made of has secrets.
        f.write_str(&self.root)
    }
}
