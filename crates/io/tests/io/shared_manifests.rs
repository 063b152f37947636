//! What several shards make of one manifest, and what a commit costs.

use std::path::Path;

use strata_io::{
    ClosedPart, Error, FinishedPart, Manifest, OutputFolder, PartRecord, PartWriter, SharedManifest,
    WriterOptions,
};

use crate::manifests::{manifest, part};
use crate::support::{listing, numbered, output};

/// The manifest of an output, as a run has it after its first update.
fn opened(folder: &OutputFolder) -> SharedManifest {
    let mut shared = SharedManifest::new(folder.clone(), manifest());
    shared.update(|_| Ok::<_, Error>(())).unwrap();
    shared
}

fn closed(folder: &OutputFolder, name: &str) -> ClosedPart {
    let options = WriterOptions { growing: folder.growing(), ..WriterOptions::default() };
    let mut writer = PartWriter::create(&folder.data(), name, numbered(3).schema(), &options).unwrap();
    writer.write(&numbered(3)).unwrap();
    writer.close().unwrap()
}

fn record(finished: &FinishedPart) -> PartRecord {
    PartRecord { bytes: finished.bytes, blake3: finished.blake3.clone(), ..part("sub/a.csv") }
}

fn commit(shared: &mut SharedManifest, folder: &OutputFolder, name: &str) {
    shared.commit(closed(folder, name), |_| Ok::<_, Error>(()), record).unwrap();
}

fn loaded(folder: &OutputFolder) -> Manifest {
    Manifest::load(folder).unwrap().unwrap()
}

fn records(folder: &OutputFolder) -> Vec<String> {
    listing(&folder.own().join("parts"))
}

#[test]
fn updates_from_many_threads_lose_nothing() {
    let (_root, folder) = output();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                let mut shared = opened(folder);
                for number in 0..5 {
                    let name = format!("p-{thread}-{number}.parquet");
                    let insert =
                        |manifest: &mut Manifest| drop(manifest.parts.insert(name.clone(), part("a.csv")));
                    shared
                        .update(|manifest| {
                            insert(manifest);
                            Ok::<_, Error>(())
                        })
                        .unwrap();
                    commit(&mut shared, folder, &format!("c-{thread}-{number}.parquet"));
                }
            });
        }
    });
    assert_eq!(loaded(&folder).parts.len(), 41);
    assert_eq!(listing(&folder.data()).len(), 20);
}

#[test]
fn a_refused_update_changes_nothing() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    commit(&mut shared, &folder, "b.parquet");
    let before = (loaded(&folder), records(&folder));
    let result = shared.update(|manifest| {
        manifest.parts.clear();
        Err(Error::NoInput { input: "x".into(), found: "nothing" })
    });
    assert!(matches!(result, Err(Error::NoInput { .. })));
    assert_eq!((loaded(&folder), records(&folder)), before);
}

#[test]
fn a_commit_writes_the_record_of_its_part_and_leaves_the_manifest_alone() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    let manifest = fs_err::read(folder.manifest()).unwrap();
    for name in ["b.parquet", "c.parquet"] {
        commit(&mut shared, &folder, name);
    }
    assert_eq!(fs_err::read(folder.manifest()).unwrap(), manifest);
    assert_eq!(records(&folder), ["b.parquet.json", "c.parquet.json"]);
    assert_eq!(&loaded(&folder), shared.get());
    assert_eq!(shared.get().parts.len(), 3);
}

#[test]
fn an_update_takes_the_records_over() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    commit(&mut shared, &folder, "b.parquet");
    let before = loaded(&folder);
    opened(&folder);
    assert!(records(&folder).is_empty());
    assert_eq!(loaded(&folder), before);
}

#[test]
fn a_record_of_a_part_that_an_update_drops_does_not_come_back() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    commit(&mut shared, &folder, "b.parquet");
    let mut other = SharedManifest::new(folder.clone(), manifest());
    other
        .update(|manifest| {
            manifest.parts.remove("b.parquet");
            Ok::<_, Error>(())
        })
        .unwrap();
    assert!(records(&folder).is_empty());
    assert!(!loaded(&folder).parts.contains_key("b.parquet"));
}

#[test]
fn a_record_wins_over_what_the_manifest_says_of_its_part() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    commit(&mut shared, &folder, "b.parquet");
    let mut stale = shared.get().clone();
    stale.parts.get_mut("b.parquet").unwrap().blake3 = "old".into();
    stale.save(&folder).unwrap();
    assert_eq!(&loaded(&folder), shared.get());
}

#[test]
fn a_commit_sees_what_others_have_made_of_the_manifest() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    let mut other = opened(&folder);
    other
        .update(|manifest| {
            manifest.fingerprint.clear();
            Ok::<_, Error>(())
        })
        .unwrap();
    let refuse = |manifest: &Manifest| {
        assert!(manifest.fingerprint.is_empty());
        Err(Error::NoInput { input: "x".into(), found: "nothing" })
    };
    let part = closed(&folder, "b.parquet");
    assert!(shared.commit(part, refuse, record).is_err());
    assert!(listing(&folder.data()).is_empty());
    assert!(records(&folder).is_empty());
}

#[test]
fn a_damaged_record_is_told_by_its_path() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    commit(&mut shared, &folder, "b.parquet");
    let path = folder.own().join("parts/b.parquet.json");
    fs_err::write(&path, "{").unwrap();
    let error = Manifest::load(&folder).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn data_holds_parts_and_nothing_else_while_they_are_made() {
    let (_root, folder) = output();
    let mut shared = opened(&folder);
    let part = closed(&folder, "b.parquet");
    assert!(listing(&folder.data()).is_empty());
    assert!(listing(&folder.own()).contains(&".b.parquet.partial".to_owned()));
    shared.commit(part, |_| Ok::<_, Error>(()), record).unwrap();
    assert_eq!(listing(&folder.data()), ["b.parquet"]);
    assert_eq!(listing(folder.root()), ["_strata", "data"]);
    assert!(Path::new(&folder.data()).join("b.parquet").is_file());
}
