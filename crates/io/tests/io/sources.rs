use std::path::Path;

use proptest::prelude::*;
use strata_io::{Compression, Error, ErrorKind, Format, Source, Store, Stores, find, find_as};
use tempfile::TempDir;

fn folder(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, b"").unwrap();
    }
    folder
}

fn arguments(folder: &TempDir, inputs: &[&str]) -> Vec<String> {
    let join = |input: &&str| folder.path().join(input).to_str().unwrap().to_owned();
    inputs.iter().map(join).collect()
}

fn found(folder: &TempDir, inputs: &[&str]) -> Vec<String> {
    let sources = find(&arguments(folder, inputs)).unwrap();
    sources.into_iter().map(|source| source.name).collect()
}

fn refused(folder: &TempDir, inputs: &[&str]) -> Error {
    find(&arguments(folder, inputs)).unwrap_err()
}

fn named(name: &str) -> Source {
    Source {
        real: name.into(),
        shown: name.into(),
        path: name.into(),
        name: name.to_owned(),
        format: Format::Parquet,
        compression: Compression::None,
        bytes: 0,
        modified_ns: 0,
        store: Store::Local,
        tag: None,
    }
}

#[test]
fn a_file_is_named_by_its_file_name() {
    let folder = folder(&["deep/er/a.parquet"]);
    assert_eq!(found(&folder, &["deep/er/a.parquet"]), ["a.parquet"]);
}

#[test]
fn a_folder_is_searched_to_any_depth_past_hidden_and_foreign_files() {
    let folder = folder(&[
        "x/b.csv",
        "x/sub/a.parquet",
        "x/notes.txt",
        "x/.hidden.parquet",
        "x/_SUCCESS",
        "x/_temporary/c.parquet",
        "x/.git/d.parquet",
        "x/e.parquet.md5",
        "x/f.csv.bak",
    ]);
    assert_eq!(found(&folder, &["x"]), ["b.csv", "sub/a.parquet"]);
}

#[test]
fn a_pattern_names_files_below_its_literal_folders() {
    let folder = folder(&["x/2024/a.csv", "x/2025/a.csv", "x/2025/deep/b.csv", "x/2025/.c.csv"]);
    assert_eq!(found(&folder, &["x/20*/*.csv"]), ["2024/a.csv", "2025/a.csv"]);
    assert_eq!(found(&folder, &["x/**/b.csv"]), ["2025/deep/b.csv"]);
    assert_eq!(found(&folder, &["x/2025/[.a]*.csv"]), ["a.csv"]);
}

#[test]
fn a_pattern_that_matches_a_folder_searches_it() {
    let folder = folder(&["x/2024/a.csv", "x/2025/b.csv", "x/2025/.c.csv"]);
    assert_eq!(found(&folder, &["x/*"]), ["2024/a.csv", "2025/b.csv"]);
}

#[test]
fn a_path_that_exists_is_not_a_pattern() {
    let folder = folder(&["a[1].csv", "a1.csv"]);
    assert_eq!(found(&folder, &["a[1].csv"]), ["a[1].csv"]);
}

#[test]
fn a_file_given_twice_counts_once_whatever_leads_to_it() {
    let folder = folder(&["x/a.csv", "x/deep/b.csv"]);
    let inputs = ["x/a.csv", "x", "x/*.csv", "x/../x/a.csv", "x/**"];
    assert_eq!(found(&folder, &inputs), ["a.csv", "deep/b.csv"]);
    std::os::unix::fs::symlink(folder.path().join("x"), folder.path().join("y")).unwrap();
    assert_eq!(found(&folder, &["x", "y"]), ["a.csv", "deep/b.csv"]);
}

