//! Which input columns stand beside the vectors.

use std::fmt;

use crate::table::unit::Subject;

/// Which input columns are carried through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All of them.
    All,
    /// None.
    None,
    /// These.
    Columns(Vec<String>),
}

impl Keep {
    /// The columns that are read where these are kept; all of them if none is said to be enough.
    pub fn needed(&self, subject: &Subject) -> Option<Vec<String>> {
        let kept = match self {
            Self::All => return None,
            Self::None => &[][..],
            Self::Columns(names) => names,
        };
        let encoded = subject.columns().into_iter().map(|(_, name)| name.to_owned());
        Some(encoded.chain(kept.iter().cloned()).collect())
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::None => f.write_str("none"),
            Self::Columns(names) => {
                let names: Vec<String> = names.iter().map(|name| name.replace(',', "\\,")).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}
