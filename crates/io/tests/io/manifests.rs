use serde_json::{Map, Value, json};
use strata_io::{Content, Error, ErrorKind, InputRecord, Manifest, OutputFolder, PartRecord, differences};
use tempfile::TempDir;

use crate::support::{listing, output};

fn object(json: Value) -> Map<String, Value> {
    json.as_object().unwrap().clone()
}

pub fn part(input: &str) -> PartRecord {
    let counts = object(json!({"tokens": 12, "nulls": 0}));
    PartRecord {
        input: input.to_owned(),
        rows: [0, 3],
        output_rows: 3,
        bytes: 10,
        blake3: "ab".into(),
        counts,
        stored_as: None,
    }
}

pub fn manifest() -> Manifest {
    let mut manifest = Manifest::new("0.1.0", object(json!({"z": 1, "model": {"b": 2, "a": []}})));
    let record =
        InputRecord { bytes: 1, modified_ns: u64::MAX, content: Content::Blake3("cd".into()), rows: 3 };
    manifest.inputs.insert("sub/a.csv".into(), record);
    manifest.parts.insert("sub__a-00000.parquet".into(), part("sub/a.csv"));
    manifest
}

fn refusal(folder: &OutputFolder, change: impl FnOnce(&mut Value)) -> Error {
    let mut json = serde_json::to_value(manifest()).unwrap();
    change(&mut json);
    fs_err::write(folder.manifest(), json.to_string()).unwrap();
    Manifest::load(folder).unwrap_err()
}

#[test]
fn a_folder_without_manifest_has_none() {
    assert_eq!(Manifest::load(&OutputFolder::new(TempDir::new().unwrap().path())).unwrap(), None);
}

#[test]
fn a_saved_manifest_is_loaded_unchanged() {
    let (_root, folder) = output();
    manifest().save(&folder).unwrap();
    assert_eq!(Manifest::load(&folder).unwrap(), Some(manifest()));
    assert_eq!(listing(&folder.own()), ["manifest.json"]);
}

#[test]
fn equal_manifests_are_equal_bytes_in_sorted_lines() {
    let (_root, folder) = output();
    let mut reordered = manifest();
    reordered.fingerprint = object(json!({"model": {"a": [], "b": 2}, "z": 1}));
    let mut texts = Vec::new();
    for manifest in [manifest(), reordered] {
        manifest.save(&folder).unwrap();
        texts.push(fs_err::read_to_string(folder.manifest()).unwrap());
    }
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].find("\"fingerprint\"") < texts[0].find("\"inputs\""));
    assert!(texts[0].find("\"a\"") < texts[0].find("\"b\""));
    assert!(texts[0].ends_with("}\n"));
}

#[test]
fn another_format_version_is_refused_before_anything_else() {
    let (_root, folder) = output();
    let error = refusal(&folder, |json| {
        *json = json!({"format_version": 3, "something": "new"});
    });
    assert!(matches!(error, Error::ManifestVersion { expected: 2, found: 3, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Manifest);
}

#[test]
fn a_manifest_that_is_no_manifest_is_refused_by_path() {
    let (_root, folder) = output();
    let unknown = refusal(&folder, |json| json["extra"] = json!(1));
    let missing = refusal(&folder, |json| drop(json.as_object_mut().unwrap().remove("parts")));
    let negative = refusal(&folder, |json| json["inputs"]["sub/a.csv"]["rows"] = json!(-1));
    fs_err::write(folder.manifest(), b"{\"format_ver").unwrap();
    let cut = Manifest::load(&folder).unwrap_err();
    for error in [unknown, missing, negative, cut] {
        assert_eq!(error.kind(), ErrorKind::Manifest);
        assert!(error.to_string().contains("_strata/manifest.json"), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let (_root, folder) = output();
    for name in ["../a", "/etc/passwd", "a/b", "..", ".", "", "a\0b", "./a", "a\\b"] {
        let error = refusal(&folder, |json| json["parts"][name] = json!(part("a.csv")));
        assert!(matches!(error, Error::ManifestName { .. }), "{name:?}: {error}");
        let mut manifest = manifest();
        manifest.parts.insert(name.to_owned(), part("a.csv"));
        assert!(manifest.save(&folder).is_err());
    }
    for name in ["../a", "/etc/passwd", "a/../../b", ""] {
        let error = refusal(&folder, |json| {
            json["inputs"][name] = json["inputs"]["sub/a.csv"].clone();
        });
        assert!(matches!(error, Error::ManifestName { .. }), "{name:?}: {error}");
        let error = refusal(&folder, |json| json["parts"]["p"] = json!(part(name)));
        assert!(matches!(error, Error::ManifestName { .. }), "{name:?}: {error}");
    }
}

#[test]
fn differences_name_each_leaf_then_and_now() {
    let then = object(json!({"same": 1, "model": {"sha": "x", "gone": null}, "layers": [1]}));
    let now = object(json!({"same": 1, "model": {"sha": "y"}, "layers": [1, 2], "new": {}}));
    let lines: Vec<_> = differences(&then, &now).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "layers was [1], is now [1,2]",
            "model.gone was null, is now absent",
            "model.sha was \"x\", is now \"y\"",
            "new was absent, is now {}",
        ]
    );
    assert!(differences(&then, &then).is_empty());
}

#[test]
fn the_success_marker_comes_and_goes() {
    let (_root, folder) = output();
    folder.clear_marker().unwrap();
    folder.mark_whole().unwrap();
    assert!(folder.is_whole().unwrap());
    assert_eq!(listing(folder.root()), ["_SUCCESS", "_strata"]);
    folder.clear_marker().unwrap();
    assert!(!folder.is_whole().unwrap());
}