#[test]
fn links_to_one_file_or_folder_count_each_as_for_other_readers() {
    let folder = folder(&["blobs/1", "elsewhere/a.csv", "x/c.csv"]);
    let link = |to: &str, from: &str| {
        fs_err::create_dir_all(folder.path().join(from).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(folder.path().join(to), folder.path().join(from)).unwrap();
    };
    link("blobs/1", "x/split=test/0.parquet");
    link("blobs/1", "x/split=validation/0.parquet");
    link("elsewhere", "x/one");
    link("elsewhere", "x/two");
    link("x/c.csv", "x/latest.csv");
    let expected = [
        "c.csv",
        "latest.csv",
        "one/a.csv",
        "split=test/0.parquet",
        "split=validation/0.parquet",
        "two/a.csv",
    ];
    assert_eq!(found(&folder, &["x"]), expected);
    assert_eq!(found(&folder, &["x/*", "x"]), expected);
}

#[test]
fn json_is_data_unless_it_stands_beside_or_above_columnar_files() {
    let folder =
        folder(&["x/about.json", "x/2023/a.json", "x/2024/b.parquet", "x/2024/b.json", "x/2024/c.json.gz"]);
    assert_eq!(found(&folder, &["x"]), ["2023/a.json", "2024/b.parquet", "2024/c.json.gz"]);
}

#[test]
fn data_wrapped_in_what_is_not_read_is_refused_where_it_is_found() {
    for name in ["a.parquet.gz", "a.csv.zip", "a.jsonl.zstd", "a.JSON.lz4", "a.csv.gz.zip"] {
        let folder = folder(&[&format!("x/{name}"), "x/b.csv"]);
        for input in ["x", "x/*"] {
            let error = refused(&folder, &[input]);
            assert!(
                matches!(&error, Error::UnknownExtension { path } if path.ends_with(name)),
                "{name}: {error}"
            );
        }
        assert_eq!(found(&folder, &["x/*.csv"]), ["b.csv"]);
    }
}

#[test]
fn a_link_that_leads_back_up_ends_the_search_there() {
    let folder = folder(&["x/a.csv", "x/sub/b.csv"]);
    for place in ["x/loop", "x/sub/loop"] {
        std::os::unix::fs::symlink(folder.path().join("x"), folder.path().join(place)).unwrap();
    }
    for inputs in [vec!["x"], vec!["x/*"], vec!["x/*", "x"], vec!["x", "x/*"]] {
        assert_eq!(found(&folder, &inputs), ["a.csv", "sub/b.csv"], "{inputs:?}");
    }
    // What it leads to is above the input, and so no part of it otherwise.
    assert_eq!(found(&folder, &["x/sub/*"]), ["b.csv", "loop/a.csv"]);
    assert_eq!(found(&folder, &["x/sub"]), ["b.csv", "loop/a.csv"]);
}

#[test]
fn links_between_folders_that_lead_to_each_other_are_refused_before_they_are_without_end() {
    let names: Vec<String> = (0..12).map(|number| format!("x/{number}")).collect();
    let files: Vec<String> = names.iter().map(|name| format!("{name}/a.csv")).collect();
    let folder = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
    for from in &names {
        for (number, to) in names.iter().enumerate().filter(|(_, to)| *to != from) {
            let link = folder.path().join(from).join(format!("to-{number}"));
            std::os::unix::fs::symlink(folder.path().join(to), link).unwrap();
        }
    }
    let error = refused(&folder, &["x"]);
    assert!(error.to_string().contains("more than 100 ways"), "{error}");
}

#[test]
fn inputs_without_a_data_file_are_named() {
    let folder = folder(&["x/notes.md"]);
    for (input, what) in [("x", "a folder without data files"), ("y", "nothing"), ("x/*.csv", "no match")] {
        let error = refused(&folder, &[input]);
        assert_eq!(error.kind(), ErrorKind::NoInput);
        assert!(error.to_string().contains(input), "{error}");
        assert!(error.to_string().ends_with(what), "{error}");
    }
    assert_eq!(find(&[]).unwrap_err().kind(), ErrorKind::NoInput);
}

#[test]
fn a_file_of_unknown_extension_is_refused_when_named() {
    let folder = folder(&["notes.md", "a.parquet.gz", "data.xml"]);
    for file in ["notes.md", "a.parquet.gz", "data.xml"] {
        let error = refused(&folder, &[file]);
        assert!(matches!(error, Error::UnknownExtension { .. }), "{error}");
        assert!(error.hint().unwrap().contains(".parquet"));
    }
}

#[test]
fn two_files_with_one_stem_are_refused_naming_both() {
    for (files, inputs) in [
        (["x/a.csv", "y/a.csv"], vec!["x/a.csv", "y/a.csv"]),
        (["x/a.csv", "x/a.parquet"], vec!["x"]),
        (["x/a__b.csv", "x/a/b.csv"], vec!["x"]),
    ] {
        let folder = folder(&files);
        let error = refused(&folder, &inputs);
        assert!(matches!(error, Error::SameStem { .. }), "{error}");
        assert!(files.iter().all(|file| error.to_string().contains(file)), "{error}");
        assert!(error.hint().unwrap().contains("common folder"));
    }
    let folder = folder(&["x/a.csv", "y/a.csv"]);
    assert_eq!(found(&folder, &["."]), ["x/a.csv", "y/a.csv"]);
}

#[test]
fn the_extension_decides_format_and_compression() {
    use Compression::{Bzip2, Gzip, None, Xz, Zstd};
    let cases = [
        ("a.parquet", Format::Parquet, None),
        ("a.PQ", Format::Parquet, None),
        ("a.arrows", Format::ArrowStream, None),
        ("a.csv", Format::Csv, None),
        ("a.csv.gz", Format::Csv, Gzip),
        ("a.tsv.zst", Format::Tsv, Zstd),
        ("a.jsonl", Format::Json, None),
        ("a.ndjson.GZ", Format::Json, Gzip),
        ("a.json", Format::Json, None),
        ("a.json.bz2", Format::Json, Bzip2),
        ("a.txt.xz", Format::Text, Xz),
    ];
    for (name, format, compression) in cases {
        let folder = folder(&[name]);
        let source = find(&arguments(&folder, &[name])).unwrap().remove(0);
        assert_eq!((source.format, source.compression), (format, compression), "{name}");
        assert_eq!(source.stem(), "a");
    }
}

#[test]
fn with_a_format_any_file_is_of_it() {
    let folder = folder(&["a.log.gz", "b.jsonl", "c"]);
    for input in ["a.log.gz", "b.jsonl", "c", ".", "*"] {
        for source in find_as(&arguments(&folder, &[input]), Some(Format::Text), &Stores::default()).unwrap()
        {
            assert_eq!(source.format, Format::Text, "{input}");
            assert_eq!(source.compression == Compression::Gzip, source.name.ends_with("gz"));
            assert_eq!(source.stem().len(), 1, "{}", source.stem());
        }
    }
    assert_eq!(
        find_as(&arguments(&folder, &["."]), Some(Format::Text), &Stores::default()).unwrap().len(),
        3
    );
}

#[test]
fn what_a_dataset_is_stored_with_is_no_data() {
    let folder = folder(&["x/state.json", "x/dataset_info.json", "x/data.json", "x/README.md"]);
    assert_eq!(found(&folder, &["x"]), ["data.json"]);
    assert_eq!(found(&folder, &["x/state.json"]), ["state.json"]);
}

#[test]
fn arrow_extensions_are_told_apart_by_their_first_bytes() {
    let folder = folder(&[]);
    for (name, bytes, format) in [
        ("a.arrow", b"ARROW1\0\0".as_slice(), Format::ArrowFile),
        ("a.feather", b"\xff\xff\xff\xff".as_slice(), Format::ArrowStream),
        ("a.ipc", b"".as_slice(), Format::ArrowStream),
    ] {
        fs_err::write(folder.path().join(name), bytes).unwrap();
        let source = find(&arguments(&folder, &[name])).unwrap().remove(0);
        assert_eq!(source.format, format, "{name}");
        assert_eq!(source.bytes, bytes.len() as u64);
        assert!(source.modified_ns > 1_500_000_000_000_000_000);
    }
}

#[test]
fn a_long_name_keeps_its_start_and_is_told_apart_by_a_hash() {
    let stem = |end: &str| named(&format!("{}{end}.csv", "ü/".repeat(150))).stem();
    assert_eq!(stem("a").len(), 209);
    assert!(stem("a").starts_with("ü__ü__"));
    assert_ne!(stem("a"), stem("b"));
}

proptest! {
    #[test]
    fn part_names_sort_as_their_inputs_do(
        stems in prop::collection::btree_set("[a-c0.~-]{1,4}", 1..8)
    ) {
        // A stem that itself ends like a part number can stand between two parts of another.
        prop_assume!(stems.iter().all(|stem| !stem.starts_with(['.', '-'])));
        let files: Vec<_> = stems.iter().map(|stem| format!("{stem}.csv")).collect();
        let folder = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let sources = find(&arguments(&folder, &["."])).unwrap();
        prop_assert_eq!(sources.len(), stems.len());
        let parts: Vec<_> = sources
            .iter()
            .flat_map(|source| (0..2).map(|part| format!("{}-{part:05}.parquet", source.stem())))
            .collect();
        prop_assert!(parts.is_sorted(), "{:?}", parts);
    }

    #[test]
    fn a_stem_is_one_path_component_of_bounded_length(name in "[a-zü/.]{0,300}") {
        let stem = named(&format!("x{name}.parquet")).stem();
        prop_assert!(stem.len() <= 209);
        prop_assert_eq!(Path::new(&stem).components().count(), 1);
        prop_assert!(!stem.contains('/'));
    }
}
