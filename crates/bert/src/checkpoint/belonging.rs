//! Whether weights belong to a configuration, and if not, how they differ.

use std::collections::BTreeSet;

use crate::Error;
use crate::checkpoint::families::Family;
use crate::checkpoint::stored::StoredTensor;
use crate::checkpoint::weights::{Shapes, Weights};

/// What peft puts into names of tensors, before an adapter is merged into its model.
const UNMERGED: [&str; 5] = [".lora_", ".base_layer.", "base_model.model.", ".ia3_l.", ".modules_to_save."];
/// What names of tensors have in them that stand for several layers.
const SHARED: &str = ".part.";
const TOGETHER: &str = "take the weights and config.json from one model";
/// Of names that begin in many ways, so many are told.
const TOLD: usize = 4;

impl Weights {
    /// Checks that every expected tensor is there with its shape and a type that can be read, and nothing
    /// else of the encoder. What is beside the encoder, such as the heads of tasks, does not matter: no
    /// hidden state depends on it.
    pub(crate) fn check(&self, expected: &Shapes, optional: &Shapes) -> Result<(), Error> {
        let unmerged =
            |piece: &&str| Some(self.stored().find(|(_, stored, _)| stored.name.contains(*piece))?.1);
        if let Some(stored) = UNMERGED.iter().find_map(unmerged) {
            let problem = format!("holds an adapter that is not merged into its model: `{}`", stored.name);
            let advice = "merge it with peft: model.merge_and_unload().save_pretrained(OTHER)";
            return Err(self.unusable(problem, advice));
        }
        if let Some((name, shape)) = expected.iter().find(|(name, _)| !self.contains(name)) {
            return Err(self
                .other_names(expected)
                .or_else(|| self.other_depth(expected))
                .unwrap_or_else(|| self.missing(name, shape)));
        }
        let roots: BTreeSet<&str> = expected.keys().map(|name| root(name)).collect();
        for (name, stored, found) in self.stored() {
            match expected.get(name).or_else(|| optional.get(name)) {
                None if !roots.contains(root(name)) || self.family().is_beside_the_encoder(name) => {}
                None => {
                    let surplus = Error::UnexpectedTensor { path: self.path(), name: stored.name.clone() };
                    return Err(self.other_depth(expected).unwrap_or(surplus));
                }
                Some(shape) if shape != found && found.contains(&0) => {
                    let problem = format!("holds the tensor `{}` without its values", stored.name);
                    let advice = "training in shards leaves such files: gather the weights first, as \
                                  DeepSpeed's zero_to_fp32.py does";
                    return Err(self.unusable(problem, advice));
                }
                Some(shape) if shape != found => {
                    let found = format!("of shape {:?}", stored.shape);
                    let expected = format!("{:?}", self.family().shape_in_file(name, shape));
                    return Err(self.wrong(stored, found, expected));
                }
                Some(_) => self.check_type(stored)?,
            }
        }
        Ok(())
    }

    fn check_type(&self, stored: &StoredTensor) -> Result<(), Error> {
        let Err(other) = &stored.float else { return Ok(()) };
        let problem = format!("holds `{}` as {other}: quantized weights are not read", stored.name);
        Err(self.unusable(problem, "name the model that was quantized, with its weights in floats"))
    }

    /// Says what the names begin with, if no tensor has a name that is expected.
    fn other_names(&self, expected: &Shapes) -> Option<Error> {
        if expected.keys().any(|name| self.contains(name)) {
            return None;
        }
        let family = self.family();
        let ours = |stored: &StoredTensor| {
            let names = expected.keys().map(|name| family.name_in_file(name));
            names.into_iter().find_map(|name| Some(stored.name.strip_suffix(&name)?.to_owned()))
        };
        if self.stored().any(|(_, stored, _)| stored.name.contains('/')) {
            let problem = "holds tensors with the names that TensorFlow gives them".to_owned();
            let advice = "convert it with transformers 4: AutoModel.from_pretrained(DIR, from_tf=True).save_pretrained(OTHER)";
            return Some(self.unusable(problem, advice));
        }
        let prefix =
            self.stored().find_map(|(_, stored, _)| ours(stored).filter(|prefix| prefix.ends_with('.')));
        let Some(prefix) = prefix else {
            let firsts: BTreeSet<&str> = self.stored().map(|(_, stored, _)| root(&stored.name)).collect();
            let firsts: Vec<String> =
                firsts.into_iter().take(TOLD).map(|root| format!("`{root}.`")).collect();
            let found = if firsts.is_empty() { "nothing".to_owned() } else { firsts.join(", ") };
            let problem = format!("holds none of the expected tensors; names begin with {found}");
            return Some(self.unusable(problem, TOGETHER));
        };
        let problem = format!(
            "holds tensors whose names begin with `{prefix}`, expected `{}` or nothing before them",
            family.prefix
        );
        let advice =
            "if it is the same model inside another, write it alone with transformers' save_pretrained";
        Some(self.unusable(problem, if Family::has_prefix(&prefix) { TOGETHER } else { advice }))
    }

    /// Says how many layers there are, if there are more or fewer than expected.
    fn other_depth(&self, expected: &Shapes) -> Option<Error> {
        // Layers that share their weights are not told by their number.
        if expected.keys().any(|name| name.contains(SHARED)) {
            return None;
        }
        let stack = expected.keys().find_map(|name| layer_of(name))?.0;
        let depth = |names: &mut dyn Iterator<Item = &String>| {
            let layers = names.filter_map(|name| layer_of(name)).filter(|(of, _)| *of == stack);
            layers.map(|(_, layer)| layer + 1).max()
        };
        let (stated, found) =
            (depth(&mut expected.keys())?, depth(&mut self.stored().map(|(name, ..)| name))?);
        let key = self.family().key_in_file("num_hidden_layers");
        let problem = format!("holds {found} encoder layers, but config.json says {key} is {stated}");
        let advice = match found.cmp(&stated) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Less => format!("{TOGETHER}; or the download is incomplete"),
            std::cmp::Ordering::Greater => {
                format!("{TOGETHER}: the file holds more than the configuration says")
            }
        };
        Some(self.unusable(problem, &advice))
    }
}

/// The first part of a name.
fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The number of the layer that a tensor belongs to, and what it is a layer of.
fn layer_of(name: &str) -> Option<(&str, usize)> {
    let mut start = 0;
    for part in name.split('.') {
        if let Ok(layer) = part.parse() {
            return Some((&name[..start], layer));
        }
        start += part.len() + 1;
    }
    None
}
