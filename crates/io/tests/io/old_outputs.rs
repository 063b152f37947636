//! Outputs of strata 0.3 and before, whose parts are beside their manifest.

use fs_err::File;
use serde_json::{Value, json};
use strata_io::{
    Error, Manifest, Notes, OutputFolder, OutputLock, SharedManifest, Stamp, refuse_if_locked, unknown_files,
};
use tempfile::TempDir;

use crate::manifests::{manifest, part};
use crate::support::listing;

/// An old output of two parts, with what its runs have left.
fn old_output() -> (TempDir, OutputFolder) {
    let root = TempDir::new().unwrap();
    let folder = OutputFolder::new(root.path());
    let mut old = manifest();
    old.parts.insert("sub__a-00001.parquet".into(), part("sub/a.csv"));
    let mut json = serde_json::to_value(&old).unwrap();
    json["format_version"] = json!(1);
    json["totals"] = json!({"parts": 2});
    let files = [
        ("manifest.json", json.to_string()),
        ("sub__a-00000.parquet", "first".to_owned()),
        ("sub__a-00001.parquet", "second".to_owned()),
        (".sub__a-00002.parquet.partial", "half".to_owned()),
        (".strata.lock", String::new()),
        (".strata.manifest.lock", String::new()),
        ("_SUCCESS", String::new()),
        ("notes.txt", "somebody's own".to_owned()),
    ];
    for (name, content) in files {
        fs_err::write(root.path().join(name), content).unwrap();
    }
    (root, folder)
}

fn take_over(folder: &OutputFolder, mut change: impl FnMut(&mut Manifest)) -> Result<SharedManifest, Error> {
    folder.make()?;
    let mut shared = SharedManifest::new(folder.clone(), manifest());
    shared.update(|manifest| {
        change(manifest);
        Ok::<_, Error>(())
    })?;
    Ok(shared)
}

fn assert_taken_over(folder: &OutputFolder) {
    assert!(!folder.is_old());
    assert_eq!(listing(folder.root()), ["_strata", "data", "notes.txt"]);
    assert_eq!(listing(&folder.data()), ["sub__a-00000.parquet", "sub__a-00001.parquet"]);
    let json: Value = serde_json::from_slice(&fs_err::read(folder.manifest()).unwrap()).unwrap();
    assert_eq!((&json["format_version"], &json["totals"]["parts"]), (&json!(2), &json!(2)));
}

#[test]
fn an_old_output_is_read_where_it_is() {
    let (_root, folder) = old_output();
    assert!(folder.is_old());
    assert_eq!(Manifest::load(&folder).unwrap().unwrap().parts.len(), 2);
    assert_eq!(fs_err::read(folder.find_part("sub__a-00001.parquet")).unwrap(), b"second");
}

#[test]
fn an_update_takes_an_old_output_over() {
    let (_root, folder) = old_output();
    let before = Manifest::load(&folder).unwrap();
    take_over(&folder, |_| ()).unwrap();
    assert_taken_over(&folder);
    assert_eq!(Manifest::load(&folder).unwrap(), before);
    assert_eq!(fs_err::read(folder.find_part("sub__a-00000.parquet")).unwrap(), b"first");
}

#[test]
fn a_take_over_that_died_is_finished_by_the_next() {
    // Some parts moved, no manifest yet.
    let (_root, folder) = old_output();
    folder.make_places().unwrap();
    let name = "sub__a-00000.parquet";
    fs_err::rename(folder.root().join(name), folder.data().join(name)).unwrap();
    assert!(folder.is_old());
    assert_eq!(fs_err::read(folder.find_part(name)).unwrap(), b"first");
    take_over(&folder, |_| ()).unwrap();
    assert_taken_over(&folder);

    // The manifest is there, the old one still as well.
    let (_root, folder) = old_output();
    let old = fs_err::read(folder.root().join("manifest.json")).unwrap();
    take_over(&folder, |_| ()).unwrap();
    fs_err::write(folder.root().join("manifest.json"), old).unwrap();
    fs_err::write(folder.root().join(".strata.lock"), "").unwrap();
    take_over(&folder, |_| ()).unwrap();
    assert_taken_over(&folder);
}

#[test]
fn parts_that_the_manifest_no_longer_names_stay_behind_as_strays() {
    let (_root, folder) = old_output();
    let name = "sub__a-00001.parquet";
    let shared = take_over(&folder, |manifest| drop(manifest.parts.remove(name))).unwrap();
    assert_eq!(listing(&folder.data()), ["sub__a-00000.parquet"]);
    let mut unknown = unknown_files(&folder, shared.get()).unwrap();
    unknown.sort();
    assert_eq!(unknown, ["notes.txt", name].map(|name| folder.root().join(name)));
}

#[test]
fn a_refused_take_over_changes_nothing() {
    let (_root, folder) = old_output();
    folder.make().unwrap();
    let before = listing(folder.root());
    let mut shared = SharedManifest::new(folder.clone(), manifest());
    let refuse = |_: &mut Manifest| Err(Error::NoInput { input: "x".into(), found: "nothing" });
    assert!(shared.update(refuse).is_err());
    assert_eq!(listing(folder.root()), before);
    assert!(folder.is_old() && folder.is_whole().unwrap());
}

#[test]
fn an_old_output_that_a_run_of_its_time_writes_to_is_in_use() {
    let (_root, folder) = old_output();
    let lock = File::open(folder.root().join(".strata.lock")).unwrap();
    lock.try_lock_shared().unwrap();
    assert!(matches!(refuse_if_locked(&folder), Err(Error::Locked { .. })));
    assert!(matches!(take_over(&folder, |_| ()), Err(Error::Locked { .. })));
    assert!(folder.is_old());
    // Only the run that takes it over looks there.
    OutputLock::acquire(&folder, None).unwrap();
}

#[test]
fn a_manifest_of_somebody_else_is_left_alone() {
    let (_root, folder) = old_output();
    take_over(&folder, |_| ()).unwrap();
    for content in ["{\"name\": \"an extension\"}", "{\"format_version\": 3}"] {
        fs_err::write(folder.root().join("manifest.json"), content).unwrap();
        take_over(&folder, |_| ()).unwrap();
        assert_eq!(fs_err::read_to_string(folder.root().join("manifest.json")).unwrap(), content);
    }
}

#[test]
fn notes_of_an_old_output_are_known() {
    let (_root, folder) = old_output();
    folder.make().unwrap();
    let input = folder.root().join("notes.txt");
    let mut notes = Notes::default();
    notes.note(&input, Stamp::of(&input).unwrap(), "ab".into());
    notes.save(&folder).unwrap();
    fs_err::rename(folder.own().join("notes.json"), folder.root().join(".strata.notes.json")).unwrap();
    let mut known = Notes::load(&folder);
    fs_err::remove_file(folder.root().join(".strata.notes.json")).unwrap();
    known.save(&folder).unwrap();
    assert_eq!(Notes::load(&folder), notes, "they are written to their new place");
}
