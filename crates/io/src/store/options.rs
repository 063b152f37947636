//! What is said of stores, beside what the environment says.

use std::collections::BTreeMap;
use std::fmt;

/// Options by their names, as the `object_store` crate has them: `aws_region`, `google_service_account`,
/// `azure_storage_account_name`, `allow_http`. Their values, which may be secrets, are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StorageOptions(BTreeMap<String, String>);

impl StorageOptions {
    /// Options of these names and values.
    pub fn new(options: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(options.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect())
    }

    #[cfg_attr(not(feature = "stores"), expect(dead_code, reason = "nobody is there to be told"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
