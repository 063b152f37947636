//! A model from the hub into the cache.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use crate::blob::{Blobs, bring};
use crate::cache::Cache;
use crate::client::{Client, Remote};
use crate::files::{self, ADAPTER, CONFIG, MODULES, NO_TOKENIZER, SAFETENSORS, WEIGHTS, Weights};
use crate::id::ModelId;
use crate::progress::Progress;
use crate::{Error, environment};

/// A model that is in the cache.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The folder of its files.
    pub folder: PathBuf,
    /// How many of them came that were not there.
    pub files: usize,
    /// How many bytes those have.
    pub bytes: u64,
}

/// Fetches what the cache lacks of a model: its configuration, its weights, and those of the `optional`
/// files that it has. It waits for the network, and goes on from where an earlier attempt ended.
///
/// # Errors
/// There is no such model, it is no model for us, or it cannot be fetched now.
pub fn fetch(id: &ModelId, optional: &[&str], progress: &dyn Progress) -> Result<Fetched, Error> {
    if let Some(variable) = environment::offline() {
        return Err(Error::configuration(format!("{variable} is set: nothing may be fetched"))
            .advise(format!("unset {variable} for this command")));
    }
    let (client, cached) = (Client::of_environment()?, Cache::of_environment()?.model(id));
    let (files, bytes) = (Cell::default(), Cell::default());
    let blobs = Blobs { id, client: &client, cached: &cached, progress, files, bytes };
    let fetch = Fetch { blobs, absent: RefCell::default() };
    let folder = fetch.bring_all(optional)?;
    Ok(Fetched { folder, files: fetch.blobs.files.get(), bytes: fetch.blobs.bytes.get() })
}

/// A model on its way.
struct Fetch<'a> {
    blobs: Blobs<'a>,
    /// Files that the model may have and has not.
    absent: RefCell<Vec<String>>,
}

impl Fetch<'_> {
    /// Brings all files of the model; returns their folder.
    fn bring_all(&self, optional: &[&str]) -> Result<PathBuf, Error> {
        let revision = &self.blobs.id.revision;
        let Some(config) = self.blobs.client.look_up(self.blobs.id, revision, CONFIG)? else {
            return Err(match self.blobs.client.look_up(self.blobs.id, revision, ADAPTER)? {
                Some(_) => self.is_an_adapter(),
                None => self.lacks(&format!("no {CONFIG}")),
            });
        };
        // At the commit: a branch may move while we fetch.
        let commit = config.commit.clone();
        let snapshot = self.blobs.cached.snapshot_of(&commit);
        let mut remotes = vec![config];
        for file in optional.iter().chain(&[ADAPTER]) {
            remotes.extend(self.optional(&commit, file)?);
        }
        let comes = |file: &str| remotes.iter().any(|remote| remote.file == file);
        if !files::make_a_tokenizer(|file| comes(file) || snapshot.join(file).is_file()) {
            return Err(self.lacks(&format!("no {NO_TOKENIZER}")));
        }
        let modules = self.modules(&commit, &remotes)?;
        remotes.extend(modules);
        if files::missing(&snapshot, &[SAFETENSORS])?.is_some() {
            remotes.extend(self.weights(&commit)?);
        }
        self.blobs.progress.expect(remotes.iter().filter_map(|remote| remote.size).sum());
        remotes.iter().try_for_each(|remote| bring(&self.blobs, remote))?;
        for Remote { file, etag, .. } in &remotes {
            self.blobs.cached.link(&commit, file, etag)?;
        }
        for file in self.absent.take() {
            self.blobs.cached.note_absent(&commit, &file)?;
        }
        self.blobs.cached.refer(&self.blobs.id.revision, &commit)?;
        Ok(snapshot)
    }

    /// A file that a model may have, if it has it and the cache has not.
    fn optional(&self, commit: &str, file: &str) -> Result<Option<Remote>, Error> {
        if self.blobs.cached.snapshot_of(commit).join(file).is_file()
            || self.blobs.cached.is_absent(commit, file)
        {
            return Ok(None);
        }
        let remote = self.blobs.client.look_up(self.blobs.id, commit, file)?;
        if remote.is_none() {
            self.absent.borrow_mut().push(file.to_owned());
        }
        Ok(remote)
    }

    /// What `modules.json` names, which comes with `remotes` or is there.
    fn modules(&self, commit: &str, remotes: &[Remote]) -> Result<Vec<Remote>, Error> {
        let there = self.blobs.cached.snapshot_of(commit).join(MODULES);
        let modules = match remotes.iter().find(|remote| remote.file == MODULES) {
            Some(remote) => self.bring_first(remote)?,
            None if there.is_file() => there,
            None => return Ok(Vec::new()),
        };
        let mut found = Vec::new();
        for choice in files::modules(&modules)? {
            for file in choice {
                let remote = self.optional(commit, &file)?;
                let is_there =
                    remote.is_some() || self.blobs.cached.snapshot_of(commit).join(&file).is_file();
                found.extend(remote);
                if is_there {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Brings a file that says which others there are; returns its place.
    fn bring_first(&self, remote: &Remote) -> Result<PathBuf, Error> {
        bring(&self.blobs, remote)?;
        // Counted again among the others.
        self.blobs.progress.take_back(remote.size.unwrap_or_default());
        Ok(self.blobs.cached.blob(&remote.etag))
    }

    /// The best weights that the model has: one file, or an index and the files that it names.
    fn weights(&self, commit: &str) -> Result<Vec<Remote>, Error> {
        for Weights { file, index } in &WEIGHTS {
            if let Some(weights) = self.blobs.client.look_up(self.blobs.id, commit, file)? {
                return Ok(vec![weights]);
            }
            if let Some(index) = self.blobs.client.look_up(self.blobs.id, commit, index)? {
                let shards = files::shards(&self.bring_first(&index)?)?;
                let shards = shards.iter().map(|shard| self.required(commit, shard));
                return std::iter::once(Ok(index)).chain(shards).collect();
            }
        }
        let [safetensors, pytorch] = WEIGHTS.map(|weights| weights.file);
        Err(self.lacks(&format!("neither {safetensors} nor {pytorch}")))
    }

    fn required(&self, revision: &str, file: &str) -> Result<Remote, Error> {
        let remote = self.blobs.client.look_up(self.blobs.id, revision, file)?;
        remote.ok_or_else(|| self.lacks(&format!("no {file}")))
    }

    fn is_an_adapter(&self) -> Error {
        let id = &self.blobs.id.name;
        Error::configuration(format!("{id} at {} is an adapter, not a model", self.blobs.client.host())).advise(format!(
            "merge it into its model with peft: AutoPeftModelForFeatureExtraction.from_pretrained({id:?}).merge_and_unload().save_pretrained(DIR)"
        ))
    }

    fn lacks(&self, what: &str) -> Error {
        let id = &self.blobs.id.name;
        Error::configuration(format!("{id} at {} has {what}", self.blobs.client.host())).advise(format!(
            "write the model into a folder with transformers: AutoTokenizer and AutoModel .from_pretrained({id:?}).save_pretrained(DIR)"
        ))
    }
}
