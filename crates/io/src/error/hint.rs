//! What the user can do about an error.

use std::io;

use super::{Error, ErrorKind, StoreTrouble};

impl Error {
    /// What the user can do, where there is something.
    pub fn hint(&self) -> Option<String> {
        if let Self::Read { source, .. } | Self::Write { source, .. } = self
            && let Some(of_store) = of_store(source.as_ref())
        {
            return of_store.hint();
        }
        let hint = match self {
            Self::NoInput { .. } => "give a file, a folder or a quoted pattern such as 'data/**/*.parquet'",
            Self::NotAFile { .. } => "fetch what it stands for, take it away, or name the files themselves",
            Self::TableFolder { .. } => {
                "write the table's rows to files of their own first, with deltalake, pyiceberg, Spark or DuckDB; \
                 a file that is named itself is read as it is"
            }
            Self::UnknownExtension { .. } => {
                "known are .parquet .pq .arrow .feather .ipc .arrows .csv .tsv .jsonl .ndjson .json .txt, \
                 the text formats also with .gz .zst .bz2 or .xz; --input-format reads any file as one of them; \
                 unpack an archive, or name the other files by a pattern"
            }
            Self::SameStem { .. } => "give their common folder as the one input, or rename one of them",
            Self::UnknownColumn { .. } => "name a column that the file has",
            Self::AmbiguousColumn { .. } => "rename one of them in the input",
            Self::NotReadable { .. } => "give it another type with --schema, such as Utf8",
            Self::Encrypted { column: None, .. } => {
                "write it again without encryption, with a reader that has its keys, such as pyarrow or Spark"
            }
            Self::Encrypted { .. } => {
                "leave the column out with --keep, or write it again without encryption, with a reader that has \
                 its keys, such as pyarrow or Spark"
            }
            Self::Record { hint, .. } => hint,
            Self::Value { unfit, .. } => {
                return Some(format!(
                    "keep every value as it is with --schema '{}', give another type, or leave the column out \
                     with --keep",
                    unfit.keep
                ));
            }
            Self::Read { rows: None, .. } if self.kind() == ErrorKind::BadData => {
                "the file may be incomplete or of another format than its name says; make or copy it again"
            }
            Self::NotKept { column, fitting, .. } => {
                let fitting = fitting.unwrap_or("TYPE");
                return Some(format!(
                    "give the column a type that keeps it with --schema '{column}={fitting}', or leave it out with --keep"
                ));
            }
            Self::Changed { .. } => "run again once whoever writes it is done",
            Self::Truncated { .. } => "was the file replaced while it was read? run again",
            Self::NotWritable { .. } => "leave the column out of the kept ones, or cast it beforehand",
            Self::Float16Overflow { .. } => "store float32",
            Self::Manifest { .. } | Self::ManifestVersion { .. } | Self::ManifestName { .. } => {
                "write to another folder, or start afresh with --overwrite"
            }
            Self::Address { hint, .. } => hint,
            Self::LeaseLost { .. } => "run again once the other has ended: what either has committed is kept",
            Self::Store { trouble, .. } => match trouble {
                StoreTrouble::NotThere => "look at the address, and at the endpoint and region of the store",
                StoreTrouble::Denied => {
                    "give the store's keys in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                     GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, HF_TOKEN) \
                     or with --storage-option; a public bucket of S3 needs --storage-option aws_skip_signature=true"
                }
                StoreTrouble::Unsupported => {
                    "the server must answer requests for ranges of bytes; else fetch the file first"
                }
                StoreTrouble::Changed => "run again once whoever writes it is done",
                StoreTrouble::Failed => {
                    "run the same command again once the store can be reached: what is committed is kept"
                }
            },
            Self::Locked { .. } => "wait for it to end, or write to another folder",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// What a store said, if that is behind an error.
fn of_store<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()).next()
}
