//! Models by their id at the Hugging Face hub: found in the local cache, fetched into it. The cache is
//! the one huggingface_hub writes, so that it is shared with transformers.
//!
//! Only [`fetch()`] touches the network: it goes on where a download broke off, and gives bytes their name only
//! when they are those that the hub promised.
//!
//! ```no_run
//! # fn main() -> Result<(), strata_hub::Error> {
//! let folder = strata_hub::locate("sentence-transformers/all-MiniLM-L6-v2".as_ref())?;
//! assert!(folder.join("config.json").is_file());
//! # Ok(())
//! # }
//! ```

mod blob;
mod cache;
mod client;
mod environment;
mod error;
mod fetch;
mod files;
mod id;
mod progress;

use std::path::{Path, PathBuf};

use cache::Cache;

pub use environment::{endpoint, home, token};
pub use error::{Error, ErrorKind};
pub use fetch::{Fetched, fetch};
pub use id::ModelId;
pub use progress::Progress;

/// The folder of the model that the user names by its path, or by its id. A folder of that name wins.
///
/// # Errors
/// It is an id, and the cache holds no such model, or not all of it.
pub fn locate(model: &Path) -> Result<PathBuf, Error> {
    let id = model.to_str().and_then(|text| text.parse::<ModelId>().ok());
    let Some(id) = id.filter(|_| !model.exists()) else { return Ok(model.to_owned()) };
    let cache = Cache::of_environment()?;
    let fetch = format!("strata fetch {id}");
    let Some(snapshot) = cache.model(&id).snapshot(&id.revision) else {
        return Err(Error::configuration(format!(
            "no model folder {id}, and no model of that id in {}",
            cache.root().display()
        ))
        .advise(format!(
            "name a folder that holds config.json, tokenizer.json and model.safetensors, or fetch the model: {fetch}"
        )));
    };
    match files::missing(&snapshot, &files::WEIGHTS)? {
        None => Ok(snapshot),
        // Whoever opens it says more of it.
        Some(_) if snapshot.join(files::ADAPTER).is_file() => Ok(snapshot),
        Some(file) => Err(Error::configuration(format!("{} holds no {file}", snapshot.display()))
            .advise(format!("fetch the rest of the model: {fetch}"))),
    }
}
