//! `strata fetch`: a model from the hub into the cache.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use indicatif::BinaryBytes;

use super::cache::{Cache, CachedModel};
use super::client::{Client, Remote};
use super::files::{self, ADAPTER, CONFIG, MODULES, NO_TOKENIZER, SAFETENSORS, WEIGHTS, Weights};
use super::id::ModelId;
use super::transfer::Transfer;
use super::{blob, environment};
use crate::cli::FetchArguments;
use crate::console::{counted, print_result, say};
use crate::failure::Refusal;
use crate::panics;
use crate::signals::Signals;

/// How soon a signal is noticed.
const POLL: Duration = Duration::from_millis(50);

/// Fetches what the cache lacks of a model, and prints the model's folder.
///
/// # Errors
/// There is no such model, it is no model for us, or it cannot be fetched now; a signal has come.
pub fn fetch(arguments: &FetchArguments) -> anyhow::Result<()> {
    if let Some(variable) = environment::offline() {
        return Err(Refusal::configuration(format!("{variable} is set: nothing may be fetched"))
            .hint(format!("unset {variable} for this command"))
            .into());
    }
    let signals = Signals::listen()?;
    let (id, progress) = (arguments.model.clone(), Transfer::start(arguments.progress));
    let shared = progress.clone();
    let result = until_signal(&signals, move || {
        let (client, cached) = (Client::of_environment()?, Cache::of_environment()?.model(&id));
        let fetch = Fetch {
            id: &id,
            client: &client,
            cached: &cached,
            progress: &shared,
            files: Cell::default(),
            bytes: Cell::default(),
            absent: RefCell::default(),
        };
        let snapshot = fetch.bring_all()?;
        Ok((snapshot, fetch.files.get(), fetch.bytes.get()))
    });
    progress.finish();
    let (snapshot, files, bytes) = result?;
    let id = &arguments.model;
    match files {
        0 => say(format_args!("{id} is there already")),
        files => say(format_args!("{id}: {}, {}", counted(files, "file"), BinaryBytes(bytes))),
    }
    print_result(&format!("{}\n", snapshot.display()))
}

/// Does something on a thread, as nothing wakes a thread that waits for the network. On a signal it is
/// left to itself: whatever it is at, the next attempt goes on from there.
fn until_signal<T: Send + 'static>(
    signals: &Signals,
    action: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(action()));
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => signals.check()?,
            Err(RecvTimeoutError::Disconnected) => return Err(panics::bug()),
        }
    }
}

/// A model on its way.
pub struct Fetch<'a> {
    pub id: &'a ModelId,
    pub client: &'a Client,
    pub cached: &'a CachedModel,
    pub progress: &'a Transfer,
    /// What has come that was not there.
    pub files: Cell<usize>,
    pub bytes: Cell<u64>,
    /// Files that the model may have and has not.
    absent: RefCell<Vec<String>>,
}

