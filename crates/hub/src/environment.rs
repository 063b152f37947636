//! What huggingface_hub reads from the environment, with the same names and the same precedence.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::Error;

const ENDPOINT: &str = "https://huggingface.co";
/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The folder of the models.
///
/// # Errors
/// No variable names it, and the user has no home.
pub fn cache() -> Result<PathBuf, Error> {
    match path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")) {
        Some(cache) => Ok(cache),
        None => Ok(home()?.join("hub")),
    }
}

/// Where the hub is, without a slash at the end.
pub fn endpoint() -> String {
    text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned()
}

/// Who the user is to the hub.
pub fn token() -> Option<String> {
    let from_file = || {
        let path = path("HF_TOKEN_PATH").or_else(|| Some(home().ok()?.join("token")))?;
        fs_err::read_to_string(path).ok()
    };
    let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")).or_else(from_file)?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// The variable that forbids the network, if one does.
pub fn offline() -> Option<&'static str> {
    let is_true = |name: &&str| {
        text(name).is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
    };
    ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().find(is_true)
}

/// How long a connection may be silent.
pub fn patience() -> Duration {
    let seconds = text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|seconds| seconds.parse().ok());
    seconds.filter(|&seconds| seconds > 0).map_or(PATIENCE, Duration::from_secs)
}

/// The folder of all that belongs to the hub.
///
/// # Errors
/// No variable names it, and the user has no home.
pub fn home() -> Result<PathBuf, Error> {
    let user = || Some(env::home_dir()?.join(".cache"));
    let caches = || Some(path("XDG_CACHE_HOME").or_else(user)?.join("huggingface"));
    path("HF_HOME").or_else(caches).ok_or_else(|| {
        Error::configuration("no home folder, and so no cache of models")
            .advise("set HF_HOME to a folder for it")
    })
}

fn path(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(name).filter(|value| !value.is_empty())?);
    match path.strip_prefix("~") {
        Ok(rest) => Some(env::home_dir()?.join(rest)),
        Err(_) => Some(path),
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
