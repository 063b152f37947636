//! From an address and options to a store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use tokio::runtime::Runtime;

use super::failure::{Doing, failure};
use super::hub::{Dataset, Hub};
use super::{Bucket, Kind, Remote, longest_pause, patiently};
use crate::Error;
use crate::store::address::{scheme_of, split};
use crate::store::lock;
use crate::store::options::StorageOptions;

/// How long a request is tried again, if the options do not say it.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);
/// The name of that option, whose value is in seconds.
const RETRY_TIMEOUT_OPTION: &str = "retry_timeout";
/// How often the client repeats a write by itself. A write has limits that the client does not know: it must say
/// within them what the store answered.
const WRITE_RETRIES: usize = 2;

/// The stores that were made, by what their addresses begin with.
#[derive(Default)]
pub(in crate::store) struct Made {
    options: StorageOptions,
    remotes: Mutex<HashMap<String, Arc<Remote>>>,
    runtime: OnceLock<Arc<Runtime>>,
}

impl Made {
    pub(in crate::store) fn new(options: StorageOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The store that an address leads to.
    pub(in crate::store) fn of(&self, place: &Path) -> Result<Arc<Remote>, Error> {
        let address = Address::of(place)?;
        let mut remotes = lock(&self.remotes);
        if let Some(remote) = remotes.get(&address.root) {
            return Ok(Arc::clone(remote));
        }
        let remote = Arc::new(self.connect(&address, place)?);
        remotes.insert(address.root, Arc::clone(&remote));
        Ok(remote)
    }

    fn connect(&self, address: &Address, place: &Path) -> Result<Remote, Error> {
        self.check_options(place)?;
        let runtime = self.runtime()?;
        let (retry, root) = (self.retry(place)?, address.root.as_str());
        let patience = retry.retry_timeout;
        let writing = RetryConfig { max_retries: WRITE_RETRIES, ..retry.clone() };
        let unusable = |error: object_store::Error| Error::Address {
            address: place.to_owned(),
            reason: error.to_string(),
            hint: "look at the options of the store, and at the variables of the environment that begin with its name",
        };
        let (kind, store): (Kind, Arc<dyn ObjectStore>) = match address.scheme {
            Scheme::S3 => {
                let mut builder = AmazonS3Builder::from_env().with_url(root).with_retry(retry);
                for (key, value) in self.known::<AmazonS3ConfigKey>() {
                    builder = builder.with_config(key, value);
                }
                let said = |key| builder.get_config_value(&key);
                refuse_profile(place, &said)?;
                let endpoint =
                    said(AmazonS3ConfigKey::S3Endpoint).or_else(|| said(AmazonS3ConfigKey::Endpoint));
                if is_plain(endpoint.as_deref()) {
                    builder = builder.with_allow_http(true);
                }
                let store = Arc::new(builder.clone().build().map_err(unusable)?);
                let bucket = Bucket::of(builder.with_retry(writing).build().map_err(unusable)?);
                (Kind::Bucket(bucket), store)
            }
            Scheme::Google => {
                let mut builder = GoogleCloudStorageBuilder::from_env().with_url(root).with_retry(retry);
                for (key, value) in self.known::<GoogleConfigKey>() {
                    builder = builder.with_config(key, value);
                }
                let store = Arc::new(builder.clone().build().map_err(unusable)?);
                let bucket = Bucket::of(builder.with_retry(writing).build().map_err(unusable)?);
                (Kind::Bucket(bucket), store)
            }
            Scheme::Azure => {
                let mut builder = MicrosoftAzureBuilder::from_env().with_url(root).with_retry(retry);
                for (key, value) in self.known::<AzureConfigKey>() {
                    builder = builder.with_config(key, value);
                }
                if is_plain(builder.get_config_value(&AzureConfigKey::Endpoint).as_deref()) {
                    builder = builder.with_allow_http(true);
                }
                let store = Arc::new(builder.clone().build().map_err(unusable)?);
                let bucket = Bucket::of(builder.with_retry(writing).build().map_err(unusable)?);
                (Kind::Bucket(bucket), store)
            }
            Scheme::Http => (Kind::Server, self.server(root, ClientOptions::new(), retry).map_err(unusable)?),
            Scheme::Hub => {
                let hub = Hub::of_environment();
                let (id, revision) = address.dataset.as_ref().ok_or_else(|| no_dataset(place))?;
                let found = runtime.block_on(patiently(patience, || Dataset::find(&hub, id, revision)));
                let dataset = found.map_err(|error| match error {
                    object_store::Error::Generic { .. } => failure(Doing::Look, place, error),
                    error => Error::Address {
                        address: place.to_owned(),
                        reason: format!("the dataset {id} at {revision} was not found: {error}"),
                        hint: "look at its name and revision; for a private or gated one, set HF_TOKEN",
                    },
                })?;
                let url = format!("{}/datasets/{id}/resolve/{}", hub.endpoint, dataset.revision());
                let client = ClientOptions::new().with_default_headers(hub.headers);
                let store = self.server(&url, client, retry).map_err(unusable)?;
                (Kind::Dataset(dataset), store)
            }
        };
        Ok(Remote { root: address.root.clone(), kind, store, runtime, patience })
    }

    fn server(
        &self,
        url: &str,
        client: ClientOptions,
        retry: RetryConfig,
    ) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        // Whoever writes http:// means it.
        let client = client.with_allow_http(url.starts_with("http://"));
        let mut builder = HttpBuilder::new().with_url(url).with_client_options(client).with_retry(retry);
        for (key, value) in self.known::<ClientConfigKey>() {
            builder = builder.with_config(key, value);
        }
        Ok(Arc::new(builder.build()?))
    }