impl Fetch<'_> {
    /// Brings all files of the model; returns their folder.
    fn bring_all(&self) -> anyhow::Result<PathBuf> {
        let revision = &self.id.revision;
        let Some(config) = self.client.look_up(self.id, revision, CONFIG)? else {
            return Err(match self.client.look_up(self.id, revision, ADAPTER)? {
                Some(_) => self.is_an_adapter(),
                None => self.lacks(&format!("no {CONFIG}")),
            }
            .into());
        };
        // At the commit: a branch may move while we fetch.
        let commit = config.commit.clone();
        let snapshot = self.cached.snapshot_of(&commit);
        let mut remotes = vec![config];
        for file in files::optional() {
            remotes.extend(self.optional(&commit, file)?);
        }
        let comes = |file: &str| remotes.iter().any(|remote| remote.file == file);
        if !files::make_a_tokenizer(|file| comes(file) || snapshot.join(file).is_file()) {
            return Err(self.lacks(&format!("no {NO_TOKENIZER}")).into());
        }
        let modules = self.modules(&commit, &remotes)?;
        remotes.extend(modules);
        if files::missing(&snapshot, &[SAFETENSORS])?.is_some() {
            remotes.extend(self.weights(&commit)?);
        }
        self.progress.expect(remotes.iter().filter_map(|remote| remote.size).sum());
        remotes.iter().try_for_each(|remote| blob::bring(self, remote))?;
        for Remote { file, etag, .. } in &remotes {
            self.cached.link(&commit, file, etag)?;
        }
        for file in self.absent.take() {
            self.cached.note_absent(&commit, &file)?;
        }
        self.cached.refer(&self.id.revision, &commit)?;
        Ok(snapshot)
    }

    /// A file that a model may have, if it has it and the cache has not.
    fn optional(&self, commit: &str, file: &str) -> anyhow::Result<Option<Remote>> {
        if self.cached.snapshot_of(commit).join(file).is_file() || self.cached.is_absent(commit, file) {
            return Ok(None);
        }
        let remote = self.client.look_up(self.id, commit, file)?;
        if remote.is_none() {
            self.absent.borrow_mut().push(file.to_owned());
        }
        Ok(remote)
    }

    /// What `modules.json` names, which comes with `remotes` or is there.
    fn modules(&self, commit: &str, remotes: &[Remote]) -> anyhow::Result<Vec<Remote>> {
        let there = self.cached.snapshot_of(commit).join(MODULES);
        let modules = match remotes.iter().find(|remote| remote.file == MODULES) {
            Some(remote) => self.bring_first(remote)?,
            None if there.is_file() => there,
            None => return Ok(Vec::new()),
        };
        let mut found = Vec::new();
        for choice in files::modules(&modules)? {
            for file in choice {
                let remote = self.optional(commit, &file)?;
                let is_there = remote.is_some() || self.cached.snapshot_of(commit).join(&file).is_file();
                found.extend(remote);
                if is_there {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Brings a file that says which others there are; returns its place.
    fn bring_first(&self, remote: &Remote) -> anyhow::Result<PathBuf> {
        blob::bring(self, remote)?;
        // Counted again among the others.
        self.progress.take_back(remote.size.unwrap_or_default());
        Ok(self.cached.blob(&remote.etag))
    }

    /// The best weights that the model has: one file, or an index and the files that it names.
    fn weights(&self, commit: &str) -> anyhow::Result<Vec<Remote>> {
        for Weights { file, index } in &WEIGHTS {
            if let Some(weights) = self.client.look_up(self.id, commit, file)? {
                return Ok(vec![weights]);
            }
            if let Some(index) = self.client.look_up(self.id, commit, index)? {
                let shards = files::shards(&self.bring_first(&index)?)?;
                let shards = shards.iter().map(|shard| self.required(commit, shard));
                return std::iter::once(Ok(index)).chain(shards).collect();
            }
        }
        let [safetensors, pytorch] = WEIGHTS.map(|weights| weights.file);
        Err(self.lacks(&format!("neither {safetensors} nor {pytorch}")).into())
    }

    fn required(&self, revision: &str, file: &str) -> anyhow::Result<Remote> {
        let remote = self.client.look_up(self.id, revision, file)?;
        Ok(remote.ok_or_else(|| self.lacks(&format!("no {file}")))?)
    }

    fn is_an_adapter(&self) -> Refusal {
        let id = &self.id.name;
        Refusal::configuration(format!("{id} at {} is an adapter, not a model", self.client.host())).hint(format!(
            "merge it into its model with peft: AutoPeftModelForFeatureExtraction.from_pretrained({id:?}).merge_and_unload().save_pretrained(DIR)"
        ))
    }

    fn lacks(&self, what: &str) -> Refusal {
        let id = &self.id.name;
        Refusal::configuration(format!("{id} at {} has {what}", self.client.host())).hint(format!(
            "write the model into a folder with transformers: AutoTokenizer and AutoModel .from_pretrained({id:?}).save_pretrained(DIR)"
        ))
    }
}
