//! The hub's two calls: what a file is (HEAD), and its bytes (GET).

use std::io::ErrorKind;
use std::time::Duration;

use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, ETAG, LOCATION, RANGE};
use ureq::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::Error;
use crate::environment;
use crate::files::{CONFIG, is_plain};
use crate::id::ModelId;

const MOST_REDIRECTS: usize = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A hub, and who the user is there.
pub struct Client {
    agent: Agent,
    endpoint: Uri,
    authorization: Option<HeaderValue>,
}

/// What the hub says of a file.
#[derive(Debug)]
pub struct Remote {
    pub file: String,
    /// The commit that the revision stands at.
    pub commit: String,
    /// The name of its bytes: their sha256, or the id of their git blob.
    pub etag: String,
    pub size: Option<u64>,
}

impl Remote {
    fn told(
        file: &str,
        response: &Response<Body>,
        commit: Option<String>,
        is_redirect: bool,
        address: &Uri,
    ) -> Result<Self, Error> {
        let commit = commit.filter(|commit| is_plain(commit));
        let etag = text(response, "x-linked-etag").or_else(|| text(response, ETAG.as_str()));
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
        // The length of a redirect is its own.
        let own = || text(response, CONTENT_LENGTH.as_str()).filter(|_| !is_redirect);
        let size = text(response, "x-linked-size").or_else(own).and_then(|size| size.parse().ok());
        match (commit, etag.filter(|etag| is_plain(etag))) {
            (Some(commit), Some(etag)) => Ok(Self { file: file.to_owned(), commit, etag, size }),
            _ => Err(strange(address, "does not say which commit and which bytes a file is")),
        }
    }
}

impl Client {
    /// # Errors
    /// The environment names a hub or a token that cannot be one.
    pub fn of_environment() -> Result<Self, Error> {
        let endpoint = environment::endpoint();
        let uri = endpoint.parse().ok().filter(|uri: &Uri| {
            uri.authority().is_some() && matches!(uri.scheme_str(), Some("http" | "https"))
        });
        let endpoint = uri.ok_or_else(|| {
            Error::configuration(format!(
                "HF_ENDPOINT is `{endpoint}`, expected an address such as https://huggingface.co"
            ))
        })?;
        let bearer = |token: String| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                Error::configuration("the token has characters that no token has")
                    .advise("look at HF_TOKEN, or at the file of the token")
            })?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        };
        let config = Agent::config_builder()
            // A redirect may lead to another host, which must not see the token.
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(environment::patience()))
            .tls_config(TlsConfig::builder().root_certs(root_certificates()).build())
            .user_agent(concat!("strata/", env!("CARGO_PKG_VERSION")))
            .build();
        let authorization = environment::token().map(bearer).transpose()?;
        Ok(Self { agent: config.into(), endpoint, authorization })
    }

    /// What the hub says of a file at a revision; none if the model has no such file.
    ///
    /// # Errors
    /// There is no such model or revision, the user may not read it, or the hub cannot be reached.
    pub fn look_up(&self, id: &ModelId, revision: &str, file: &str) -> Result<Option<Remote>, Error> {
        let mut address = self.address(id, revision, file)?;
        let mut commit = None;
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(&Method::HEAD, &address, None)?;
            if response.status() == StatusCode::NOT_FOUND && is_only_the_file(&response, file) {
                return Ok(None);
            }
            self.refuse_failure(&response, id, &address)?;
            commit = text(&response, "x-repo-commit").or(commit);
            match redirected(&response, &address)? {
                // Elsewhere are the bytes; what they are is said here.
                Some(next) if same_host(&next, &address) => address = next,
                elsewhere => {
                    return Remote::told(file, &response, commit, elsewhere.is_some(), &address).map(Some);
                }
            }
        }
        Err(endless(&address))
    }

    /// The bytes of a file, from the one numbered `start`. A server may begin with the first nonetheless,
    /// which its status tells.
    ///
    /// # Errors
    /// As [`Client::look_up`].
    pub fn get(&self, id: &ModelId, remote: &Remote, start: u64) -> Result<Response<Body>, Error> {
        let mut address = self.address(id, &remote.commit, &remote.file)?;
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(&Method::GET, &address, Some(start).filter(|&start| start > 0))?;
            self.refuse_failure(&response, id, &address)?;
            match redirected(&response, &address)? {
                Some(next) => address = next,
                None => return Ok(response),
            }
        }
        Err(endless(&address))
    }

    /// What to say when the network fails.
    pub fn unreachable(&self, error: &dyn std::error::Error) -> Error {
        unreachable(&self.endpoint, error)
    }

    /// The hub's host, for messages.
    pub fn host(&self) -> &str {
        host(&self.endpoint)
    }

    fn address(&self, id: &ModelId, revision: &str, file: &str) -> Result<Uri, Error> {
        let (endpoint, revision) = (self.endpoint.to_string(), revision.replace('/', "%2F"));
        let address = format!("{}/{}/resolve/{revision}/{file}", endpoint.trim_end_matches('/'), id.name);
        address.parse().map_err(|_| Error::configuration(format!("`{address}` is not an address")))
    }

    fn send(&self, method: &Method, address: &Uri, start: Option<u64>) -> Result<Response<Body>, Error> {
        let mut request = Request::builder().method(method).uri(address).header(ACCEPT_ENCODING, "identity");
        if let Some(start) = start {
            request = request.header(RANGE, format!("bytes={start}-"));
        }
        if let Some(authorization) = &self.authorization
            && same_host(address, &self.endpoint)
        {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response =
            request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request));
        response.map_err(|error| match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
                Error::configuration(format!("no safe connection to {}: {error}", host(address)))
                    .advise("set SSL_CERT_FILE to the certificates that your network demands")
            }
            error => unreachable(address, &error),
        })
    }

    /// Says what an answer means that is neither the file nor the way to it.
    fn refuse_failure(&self, response: &Response<Body>, id: &ModelId, address: &Uri) -> Result<(), Error> {
        let (status, name, hub) = (response.status(), &id.name, host(address));
        let code = text(response, "x-error-code");
        match status.as_u16() {
            200..=399 => Ok(()),
            // Where the bytes are, a link is good for a while only.
            400..=499 if !same_host(address, &self.endpoint) => Err(passing(hub, status)),
            401 | 403 => Err(self.forbidden(response, id, address)),
            404 if code.as_deref() == Some("RevisionNotFound") => {
                Err(Error::not_found(format!("{name} at {hub} has no revision `{}`", id.revision)))
            }
            404 => Err(Error::not_found(format!("no model {name} at {hub}")).advise(
                "look at the spelling; a private model is not there for whoever may not read it (HF_TOKEN)",
            )),
            408 | 429 | 500.. => Err(passing(hub, status)),
            _ => Err(strange(address, &format!("answers {status}"))),
        }
    }

    fn forbidden(&self, response: &Response<Body>, id: &ModelId, address: &Uri) -> Error {
        let (status, name, hub) = (response.status().as_u16(), &id.name, host(address));
        if text(response, "x-error-code").as_deref() == Some("GatedRepo") {
            return Error::configuration(format!("{name} at {hub} is gated ({status})")).advise(format!(
                "accept its terms at {}/{name}, then set HF_TOKEN to a token of that account",
                self.endpoint.to_string().trim_end_matches('/')
            ));
        }
        if self.authorization.is_some() {
            return Error::configuration(format!("{hub} does not let this token read {name} ({status})"))
                .advise("set HF_TOKEN to a token that may read it");
        }
        Error::configuration(format!("{name} is not at {hub}, or not for everyone ({status})"))
            .advise("look at the spelling; if the model is private or gated, set HF_TOKEN to a token that may read it")
    }
}

