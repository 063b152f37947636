use std::path::Path;

use strata_io::{Error, ErrorKind, OutputLock};
use tempfile::TempDir;

fn refused(folder: &Path, shard: Option<(u32, u32)>) -> Error {
    OutputLock::acquire(folder, shard).unwrap_err()
}

#[test]
fn a_second_run_is_refused_at_once_naming_the_first() {
    let folder = TempDir::new().unwrap();
    let _lock = OutputLock::acquire(folder.path(), None).unwrap();
    for shard in [None, Some((0, 2))] {
        let error = refused(folder.path(), shard);
        let Error::Locked { pid, since, .. } = &error else { panic!("{error}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(since.as_ref().unwrap().ends_with('Z'), "{since:?}");
        assert!(error.to_string().contains(&format!("by process {}", std::process::id())));
        assert_eq!(error.kind(), ErrorKind::Locked);
    }
}

#[test]
fn a_lock_ends_with_its_holder_and_leaves_no_trace_that_counts() {
    let folder = TempDir::new().unwrap();
    for shard in [None, Some((1, 2)), None, Some((1, 3)), Some((1, 2))] {
        drop(OutputLock::acquire(folder.path(), shard).unwrap());
    }
}

#[test]
fn shards_of_one_count_work_side_by_side() {
    let folder = TempDir::new().unwrap();
    let _first = OutputLock::acquire(folder.path(), Some((0, 2))).unwrap();
    let second = OutputLock::acquire(folder.path(), Some((1, 2))).unwrap();
    assert!(matches!(refused(folder.path(), Some((1, 2))), Error::Locked { pid: Some(_), .. }));
    drop(second);
    OutputLock::acquire(folder.path(), Some((1, 2))).unwrap();
}

#[test]
fn shards_of_different_counts_exclude_each_other() {
    let folder = TempDir::new().unwrap();
    let _first = OutputLock::acquire(folder.path(), Some((0, 2))).unwrap();
    assert!(matches!(refused(folder.path(), Some((1, 3))), Error::Locked { pid: Some(_), .. }));
    assert!(matches!(refused(folder.path(), Some((0, 12))), Error::Locked { .. }));
}

#[test]
fn a_run_over_everything_waits_for_every_shard() {
    let folder = TempDir::new().unwrap();
    drop(OutputLock::acquire(folder.path(), None).unwrap());
    let shard = OutputLock::acquire(folder.path(), Some((3, 4))).unwrap();
    assert!(matches!(refused(folder.path(), None), Error::Locked { pid: Some(_), .. }));
    drop(shard);
    OutputLock::acquire(folder.path(), None).unwrap();
}

#[test]
fn a_folder_that_does_not_exist_cannot_be_locked() {
    let folder = TempDir::new().unwrap();
    let error = refused(&folder.path().join("absent"), None);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("absent"), "{error}");
}
