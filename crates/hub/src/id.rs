//! The id of a model: `name` or `org/name`, with `@REVISION` where it is not `main`.

use std::fmt;
use std::str::FromStr;

const MAIN: &str = "main";
/// What the hub allows.
const LONGEST_NAME: usize = 96;

/// A model at the hub, at a branch, tag or commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    /// `name` or `org/name`.
    pub name: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl FromStr for ModelId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, revision) = text.split_once('@').unwrap_or((text, MAIN));
        if !is_name(name) || !is_revision(revision) {
            return Err(format!(
                "`{text}` is not a model id; expected NAME or ORG/NAME, and @REVISION if not main"
            ));
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            MAIN => f.write_str(&self.name),
            revision => write!(f, "{}@{revision}", self.name),
        }
    }
}

/// The hub's own rules. `--` would be ambiguous in the cache, where it stands for `/`.
fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let ends = |end: char| !matches!(end, '-' | '.');
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && part.starts_with(ends)
            && part.ends_with(ends)
    };
    let parts: Vec<&str> = name.split('/').collect();
    parts.len() <= 2
        && parts.into_iter().all(part)
        && name.len() <= LONGEST_NAME
        && !["--", ".."].iter().any(|pair| name.contains(pair))
}

/// What becomes part of a path in the cache, and of an address, as it is.
fn is_revision(revision: &str) -> bool {
    let part = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
            && !part.is_empty()
            && !part.starts_with('.')
    };
    revision.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_told_from_paths() {
        for (text, name, revision) in [
            ("bert-base-uncased", "bert-base-uncased", "main"),
            ("google-bert/bert-base-uncased", "google-bert/bert-base-uncased", "main"),
            ("org/a_b.c@refs/pr/1", "org/a_b.c", "refs/pr/1"),
            ("a@v1.0", "a", "v1.0"),
        ] {
            let expected = ModelId { name: name.to_owned(), revision: revision.to_owned() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for path in [
            "",
            "/",
            "/models/bert",
            "./bert",
            "../bert",
            "a/b/c",
            "bert/",
            "a--b",
            "a..b",
            "~/a",
            "a@",
            "a@../b",
            "a b",
        ] {
            assert!(path.parse::<ModelId>().is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn an_id_stays_below_the_folder_of_the_cache(text in "[a.@/~-]{0,9}|\\PC{0,12}") {
            if let Ok(id) = text.parse::<ModelId>() {
                let paths = [id.name.replace('/', "--"), id.revision.clone()];
                for path in paths {
                    let normal = |part| matches!(part, std::path::Component::Normal(_));
                    prop_assert!(std::path::Path::new(&path).components().all(normal));
                }
                prop_assert_eq!(id.to_string().parse::<ModelId>(), Ok(id));
            }
        }
    }
}
