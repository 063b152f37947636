//! Which layers: what the user wrote, and what it means for a model.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// A choice of hidden states. 0 is the embedding output, N the Nth encoder layer, -1 the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerSelection {
    /// Every hidden state, the embedding output first.
    All,
    /// These, in this order; a layer may stand more than once.
    List(Vec<i64>),
}

impl LayerSelection {
    /// The layers as non-negative numbers, order and repetitions kept.
    ///
    /// # Errors
    /// A layer that a model with `num_hidden_layers` encoder layers does not have.
    pub fn resolve(&self, num_hidden_layers: usize) -> Result<Vec<usize>, Error> {
        match self {
            Self::All => Ok((0..=num_hidden_layers).collect()),
            Self::List(list) => list.iter().map(|&layer| resolve_one(layer, num_hidden_layers)).collect(),
        }
    }
}

fn resolve_one(layer: i64, layers: usize) -> Result<usize, Error> {
    let states = layers as i64 + 1;
    let index = if layer < 0 { layer.saturating_add(states) } else { layer };
    usize::try_from(index)
        .ok()
        .filter(|&index| index <= layers)
        .ok_or(Error::LayerOutOfRange { layer, layers })
}

impl FromStr for LayerSelection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim() == "all" {
            return Ok(Self::All);
        }
        let list: Result<Vec<i64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        list.map(Self::List).map_err(|_| Error::Option {
            what: "choice of layers",
            found: text.to_owned(),
            expected: "`all`, or numbers such as 0,3,-1",
        })
    }
}

impl fmt::Display for LayerSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::List(list) => {
                let parts: Vec<String> = list.iter().map(i64::to_string).collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}

/// `"all"`, or a list of numbers.
impl Serialize for LayerSelection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

/// A list of numbers, one of them, or what [`FromStr`] reads.
impl<'de> Deserialize<'de> for LayerSelection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected \"all\", a whole number, or a list of these")]
        enum Written {
            One(i64),
            List(Vec<i64>),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::One(layer) => Ok(Self::List(vec![layer])),
            Written::List(layers) => Ok(Self::List(layers)),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_written_selection_reads_back_as_itself(list in prop::collection::vec(any::<i64>(), 1..9)) {
            let selection = LayerSelection::List(list);
            prop_assert_eq!(selection.to_string().parse::<LayerSelection>().unwrap(), selection);
        }

        #[test]
        fn negative_layers_count_from_the_end(layers in 1usize..48, back in 0usize..49) {
            let resolved = LayerSelection::List(vec![-1 - back as i64]).resolve(layers);
            if back <= layers {
                prop_assert_eq!(resolved.unwrap(), vec![layers - back]);
            } else {
                prop_assert!(resolved.is_err());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<LayerSelection>();
        }
    }

    #[test]
    fn order_and_repetitions_are_kept() {
        let layers = "3,-1, 0,3".parse::<LayerSelection>().unwrap().resolve(6).unwrap();
        assert_eq!(layers, [3, 6, 0, 3]);
        assert_eq!(LayerSelection::All.resolve(2).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_layer_out_of_range_is_refused_with_the_range() {
        let error = "13".parse::<LayerSelection>().unwrap().resolve(12).unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer 13 is out of range: the model has 12 encoder layers, so 0 to 12 or -13 to -1"
        );
        assert!(LayerSelection::List(vec![i64::MIN]).resolve(12).is_err());
    }
}