    /// The options that a kind of store knows.
    fn known<K: std::str::FromStr>(&self) -> impl Iterator<Item = (K, &String)> {
        self.options.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value)))
    }

    /// Refuses options that no kind of store knows.
    fn check_options(&self, place: &Path) -> Result<(), Error> {
        let is_known = |key: &str| {
            key == RETRY_TIMEOUT_OPTION
                || key.parse::<AmazonS3ConfigKey>().is_ok()
                || key.parse::<GoogleConfigKey>().is_ok()
                || key.parse::<AzureConfigKey>().is_ok()
                || key.parse::<ClientConfigKey>().is_ok()
        };
        match self.options.iter().find(|(key, _)| !is_known(key)) {
            Some((key, _)) => Err(Error::Address {
                address: place.to_owned(),
                reason: format!("no store has an option `{key}`"),
                hint: "name it as the object_store crate does, such as aws_region, google_service_account, \
                       azure_storage_account_name, allow_http or retry_timeout",
            }),
            None => Ok(()),
        }
    }

    fn retry(&self, place: &Path) -> Result<RetryConfig, Error> {
        let said = self.options.iter().find(|(key, _)| *key == RETRY_TIMEOUT_OPTION);
        let timeout = match said.map(|(_, value)| value.parse()) {
            None => RETRY_TIMEOUT,
            Some(Ok(seconds)) => Duration::from_secs(seconds),
            Some(Err(_)) => {
                return Err(Error::Address {
                    address: place.to_owned(),
                    reason: format!("the option {RETRY_TIMEOUT_OPTION} is no number of seconds"),
                    hint: "give it as --storage-option retry_timeout=120",
                });
            }
        };
        // As often as there is time for: connections that are refused at once are tried again as well.
        let backoff = BackoffConfig { max_backoff: longest_pause(timeout), ..BackoffConfig::default() };
        Ok(RetryConfig { retry_timeout: timeout, max_retries: usize::MAX, backoff })
    }

    /// Two threads that talk to all stores, from when the first is made.
    fn runtime(&self) -> Result<Arc<Runtime>, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(Arc::clone(runtime));
        }
        // Only if nobody has chosen another: connections need one to choose.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("strata-store")
            .enable_all()
            .build()?;
        Ok(Arc::clone(self.runtime.get_or_init(|| Arc::new(runtime))))
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    S3,
    Google,
    Azure,
    Http,
    Hub,
}

