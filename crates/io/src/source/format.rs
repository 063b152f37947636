//! Formats of files, and the names that stand for them.

use std::io::Read;
use std::path::Path;

use crate::Error;

/// How the records of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Apache Parquet: `.parquet`, `.pq`.
    Parquet,
    /// Arrow IPC with a footer: `.arrow`, `.feather`, `.ipc`.
    ArrowFile,
    /// Arrow IPC as a stream: `.arrows`, or the extensions of [`Format::ArrowFile`].
    ArrowStream,
    /// Comma-separated values: `.csv`.
    Csv,
    /// Tab-separated values: `.tsv`.
    Tsv,
    /// JSON objects, one a line, one after another, or all in one array: `.jsonl`, `.ndjson`, `.json`.
    Json,
    /// One text a line: `.txt`.
    Text,
}

/// How the bytes of a text format are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
}

/// What a name says of its bytes.
pub(super) fn compression(name: &str) -> Compression {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_lowercase().as_str() {
        "gz" => Compression::Gzip,
        "zst" => Compression::Zstd,
        "bz2" => Compression::Bzip2,
        "xz" => Compression::Xz,
        _ => Compression::None,
    }
}

/// A name of unknown extension without it, and without that of a compression.
pub(super) fn without_extension(name: &str) -> &str {
    fn stem(name: &str) -> Option<&str> {
        name.strip_suffix(Path::new(name).extension()?.to_str()?)?.strip_suffix('.')
    }
    let name = if compression(name) == Compression::None { name } else { stem(name).unwrap_or(name) };
    stem(name).unwrap_or(name)
}

/// A name without its data extension, and what that extension stands for.
pub(super) fn split_extension(name: &str) -> Option<(&str, Format, Compression)> {
    let (rest, extension) = name.rsplit_once('.')?;
    match extension.to_lowercase().as_str() {
        "parquet" | "pq" => return Some((rest, Format::Parquet, Compression::None)),
        "arrow" | "feather" | "ipc" => return Some((rest, Format::ArrowFile, Compression::None)),
        "arrows" => return Some((rest, Format::ArrowStream, Compression::None)),
        _ => {}
    }
    let compression = compression(name);
    let name = if compression == Compression::None { name } else { rest };
    let (stem, extension) = name.rsplit_once('.')?;
    let format = match extension.to_lowercase().as_str() {
        "csv" => Format::Csv,
        "tsv" => Format::Tsv,
        "jsonl" | "ndjson" | "json" => Format::Json,
        "txt" => Format::Text,
        _ => return None,
    };
    Some((stem, format, compression))
}

/// Whether a name is that of a data file within a file that is not read.
pub(super) fn is_wrapped_data(name: &str) -> bool {
    const WRAPPED: [&str; 13] =
        ["gz", "zst", "zstd", "bz2", "xz", "lzma", "lz4", "zip", "7z", "rar", "br", "sz", "snappy"];
    let Some((inside, extension)) = name.rsplit_once('.') else { return false };
    let is_wrapped = WRAPPED.contains(&extension.to_lowercase().as_str()) && split_extension(name).is_none();
    is_wrapped && split_extension(inside).is_some_and(|(_, format, _)| format != Format::Text)
}

/// Tells the two Arrow layouts apart: only files start with the magic.
pub(super) fn sniff_arrow(file: impl Read) -> Result<Format, Error> {
    let mut magic = Vec::new();
    file.take(6).read_to_end(&mut magic)?;
    Ok(if magic == b"ARROW1" { Format::ArrowFile } else { Format::ArrowStream })
}
