use std::os::unix::fs::PermissionsExt;

use strata_io::{Error, ErrorKind, OutputFolder, OutputLock, refuse_if_locked};

use crate::support::output;

fn refused(folder: &OutputFolder, shard: Option<(u32, u32)>) -> Error {
    OutputLock::acquire(folder, shard).unwrap_err()
}

#[test]
fn a_second_run_is_refused_at_once_naming_the_first() {
    let (_root, folder) = output();
    let _lock = OutputLock::acquire(&folder, None).unwrap();
    for shard in [None, Some((0, 2))] {
        let error = refused(&folder, shard);
        let Error::Locked { pid, since, .. } = &error else { panic!("{error}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(since.as_ref().unwrap().ends_with('Z'), "{since:?}");
        assert!(error.to_string().contains(&format!("by process {}", std::process::id())));
        assert_eq!(error.kind(), ErrorKind::Locked);
    }
}

#[test]
fn a_lock_ends_with_its_holder_and_leaves_no_trace_that_counts() {
    let (_root, folder) = output();
    for shard in [None, Some((1, 2)), None, Some((1, 3)), Some((1, 2))] {
        drop(OutputLock::acquire(&folder, shard).unwrap());
    }
}

#[test]
fn shards_of_one_count_work_side_by_side() {
    let (_root, folder) = output();
    let _first = OutputLock::acquire(&folder, Some((0, 2))).unwrap();
    let second = OutputLock::acquire(&folder, Some((1, 2))).unwrap();
    assert!(matches!(refused(&folder, Some((1, 2))), Error::Locked { pid: Some(_), .. }));
    drop(second);
    OutputLock::acquire(&folder, Some((1, 2))).unwrap();
}

#[test]
fn shards_of_different_counts_exclude_each_other() {
    let (_root, folder) = output();
    let _first = OutputLock::acquire(&folder, Some((0, 2))).unwrap();
    assert!(matches!(refused(&folder, Some((1, 3))), Error::Locked { pid: Some(_), .. }));
    assert!(matches!(refused(&folder, Some((0, 12))), Error::Locked { .. }));
}

#[test]
fn a_run_over_everything_waits_for_every_shard() {
    let (_root, folder) = output();
    drop(OutputLock::acquire(&folder, None).unwrap());
    let shard = OutputLock::acquire(&folder, Some((3, 4))).unwrap();
    assert!(matches!(refused(&folder, None), Error::Locked { pid: Some(_), .. }));
    drop(shard);
    OutputLock::acquire(&folder, None).unwrap();
}

#[test]
fn whoever_may_only_read_an_output_sees_who_writes_to_it() {
    let (_root, folder) = output();
    for (shard, files) in [(None, &["lock"][..]), (Some((0, 2)), &["lock", "lock.0-of-2"])] {
        for mode in [0o644, 0o444] {
            let lock = OutputLock::acquire(&folder, shard).unwrap();
            let allow = |mode| {
                for file in files {
                    let permissions = std::fs::Permissions::from_mode(mode);
                    fs_err::set_permissions(folder.own().join(file), permissions).unwrap();
                }
            };
            allow(mode);
            assert!(matches!(refuse_if_locked(&folder), Err(Error::Locked { pid: Some(_), .. })));
            drop(lock);
            refuse_if_locked(&folder).unwrap();
            allow(0o644);
        }
    }
}

#[test]
fn a_folder_that_does_not_exist_cannot_be_locked() {
    let (_root, folder) = output();
    let error = refused(&OutputFolder::new(folder.root().join("absent")), None);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("absent"), "{error}");
}
