//! A file of a store, fetched in blocks of which the next is on its way while one is read.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use tokio::task::JoinHandle;

use super::failure::{Doing, again, as_io, failure};
use super::{Kind, Remote, patiently};
use crate::Error;
use crate::store::{Span, lock};

/// The longest block. Two of each chain are held.
const BLOCK_BYTES: u64 = 8 << 20;
/// The first block of a chain.
const FIRST_BYTES: u64 = 1 << 20;
/// All blocks together, of chains that are read side by side.
const ALL_BYTES: u64 = 64 << 20;
/// Shorter ones would be more requests than bytes.
const LEAST_BYTES: u64 = 64 << 10;
/// Where little is read here and there.
const PIECE_BYTES: u64 = 64 << 10;

/// An open file of a store. Clones share what was fetched.
#[derive(Clone)]
pub(crate) struct RemoteFile {
    shared: Arc<Shared>,
    at: u64,
    /// What is there from `at` on.
    here: Bytes,
}

struct Shared {
    remote: Arc<Remote>,
    path: PathBuf,
    key: Key,
    meta: ObjectMeta,
    blocks: Mutex<Blocks>,
    failure: Mutex<Option<io::Error>>,
}

impl Remote {
    /// Opens a file for reading, as it is now.
    pub(crate) fn open(self: &Arc<Self>, path: &Path) -> Result<RemoteFile, Error> {
        let meta = self.look(path)?.ok_or_else(|| self.not_there(path))?;
        let shared = Shared {
            remote: Arc::clone(self),
            path: path.to_owned(),
            key: self.key(path)?,
            blocks: Mutex::new(Blocks::new(&Span::Whole, meta.size)),
            meta,
            failure: Mutex::default(),
        };
        Ok(RemoteFile { shared: Arc::new(shared), at: 0, here: Bytes::new() })
    }
}

impl RemoteFile {
    pub(in crate::store) fn reading(self, span: Span) -> Self {
        let Shared { remote, path, key, meta, .. } = &*self.shared;
        let shared = Shared {
            remote: Arc::clone(remote),
            path: path.clone(),
            key: key.clone(),
            blocks: Mutex::new(Blocks::new(&span, meta.size)),
            meta: meta.clone(),
            failure: Mutex::default(),
        };
        Self { shared: Arc::new(shared), at: 0, here: Bytes::new() }
    }

    pub(in crate::store) fn size(&self) -> u64 {
        self.shared.meta.size
    }

    /// What went wrong since this was last asked.
    pub(in crate::store) fn failure(&self) -> Option<io::Error> {
        lock(&self.shared.failure).take()
    }

    /// The same file, at a place of its own.
    pub(in crate::store) fn at(&self, at: u64) -> Self {
        Self { shared: Arc::clone(&self.shared), at, here: Bytes::new() }
    }

    /// The bytes of a range, which must lie within the file.
    pub(in crate::store) fn bytes(&self, range: Range<u64>) -> io::Result<Bytes> {
        if range.end > self.size() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let first = self.shared.from(range.clone())?;
        if first.len() as u64 == range.end - range.start {
            return Ok(first);
        }
        let mut bytes = first.to_vec();
        while (bytes.len() as u64) < range.end - range.start {
            let next = self.shared.from(range.start + bytes.len() as u64..range.end)?;
            bytes.extend_from_slice(&next);
        }
        Ok(bytes.into())
    }
}

impl Read for RemoteFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.here.is_empty() && self.at < self.size() && !into.is_empty() {
            self.here = self.shared.from(self.at..self.size())?;
        }
        let count = into.len().min(self.here.len());
        into[..count].copy_from_slice(&self.here.split_to(count));
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for RemoteFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        self.here = Bytes::new();
        Ok(self.at)
    }
}

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shared.path.display())
    }
}

impl Shared {
    /// Bytes from the start of a range on, to its end or that of a block: at least one.
    fn from(&self, range: Range<u64>) -> io::Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut blocks = lock(&self.blocks);
        let result = match blocks.around(range.start) {
            Some((start, end)) => blocks.get(start, |range| self.fetch(range), &self.remote).map(|bytes| {
                let within = (range.start - start) as usize..(range.end.min(end) - start) as usize;
                bytes.slice(within)
            }),
            // Nobody said that this would be read.
            None => {
                let end = range.end.min(range.start + BLOCK_BYTES);
                let end = blocks.after(range.start).map_or(end, |next| end.min(next));
                self.remote.wait(self.fetch(range.start..end))
            }
        };
        result.map_err(|error| {
            let error = failure(Doing::Read, &self.path, error);
            // Readers of formats may make a text of it.
            *lock(&self.failure) = Some(as_io(again(&error)));
            as_io(error)
        })
    }

    fn fetch(
        &self,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes, object_store::Error>> + Send + 'static {
        let etag = self.meta.e_tag.clone().filter(|etag| !etag.starts_with("W/"));
        // A dataset's files lie elsewhere under other tags, and never change under one revision.
        let etag = etag.filter(|_| !matches!(self.remote.kind, Kind::Dataset(_)));
        fetch(Arc::clone(&self.remote.store), self.key.clone(), range, etag, self.remote.patience)
    }
}

