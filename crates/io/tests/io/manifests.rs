use std::path::Path;

use serde_json::{Map, Value, json};
use strata_io::{
    Error, ErrorKind, InputRecord, MANIFEST_FILE, Manifest, PartRecord, SUCCESS_FILE, clear_success,
    differences, mark_success, update_manifest,
};
use tempfile::TempDir;

use crate::support::listing;

fn object(json: Value) -> Map<String, Value> {
    json.as_object().unwrap().clone()
}

fn part(input: &str) -> PartRecord {
    let counts = object(json!({"tokens": 12, "nulls": 0}));
    PartRecord {
        input: input.to_owned(),
        rows: [0, 3],
        output_rows: 3,
        bytes: 10,
        blake3: "ab".into(),
        counts,
    }
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::new("0.1.0", object(json!({"z": 1, "model": {"b": 2, "a": []}})));
    let record = InputRecord { bytes: 1, modified_ns: u64::MAX, blake3: "cd".into(), rows: 3 };
    manifest.inputs.insert("sub/a.csv".into(), record);
    manifest.parts.insert("sub__a-00000.parquet".into(), part("sub/a.csv"));
    manifest
}

fn refusal(folder: &Path, change: impl FnOnce(&mut Value)) -> Error {
    let mut json = serde_json::to_value(manifest()).unwrap();
    change(&mut json);
    fs_err::write(folder.join(MANIFEST_FILE), json.to_string()).unwrap();
    Manifest::load(folder).unwrap_err()
}

#[test]
fn a_folder_without_manifest_has_none() {
    assert_eq!(Manifest::load(TempDir::new().unwrap().path()).unwrap(), None);
}

#[test]
fn a_saved_manifest_is_loaded_unchanged() {
    let folder = TempDir::new().unwrap();
    manifest().save(folder.path()).unwrap();
    assert_eq!(Manifest::load(folder.path()).unwrap(), Some(manifest()));
    assert_eq!(listing(folder.path()), [MANIFEST_FILE]);
}

#[test]
fn equal_manifests_are_equal_bytes_in_sorted_lines() {
    let folder = TempDir::new().unwrap();
    let mut reordered = manifest();
    reordered.fingerprint = object(json!({"model": {"a": [], "b": 2}, "z": 1}));
    let mut texts = Vec::new();
    for manifest in [manifest(), reordered] {
        manifest.save(folder.path()).unwrap();
        texts.push(fs_err::read_to_string(folder.path().join(MANIFEST_FILE)).unwrap());
    }
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].find("\"fingerprint\"") < texts[0].find("\"inputs\""));
    assert!(texts[0].find("\"a\"") < texts[0].find("\"b\""));
    assert!(texts[0].ends_with("}\n"));
}

#[test]
fn another_format_version_is_refused_before_anything_else() {
    let folder = TempDir::new().unwrap();
    let error = refusal(folder.path(), |json| {
        *json = json!({"format_version": 2, "something": "new"});
    });
    assert!(matches!(error, Error::ManifestVersion { expected: 1, found: 2, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Manifest);
}

#[test]
fn a_manifest_that_is_no_manifest_is_refused_by_path() {
    let folder = TempDir::new().unwrap();
    let unknown = refusal(folder.path(), |json| json["extra"] = json!(1));
    let missing = refusal(folder.path(), |json| drop(json.as_object_mut().unwrap().remove("parts")));
    let negative = refusal(folder.path(), |json| json["inputs"]["sub/a.csv"]["rows"] = json!(-1));
    fs_err::write(folder.path().join(MANIFEST_FILE), b"{\"format_ver").unwrap();
    let cut = Manifest::load(folder.path()).unwrap_err();
    for error in [unknown, missing, negative, cut] {
        assert_eq!(error.kind(), ErrorKind::Manifest);
        assert!(error.to_string().contains(MANIFEST_FILE), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let folder = TempDir::new().unwrap();
    for name in ["../a", "/etc/passwd", "a/b", "..", ".", "", "a\0b", "./a", "a\\b"] {
        let error = refusal(folder.path(), |json| json["parts"][name] = json!(part("a.csv")));
        assert!(matches!(error, Error::ManifestName { .. }), "{name:?}: {error}");
        let mut manifest = manifest();
        manifest.parts.insert(name.to_owned(), part("a.csv"));
        assert!(manifest.save(folder.path()).is_err());
    }
    for name in ["../a", "/etc/passwd", "a/../../b", ""] {
        let error = refusal(folder.path(), |json| {
            json["inputs"][name] = json["inputs"]["sub/a.csv"].clone();
        });
        assert!(matches!(error, Error::ManifestName { .. }), "{name:?}: {error}");
        let error = refusal(folder.path(), |json| json["parts"]["p"] = json!(part(name)));
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
fn updates_from_many_threads_lose_nothing() {
    let folder = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let folder = folder.path();
            scope.spawn(move || {
                for number in 0..5 {
                    let name = format!("p-{thread}-{number}.parquet");
                    update_manifest(folder, manifest(), |manifest| {
                        manifest.parts.insert(name, part("a.csv"));
                        Ok::<_, Error>(())
                    })
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(Manifest::load(folder.path()).unwrap().unwrap().parts.len(), 21);
}

#[test]
fn a_refused_update_changes_nothing() {
    let folder = TempDir::new().unwrap();
    manifest().save(folder.path()).unwrap();
    let result = update_manifest(folder.path(), manifest(), |manifest| {
        manifest.parts.clear();
        Err(Error::NoInput { input: "x".into(), found: "nothing" })
    });
    assert!(matches!(result, Err(Error::NoInput { .. })));
    assert_eq!(Manifest::load(folder.path()).unwrap(), Some(manifest()));
}

#[test]
fn the_success_marker_comes_and_goes() {
    let folder = TempDir::new().unwrap();
    clear_success(folder.path()).unwrap();
    mark_success(folder.path(), "3 parts\n").unwrap();
    let marker = folder.path().join(SUCCESS_FILE);
    assert_eq!(fs_err::read_to_string(&marker).unwrap(), "3 parts\n");
    clear_success(folder.path()).unwrap();
    assert!(!marker.exists());
}
