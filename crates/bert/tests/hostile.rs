//! Checkpoints that lie: refused with an error, whatever they hold, and nothing in them is run.

use std::path::Path;

use proptest::prelude::*;
use strata_bert::{
    Checkpoint, Compute, DeviceKind, Error, ErrorKind, Extractor, FeatureRequest, Features, TextTokenizer,
    TokenizerOptions,
};
use tempfile::TempDir;

/// A copy of the fixture model, to be spoilt.
fn copy() -> TempDir {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
    let folder = TempDir::new().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs_err::copy(fixture.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Everything that a run does with a checkpoint before its first batch.
fn load(folder: &Path) -> Result<(), Error> {
    let checkpoint = Checkpoint::open(folder)?;
    let options = FeatureRequest { layers: "all".parse()?, ..FeatureRequest::default() };
    let features = Features::resolve(&options, &checkpoint.config)?;
    TextTokenizer::load(&checkpoint, &TokenizerOptions::default())?;
    Extractor::check(&checkpoint, &features, DeviceKind::Flex, Compute::Float32)?;
    Extractor::load(&checkpoint, features, DeviceKind::Flex, Compute::Float32, None).map(drop)
}

fn refused(folder: &Path) -> Error {
    let error = load(folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    error
}

/// A safetensors file with this header and so many bytes of data.
fn weights(folder: &Path, stated_length: u64, header: &str, data: usize) {
    let bytes = [&stated_length.to_le_bytes(), header.as_bytes(), &vec![0; data]].concat();
    fs_err::write(folder.join("model.safetensors"), bytes).unwrap();
}

#[test]
fn a_header_that_lies_about_its_length_is_refused() {
    let folder = copy();
    for length in [0, 1, 3, 100, 1 << 20, 1 << 40, u64::MAX - 7, u64::MAX] {
        weights(folder.path(), length, "{}", 0);
        refused(folder.path());
    }
}

#[test]
fn tensors_that_overlap_or_reach_beyond_the_file_are_refused() {
    let folder = copy();
    let tensor = |from: u64, to: u64, rows: u64| {
        format!(r#"{{"dtype":"F32","shape":[{rows}],"data_offsets":[{from},{to}]}}"#)
    };
    for (a, b) in [
        (tensor(0, 8, 2), tensor(4, 12, 2)),
        (tensor(0, 8, 2), tensor(0, 8, 2)),
        (tensor(0, 8, 2), tensor(8, 1 << 40, 1 << 38)),
        (tensor(8, 0, 2), tensor(8, 16, 2)),
        (tensor(0, 8, u64::MAX / 2), tensor(8, 16, 2)),
        (tensor(0, 4, 2), tensor(4, 12, 2)),
    ] {
        let header = format!(r#"{{"a":{a},"b":{b}}}"#);
        weights(folder.path(), header.len() as u64, &header, 16);
        refused(folder.path());
    }
}

/// A copy of the fixture model whose weights are pickled.
fn pickled() -> TempDir {
    let folder = copy();
    fs_err::remove_file(folder.path().join("model.safetensors")).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert-bin");
    fs_err::copy(fixture.join("pytorch_model.bin"), folder.path().join("pytorch_model.bin")).unwrap();
    folder
}

#[test]
fn what_a_pickle_asks_to_be_run_is_not_run() {
    let folder = pickled();
    load(folder.path()).unwrap();
    let (path, witness) = (folder.path().join("pytorch_model.bin"), folder.path().join("witness"));
    // Unpickled, each would create a file: as the whole object, as a value, in protocols 0 and 2.
    let command = format!("touch {}", witness.display());
    let call = format!("cposix\nsystem\n(S'{command}'\ntR");
    let short = u8::try_from(command.len()).unwrap();
    let binary = [b"\x80\x02cposix\nsystem\nU", &[short][..], command.as_bytes(), b"\x85R"].concat();
    for pickle in [
        format!("{call}.").into_bytes(),
        format!("(dS'weight'\n{call}s.").into_bytes(),
        [&binary[..], b"."].concat(),
        [b"\x80\x02}U\x01a", &binary[2..], b"s."].concat(),
    ] {
        fs_err::write(&path, &pickle).unwrap();
        refused(folder.path());
        assert!(!witness.exists(), "{}", String::from_utf8_lossy(&pickle));
    }
}

#[test]
fn pickled_weights_that_are_cut_short_are_refused() {
    let folder = pickled();
    let path = folder.path().join("pytorch_model.bin");
    let bytes = fs_err::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(997) {
        fs_err::write(&path, &bytes[..length]).unwrap();
        refused(folder.path());
    }
}

#[test]
fn an_index_that_names_files_elsewhere_is_refused() {
    let folder = copy();
    for weights in ["pytorch_model.bin", "model.safetensors"] {
        let _ = fs_err::remove_file(folder.path().join("model.safetensors"));
        for name in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\u0000b"] {
            let index = format!(r#"{{"weight_map":{{"a":"{name}"}}}}"#);
            fs_err::write(folder.path().join(format!("{weights}.index.json")), index).unwrap();
            refused(folder.path());
        }
    }
}

#[test]
fn a_configuration_of_absurd_size_is_refused_before_memory_is_taken() {
    let folder = copy();
    let path = folder.path().join("config.json");
    let text = fs_err::read_to_string(&path).unwrap();
    for key in
        ["hidden_size", "vocab_size", "num_hidden_layers", "intermediate_size", "max_position_embeddings"]
    {
        for value in [u64::MAX, 1 << 40, 1 << 31] {
            let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
            config[key] = value.into();
            fs_err::write(&path, config.to_string()).unwrap();
            assert!(load(folder.path()).is_err(), "{key} {value}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_file_of_a_checkpoint_may_hold_any_bytes(
        name in prop::sample::select(&["config.json", "tokenizer.json", "model.safetensors"][..]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let folder = copy();
        fs_err::write(folder.path().join(name), bytes).unwrap();
        prop_assert!(load(folder.path()).is_err());
    }

    #[test]
    fn an_index_may_hold_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = copy();
        fs_err::write(folder.path().join("model.safetensors.index.json"), &bytes).unwrap();
        prop_assert!(load(folder.path()).is_ok(), "beside the one file nobody reads it");
        fs_err::remove_file(folder.path().join("model.safetensors")).unwrap();
        prop_assert!(load(folder.path()).is_err());
    }

    #[test]
    fn pickled_weights_may_be_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = pickled();
        fs_err::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
        prop_assert!(load(folder.path()).is_err());
    }

    #[test]
    fn a_piece_of_pickled_weights_may_be_replaced(
        place in any::<prop::sample::Index>(),
        piece in prop::collection::vec(any::<u8>(), 1..6),
    ) {
        let folder = pickled();
        let path = folder.path().join("pytorch_model.bin");
        let mut bytes = fs_err::read(&path).unwrap();
        // The pickle is at the beginning, the archive's directory at the end.
        let (pickle, directory) = (0..12_000, bytes.len() - 12_000..bytes.len());
        let places: Vec<usize> = pickle.chain(directory).collect();
        let start = *place.get(&places);
        let end = bytes.len().min(start + piece.len());
        bytes[start..end].copy_from_slice(&piece[..end - start]);
        fs_err::write(&path, bytes).unwrap();
        let _ = load(folder.path());
    }

    #[test]
    fn a_piece_of_a_checkpoint_may_be_replaced(
        name in prop::sample::select(&["config.json", "tokenizer.json", "model.safetensors"][..]),
        place in 0..2000_usize,
        piece in prop::collection::vec(any::<u8>(), 1..6),
    ) {
        let folder = copy();
        let path = folder.path().join(name);
        let mut bytes = fs_err::read(&path).unwrap();
        let start = place % bytes.len();
        let end = bytes.len().min(start + piece.len());
        bytes[start..end].copy_from_slice(&piece[..end - start]);
        fs_err::write(&path, bytes).unwrap();
        // Some damage means something else; loading must merely end.
        let _ = load(folder.path());
    }
}