/// Those of the machine, as a company's proxy demands; where there are none, Mozilla's.
fn root_certificates() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    RootCerts::from(found.into_iter().map(|found| Certificate::from_der(&found).to_owned()))
}

fn unreachable(address: &Uri, error: &dyn std::error::Error) -> Error {
    Error::try_again(format!("cannot reach {}: {error}", host(address)))
        .advise("look at the network and at HF_ENDPOINT; the same command goes on from here")
}

/// Whether it is the file that is not there, and not the whole model.
fn is_only_the_file(response: &Response<Body>, file: &str) -> bool {
    match text(response, "x-error-code") {
        Some(code) => code == "EntryNotFound",
        // Every model has a configuration; where that was found, the model is there.
        None => file != CONFIG,
    }
}

/// Where a response leads, if it is a redirect.
fn redirected(response: &Response<Body>, address: &Uri) -> Result<Option<Uri>, Error> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = text(response, LOCATION.as_str()).unwrap_or_default();
    let scheme = address.scheme_str().unwrap_or("https");
    let absolute = match location.as_bytes() {
        [b'/', b'/', ..] => format!("{scheme}:{location}"),
        [b'/', ..] => {
            format!("{scheme}://{}{location}", address.authority().map_or("", |authority| authority.as_str()))
        }
        _ => location,
    };
    let next = absolute.parse().ok().filter(|uri: &Uri| uri.authority().is_some());
    next.map(Some).ok_or_else(|| strange(address, &format!("leads to `{absolute}`")))
}

fn same_host(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.authority() == other.authority()
}

/// Host and port for a message, without a password.
fn host(address: &Uri) -> &str {
    let authority = address.authority().map_or("", |authority| authority.as_str());
    authority.rsplit('@').next().unwrap_or(authority)
}

fn passing(hub: &str, status: StatusCode) -> Error {
    Error::try_again(format!("{hub} answers {status}")).advise("the same command goes on from here")
}

fn strange(address: &Uri, what: &str) -> Error {
    Error::configuration(format!("{} {what}", host(address)))
        .advise("this is not how a Hugging Face hub answers: look at HF_ENDPOINT and at the proxy")
}

fn endless(address: &Uri) -> Error {
    strange(address, &format!("leads on and on, {MOST_REDIRECTS} times"))
}

fn text(response: &Response<Body>, header: &str) -> Option<String> {
    Some(response.headers().get(header)?.to_str().ok()?.to_owned())
}
