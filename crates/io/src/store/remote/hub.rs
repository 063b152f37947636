//! A dataset of the Hugging Face hub: files by their addresses, and a list of what there is.

use std::time::Duration;

use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LINK};
use serde::Deserialize;

use super::escaped;

/// How long the hub may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// A dataset at one revision.
pub(super) struct Dataset {
    /// Where lists of its files are: `…/api/datasets/OWNER/NAME/tree/REVISION`.
    tree: String,
    revision: String,
    client: reqwest::Client,
    headers: HeaderMap,
}

/// Where the hub is and who asks, as `huggingface_hub` finds it.
pub(super) struct Hub {
    pub endpoint: String,
    pub headers: HeaderMap,
}

impl Hub {
    pub(super) fn of_environment() -> Self {
        let mut headers = HeaderMap::new();
        if let Some(token) = strata_hub::token()
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}"))
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Self { endpoint: strata_hub::endpoint(), headers }
    }
}

/// An answer of the hub that was a refusal.
#[derive(Debug, thiserror::Error)]
#[error("the hub answered {0}")]
pub(super) struct Answered(pub StatusCode);

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: Option<String>,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

impl Dataset {
    /// The dataset `id` at what a branch or tag is now.
    pub(super) async fn find(hub: &Hub, id: &str, revision: &str) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(SILENCE)
            .read_timeout(SILENCE)
            .build()
            .map_err(generic)?;
        let api = format!("{}/api/datasets/{id}", hub.endpoint);
        let revision = revision.replace('/', "%2F");
        let mut dataset =
            Self { tree: String::new(), revision: revision.clone(), client, headers: hub.headers.clone() };
        // Files of one revision belong together, whatever is pushed meanwhile.
        let (body, _) = dataset.get(&format!("{api}/revision/{revision}")).await?;
        dataset.revision = serde_json::from_slice::<Revision>(&body).map_err(generic)?.sha;
        dataset.tree = format!("{api}/tree/{}", dataset.revision);
        Ok(dataset)
    }

    pub(super) fn revision(&self) -> &str {
        &self.revision
    }

    /// All files below a folder.
    pub(super) async fn list(&self, folder: &Key) -> Result<Vec<ObjectMeta>, Error> {
        let folder = &escaped(folder.as_ref());
        let slash = if folder.is_empty() { "" } else { "/" };
        let mut next = Some(format!("{}{slash}{folder}?recursive=true", self.tree));
        let mut files = Vec::new();
        while let Some(address) = next.take() {
            let (body, headers) = match self.get(&address).await {
                Err(Error::NotFound { .. }) => return Ok(files),
                got => got?,
            };
            let entries: Vec<Entry> = serde_json::from_slice(&body).map_err(generic)?;
            for entry in entries.into_iter().filter(|entry| entry.kind == "file") {
                files.push(ObjectMeta {
                    location: Key::parse(&entry.path)?,
                    last_modified: Default::default(),
                    size: entry.size,
                    e_tag: entry.oid,
                    version: None,
                });
            }
            next = headers.get(LINK).and_then(|link| next_of(link.to_str().ok()?));
        }
        Ok(files)
    }

    /// What a file is at this revision.
    pub(super) fn identity(&self, meta: &ObjectMeta) -> Option<String> {
        Some(format!("{}/{}", self.revision, meta.location))
    }

    async fn get(&self, address: &str) -> Result<(Vec<u8>, HeaderMap), Error> {
        let request = self.client.get(address).headers(self.headers.clone());
        let response = request.send().await.map_err(generic)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let path = address.split('?').next().unwrap_or_default().to_owned();
        let source = Answered(status).into();
        match status.as_u16() {
            200..=299 => Ok((response.bytes().await.map_err(generic)?.to_vec(), headers)),
            404 => Err(Error::NotFound { path, source }),
            401 | 403 => Err(Error::PermissionDenied { path, source }),
            _ => Err(Error::Generic { store: "hub", source }),
        }
    }
}

/// The address of the next page, in `<address>; rel="next"`.
fn next_of(link: &str) -> Option<String> {
    let page = link.split(',').find(|page| page.contains("rel=\"next\""))?;
    Some(page.split_once('<')?.1.split_once('>')?.0.to_owned())
}

fn generic(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: "hub", source: error.into() }
}