/// What an address says of its store.
struct Address {
    scheme: Scheme,
    root: String,
    /// The id and revision of a dataset.
    dataset: Option<(String, String)>,
}

impl Address {
    fn of(place: &Path) -> Result<Self, Error> {
        let unusable = |reason: String, hint| Error::Address { address: place.to_owned(), reason, hint };
        let name = scheme_of(place).unwrap_or_default();
        let scheme = match name.as_str() {
            "s3" | "s3a" => Scheme::S3,
            "gs" => Scheme::Google,
            "az" | "azure" | "abfs" | "abfss" | "adl" => Scheme::Azure,
            "http" | "https" => Scheme::Http,
            "hf" => Scheme::Hub,
            _ => {
                return Err(unusable(
                    format!("{name}:// is no store that strata knows"),
                    "known are s3://, gs://, az://, http://, https:// and hf://datasets/; a folder of that name is ./… ",
                ));
            }
        };
        let (root, rest) = split(place).ok_or_else(|| unusable("it is not UTF-8".to_owned(), "rename it"))?;
        let host = root.split_once("://").map_or("", |(_, host)| host);
        if host.is_empty() {
            return Err(unusable(
                "it names no bucket or server".to_owned(),
                "write it as scheme://bucket/path",
            ));
        }
        if matches!(scheme, Scheme::Http) && (host.contains('@') || rest.contains(['?', '#'])) {
            // Both would be secrets, in files and messages that others see.
            let reason = "addresses with a user, a query or a fragment are not supported".to_owned();
            return Err(unusable(
                reason,
                "name the file by its store, s3://, gs:// or az://, or fetch it first",
            ));
        }
        let Scheme::Hub = scheme else { return Ok(Self { scheme, root: root.to_owned(), dataset: None }) };
        let mut names = rest.split('/');
        let (Some(owner), Some(name)) = (names.next().filter(|owner| !owner.is_empty()), names.next()) else {
            return Err(no_dataset(place));
        };
        if host != "datasets" || name.is_empty() {
            return Err(no_dataset(place));
        }
        let (id, revision) = name.split_once('@').unwrap_or((name, "main"));
        let root = format!("{root}/{owner}/{name}");
        Ok(Self { scheme, root, dataset: Some((format!("{owner}/{id}"), revision.replace("%2F", "/"))) })
    }
}

fn no_dataset(place: &Path) -> Error {
    Error::Address {
        address: place.to_owned(),
        reason: "it names no dataset of the hub".to_owned(),
        hint: "write it as hf://datasets/OWNER/NAME/path, or with a revision as hf://datasets/OWNER/NAME@REVISION/path",
    }
}

fn is_plain(endpoint: Option<&str>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// The files of the AWS command line are not read: keys that stand only there would be missed in silence.
fn refuse_profile(place: &Path, said: &dyn Fn(AmazonS3ConfigKey) -> Option<String>) -> Result<(), Error> {
    let has_keys = said(AmazonS3ConfigKey::AccessKeyId).is_some()
        || said(AmazonS3ConfigKey::WebIdentityTokenFile).is_some()
        || said(AmazonS3ConfigKey::SkipSignature).is_some_and(|skip| skip == "true");
    match std::env::var("AWS_PROFILE") {
        Ok(profile) if !has_keys => Err(Error::Address {
            address: place.to_owned(),
            reason: format!("AWS_PROFILE is `{profile}`, and profiles and SSO are not read"),
            hint: "give its keys to the program with: eval \"$(aws configure export-credentials --format env)\"",
        }),
        _ => Ok(()),
    }
}
