//! What stores say when they refuse, in the words of whoever asked.

use std::error::Error as _;
use std::io;
use std::path::Path;

use object_store::client::{HttpError, HttpErrorKind};
use reqwest::StatusCode;
use strum::IntoStaticStr;

use super::hub::Answered;
use crate::Error;
use crate::error::StoreTrouble;

/// What was asked of a store.
#[derive(Debug, Clone, Copy, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Doing {
    #[strum(serialize = "look at")]
    Look,
    Read,
    List,
    Write,
    Remove,
}

/// The failure of something that was asked about a place.
pub(super) fn failure(doing: Doing, path: &Path, error: object_store::Error) -> Error {
    use object_store::Error as E;
    if let E::InvalidPath { source } = &error {
        return Error::Address {
            address: path.to_owned(),
            reason: format!("a file there has a name that is not supported: {source}"),
            hint: "rename it, or name the others; no part of a name may be empty, `.` or `..`",
        };
    }
    let trouble = match &error {
        E::NotFound { .. } => StoreTrouble::NotThere,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => StoreTrouble::Denied,
        E::NotSupported { .. } | E::NotImplemented { .. } => StoreTrouble::Unsupported,
        E::Precondition { .. } | E::AlreadyExists { .. } => StoreTrouble::Changed,
        _ if says(&error, &["credential", "169.254.169.254", "InvalidAccessKeyId", "metadata token"]) => {
            StoreTrouble::Denied
        }
        _ if says(&error, &["NoSuchBucket", "ContainerNotFound", "bucket does not exist"]) => {
            StoreTrouble::NotThere
        }
        _ if says(&error, &["range request", "Content-Range", "non-partial response"]) => {
            StoreTrouble::Unsupported
        }
        _ => StoreTrouble::Failed,
    };
    Error::Store { address: path.to_owned(), doing: doing.into(), trouble, reason: reason(&error) }
}

/// The failure of a store that cannot tell whether somebody else has written meanwhile.
pub(super) fn no_conditions(path: &Path, found: &str) -> Error {
    Error::Address {
        address: path.to_owned(),
        reason: format!(
            "an output needs a store with conditional writes (If-None-Match, If-Match), and {found}"
        ),
        hint: "name an address of a store that has them, as S3, GCS, Azure, R2 and newer versions of MinIO do, \
               or a folder; without them, two runs could destroy one another's output",
    }
}

/// The failure to read what is not there.
pub(super) fn not_there(path: &Path) -> Error {
    Error::Store {
        address: path.to_owned(),
        doing: Doing::Read.into(),
        trouble: StoreTrouble::NotThere,
        reason: "nothing is there".to_owned(),
    }
}

/// As the operating system would say it, for readers that know files alone.
pub(super) fn as_io(error: Error) -> io::Error {
    let kind = match &error {
        Error::Store { trouble, .. } => match trouble {
            StoreTrouble::NotThere => io::ErrorKind::NotFound,
            StoreTrouble::Denied => io::ErrorKind::PermissionDenied,
            StoreTrouble::Unsupported => io::ErrorKind::Unsupported,
            // What was read does not belong together.
            StoreTrouble::Changed => io::ErrorKind::InvalidData,
            StoreTrouble::Failed => io::ErrorKind::NetworkUnreachable,
        },
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// The same error of a store once more.
pub(super) fn again(error: &Error) -> Error {
    let Error::Store { address, doing, trouble, reason } = error else {
        return Error::Io(io::Error::other(error.to_string()));
    };
    Error::Store { address: address.clone(), doing, trouble: *trouble, reason: reason.clone() }
}

/// Whether the store does not know how to do what was asked.
pub(super) fn is_unsupported(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(error, E::NotSupported { .. } | E::NotImplemented { .. })
        || status_of(error) == Some(StatusCode::NOT_IMPLEMENTED)
}

/// Whether an error is of a kind that goes by: a store that has too much to do or has failed, a connection that broke.
pub(super) fn is_passing(error: &object_store::Error) -> bool {
    use StatusCode as S;
    match status_of(error) {
        Some(S::NOT_IMPLEMENTED) => false,
        Some(S::REQUEST_TIMEOUT | S::CONFLICT | S::TOO_MANY_REQUESTS) => true,
        Some(status) => status.is_server_error(),
        // Of an answer that is a success but for what it says.
        None => says(error, &["Server returned error response"]) || causes(error).any(is_of_connection),
    }
}

/// The status of an answer that was a refusal. The client's own error for it cannot be named, only read.
fn status_of(error: &object_store::Error) -> Option<StatusCode> {
    if let Some(Answered(status)) = causes(error).find_map(|cause| cause.downcast_ref()) {
        return Some(*status);
    }
    let text = error.to_string();
    let (_, status) = text.split_once("non-2xx status code: ")?;
    status.get(..3)?.parse().ok()
}

fn is_of_connection(cause: &(dyn std::error::Error + 'static)) -> bool {
    use HttpErrorKind as K;
    let of_client = cause
        .downcast_ref::<HttpError>()
        .is_some_and(|error| matches!(error.kind(), K::Connect | K::Request | K::Timeout | K::Interrupted));
    // Of the hub, which is asked without that client.
    let of_hub = cause.downcast_ref::<reqwest::Error>().is_some_and(|error| {
        error.is_connect() || error.is_timeout() || error.is_request() || error.is_body()
    });
    of_client || of_hub
}

/// An error and what caused it.
fn causes(error: &object_store::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| (**error).source())
}

/// Whether an error has some of these words, but for those of an address.
fn says(error: &object_store::Error, words: &[&str]) -> bool {
    let text = error.to_string();
    let own = text.split_whitespace().filter(|word| !word.contains("://") || word.contains("169.254"));
    let text = own.collect::<Vec<_>>().join(" ");
    words.iter().any(|word| text.contains(word))
}

/// The cause in one line, without the queries of addresses, which may sign.
pub(super) fn reason(error: &object_store::Error) -> String {
    // The outermost words say which store it was, which the address says as well.
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let text = match (text.find("<?xml").or_else(|| text.find("<Error>")), within(&text, "Code")) {
        // Of a page of XML two lines are meant for people.
        (Some(page), Some(code)) => {
            format!("{}{code}: {}", &text[..page], within(&text, "Message").unwrap_or_default())
        }
        _ => text,
    };
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    let mut line = words.collect::<Vec<_>>().join(" ");
    const MOST: usize = 400;
    if line.len() > MOST {
        line.truncate(line.floor_char_boundary(MOST));
        line.push('…');
    }
    line
}

/// What stands in the first element of this name.
fn within<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let rest = page.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}