async fn fetch(
    store: Arc<dyn ObjectStore>,
    key: Key,
    range: Range<u64>,
    etag: Option<String>,
    patience: Duration,
) -> Result<Bytes, object_store::Error> {
    patiently(patience, || async {
        let bounded = Some(GetRange::Bounded(range.clone()));
        let options = GetOptions::new().with_range(bounded).with_if_match(etag.clone());
        let bytes = store.get_opts(&key, options).await?.bytes().await?;
        if bytes.len() as u64 == range.end - range.start {
            return Ok(bytes);
        }
        let found = format!("expected {} bytes, got {}", range.end - range.start, bytes.len());
        Err(object_store::Error::Generic { store: "", source: found.into() })
    })
    .await
}

/// What of a file is fetched as one, and what is there of it.
struct Blocks {
    /// By where they begin.
    planned: BTreeMap<u64, Block>,
    held: HashMap<u64, Held>,
}

struct Block {
    end: u64,
    /// Which of them are read in order.
    chain: usize,
    next: Option<u64>,
}

enum Held {
    Coming(Coming),
    Here(Bytes),
}

/// A fetch that ends with whoever waits for it.
struct Coming(JoinHandle<Result<Bytes, object_store::Error>>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Blocks {
    fn new(span: &Span, size: u64) -> Self {
        let mut blocks = Self { planned: BTreeMap::new(), held: HashMap::new() };
        let whole = std::iter::once(0..size);
        match span {
            Span::Whole => blocks.plan(0, whole, BLOCK_BYTES),
            Span::End => blocks.plan(0, std::iter::once(size.saturating_sub(PIECE_BYTES)..size), PIECE_BYTES),
            Span::Pieces => {
                // The plan of the largest file must not be large itself.
                blocks.plan(0, whole, PIECE_BYTES.max(size >> 16));
                blocks.planned.values_mut().for_each(|block| block.next = None);
            }
            Span::Chains(chains) => {
                let most = ALL_BYTES / 2 / chains.len().max(1) as u64;
                for (chain, ranges) in chains.iter().enumerate() {
                    blocks.plan(chain, ranges.iter().cloned(), most.clamp(LEAST_BYTES, BLOCK_BYTES));
                }
            }
        }
        blocks
    }

    fn plan(&mut self, chain: usize, ranges: impl Iterator<Item = Range<u64>>, most: u64) {
        let mut before: Option<u64> = None;
        // The first is short, so that there is soon something to work on while the next ones come.
        let mut length = most.min(FIRST_BYTES);
        for range in ranges {
            let mut start = range.start;
            while start < range.end {
                let end = range.end.min(start + length);
                length = most.min(length * 2);
                self.planned.insert(start, Block { end, chain, next: None });
                if let Some(before) = before.replace(start).and_then(|before| self.planned.get_mut(&before)) {
                    before.next = Some(start);
                }
                start = end;
            }
        }
    }

    /// The block that a place is in.
    fn around(&self, at: u64) -> Option<(u64, u64)> {
        let (start, block) = self.planned.range(..=at).next_back()?;
        (at < block.end).then_some((*start, block.end))
    }

    /// Where the next block begins.
    fn after(&self, at: u64) -> Option<u64> {
        self.planned.range(at..).next().map(|(start, _)| *start)
    }

    fn get<F>(
        &mut self,
        start: u64,
        fetch: impl Fn(Range<u64>) -> F,
        remote: &Remote,
    ) -> Result<Bytes, object_store::Error>
    where
        F: Future<Output = Result<Bytes, object_store::Error>> + Send + 'static,
    {
        let Some(&Block { end, chain, next }) = self.planned.get(&start) else { return Ok(Bytes::new()) };
        if let Some(Held::Here(bytes)) = self.held.get(&start) {
            return Ok(bytes.clone());
        }
        let begin = |range| Held::Coming(Coming(remote.runtime.spawn(fetch(range))));
        let held = self.held.remove(&start).unwrap_or_else(|| begin(start..end));
        if let Some((next, block)) = next.and_then(|next| Some((next, self.planned.get(&next)?))) {
            self.held.entry(next).or_insert_with(|| begin(next..block.end));
        }
        let bytes = match held {
            Held::Here(bytes) => bytes,
            Held::Coming(mut coming) => remote.wait(&mut coming.0)??,
        };
        // A chain is read in order: what lies before is done with.
        let planned = &self.planned;
        self.held.retain(|&other, _| {
            other >= start || planned.get(&other).is_none_or(|block| block.chain != chain)
        });
        self.held.insert(start, Held::Here(bytes.clone()));
        Ok(bytes)
    }
}
