//! Readers of foreign bytes may panic on damage; here a panic becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::BoxError;

/// Runs `read`, turning a panic into an error. What `read` borrows mutably must not be used after
/// an error.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, BoxError>) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(format!("the reader gave up on damaged data: {message}").into())
    })
}
