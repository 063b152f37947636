//! The families of encoders, a file each: one computation, and what differs between them as data.

mod albert;
mod bert;
mod deberta_v2;
mod distilbert;
mod electra;
mod gte;
mod modernbert;
mod mpnet;
mod nomic_bert;
mod roberta;
mod rotation;

use serde_json::{Map, Value};

use crate::Config;
use crate::checkpoint::architecture::{Architecture, Refusal};

/// A family, chosen by `model_type` in `config.json`.
///
/// Sources: the models of the same names in
/// <https://github.com/huggingface/transformers/tree/main/src/transformers/models>
#[derive(Debug)]
pub(crate) struct Family {
    /// Its name in `config.json`.
    pub(crate) model_type: &'static str,
    /// What the names of its classes begin with, as `architectures` of `config.json` has them.
    class: &'static str,
    /// Keys of `config.json` that are called otherwise here: `(there, here)`.
    keys: &'static [(&'static str, &'static str)],
    /// Those of them that the file may also call as they are called here, and then that counts; another
    /// that the file calls so means nothing. Where this is not stated, either name does.
    aliases: Option<&'static [&'static str]>,
    /// What holds where the file is silent, as JSON under the keys of [`Config`].
    defaults: &'static str,
    /// What holds whatever the file says; a null where no such key is read.
    fixed: &'static str,
    /// What a configuration of it computes, from the numbers that every family has and from the whole file.
    pub(crate) architecture: fn(&Config, &Map<String, Value>) -> Result<Architecture, Refusal>,
    pub(crate) positions: Positions,
    /// Whether position embeddings may be sines, which no training has touched.
    sines: bool,
    pub(crate) token_types: TokenTypes,
    /// Whether a model of it may be without embeddings of token types.
    pub(crate) may_lack_token_types: bool,
    /// Keys of which the computation takes a value for granted; another is refused.
    pub(crate) granted: &'static [(&'static str, u64)],
    /// Whether its models may have a pooler.
    pub(crate) has_pooler: bool,
    /// What names of tensors begin with in a model that was trained for a task.
    pub(crate) prefix: &'static str,
    /// Pieces of names in files that came before those of today: `(then, today)`.
    old_names: &'static [(&'static str, &'static str)],
    /// Pieces of names that are called otherwise here: `(there, here)`. A `here` that is part of
    /// another comes after it.
    renames: &'static [(&'static str, &'static str)],
    joints: &'static [Joint],
    /// Beginnings of the names of task heads, on which no hidden state depends.
    heads: &'static [&'static str],
    /// Names of tensors that are used or not, as the configuration says.
    ignored: &'static [&'static str],
}

/// A tensor of the file that holds several, one after the other.
#[derive(Debug)]
struct Joint {
    /// A piece of its name.
    name: &'static str,
    /// What stands in the place of that in the names of those that it holds.
    parts: &'static [&'static str],
    /// Whether files of today hold them apart.
    is_old: bool,
}

/// More than any encoder has; a damaged number must not become a loop without end.
pub(crate) const MOST_LAYERS: usize = 1000;

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.model_type == other.model_type
    }
}

/// Which row of the position embeddings a token gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// Its place in the text, from 0.
    FromZero,
    /// Tokens are counted from the row after that of the padding's id; padding counts for nothing
    /// and gets the row of its own id, also when the text itself names it.
    AfterPadding,
}

impl Positions {
    /// For each token of a row.
    pub(crate) fn of(self, input_ids: &[u32], pad_token_id: u32) -> Vec<i64> {
        let pad = i64::from(pad_token_id);
        let mut counted = 0;
        let after_padding = |&id: &u32| {
            let counts = i64::from(id != pad_token_id);
            counted += counts;
            counts * counted + pad
        };
        match self {
            Self::FromZero => (0..input_ids.len() as i64).collect(),
            Self::AfterPadding => input_ids.iter().map(after_padding).collect(),
        }
    }
}

/// Which rows of the token type embeddings a token gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenTypes {
    /// The one that the tokenizer says, which is the first if it says nothing.
    OfTokenizer,
    /// There are none.
    None,
}

static FAMILIES: [Family; 12] = [
    bert::BERT,
    roberta::ROBERTA,
    roberta::XLM_ROBERTA,
    roberta::CAMEMBERT,
    distilbert::DISTILBERT,
    electra::ELECTRA,
    mpnet::MPNET,
    albert::ALBERT,
    modernbert::MODERNBERT,
    deberta_v2::DEBERTA_V2,
    nomic_bert::NOMIC_BERT,
    gte::GTE,
];

impl Family {
    /// BERT itself.
    pub(crate) fn bert() -> &'static Self {
        &FAMILIES[0]
    }

    pub(crate) fn named(model_type: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.model_type == model_type)
    }

    /// The family of the class, such as `RobertaForMaskedLM`, that wrote a checkpoint.
    pub(crate) fn of_class(class: &str) -> Option<&'static Self> {
        let tasks = ["Model", "For", "LMHeadModel", "PreTrainedModel"];
        let is_task = |rest: &str| tasks.iter().any(|task| rest.starts_with(task));
        FAMILIES.iter().find(|family| class.strip_prefix(family.class).is_some_and(is_task))
    }

    /// Whether names in a model of any family begin so.
    pub(crate) fn has_prefix(prefix: &str) -> bool {
        FAMILIES.iter().any(|family| family.prefix == prefix)
    }

    /// Every family's name.
    pub(crate) fn names() -> Vec<&'static str> {
        FAMILIES.iter().map(|family| family.model_type).collect()
    }

    /// Brings a `config.json` to the keys of [`crate::Config`], with this family's defaults.
    pub(crate) fn canonical_keys(&self, json: &mut Map<String, Value>) {
        for &(there, here) in self.keys {
            let value = json.remove(there);
            if self.aliases.is_some_and(|aliases| !aliases.contains(&here)) {
                json.remove(here);
            }
            match value {
                Some(_) if self.aliases.is_some() && json.contains_key(here) => {}
                Some(value) => drop(json.insert(here.to_owned(), value)),
                None => {}
            }
        }
        if !self.sines {
            json.remove("sinusoidal_pos_embds");
        }
        for (key, value) in object(self.fixed) {
            match value {
                Value::Null => json.remove(&key),
                value => json.insert(key, value),
            };
        }
        for (key, value) in object(self.defaults) {
            json.entry(key).or_insert(value);
        }
    }

    /// What `config.json` calls a key of [`crate::Config`].
    pub(crate) fn key_in_file(&self, here: &'static str) -> &'static str {
        self.keys.iter().find(|(_, ours)| *ours == here).map_or(here, |&(there, _)| there)
    }

    /// A tensor's name, in any generation, as the modules here call it.
    ///
    /// | in the file | here |
    /// |---|---|
    /// | `bert.encoder.layer.0.…` | `encoder.layer.0.…` |
    /// | `….LayerNorm.gamma` | `….LayerNorm.weight` |
    /// | `….LayerNorm.beta` | `….LayerNorm.bias` |
    /// | `distilbert.transformer.layer.0.ffn.lin1.…` | `encoder.layer.0.intermediate.dense.…` |
    pub(crate) fn canonical_name(&self, there: &str) -> String {
        let name = there.strip_prefix(self.prefix).unwrap_or(there);
        let name = match (name.strip_suffix(".gamma"), name.strip_suffix(".beta")) {
            (Some(stem), _) => format!("{stem}.weight"),
            (_, Some(stem)) => format!("{stem}.bias"),
            _ => name.to_owned(),
        };
        let renames = self.old_names.iter().chain(self.renames);
        renames.fold(name, |name, (there, here)| name.replacen(there, here, 1))
    }

    /// The names that the modules here have for what a tensor holds, mostly one.
    pub(crate) fn canonical_names(&self, there: &str) -> Vec<String> {
        let name = self.canonical_name(there);
        match self.joints.iter().find(|joint| name.contains(joint.name)) {
            Some(joint) => joint.parts.iter().map(|part| name.replacen(joint.name, part, 1)).collect(),
            None => vec![name],
        }
    }

    /// The name, without prefix, that files of today give a tensor.
    pub(crate) fn name_in_file(&self, here: &str) -> String {
        let name = match self.joint_of(here) {
            Some((joint, part)) => here.replacen(part, joint.name, 1),
            None => here.to_owned(),
        };
        self.renames.iter().fold(name, |name, (there, here)| name.replacen(here, there, 1))
    }

    /// The shape that a tensor has in a file, of which one here is perhaps a part only.
    pub(crate) fn shape_in_file(&self, here: &str, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if let (Some((joint, _)), Some(rows)) = (self.joint_of(here), shape.first_mut()) {
            *rows = rows.saturating_mul(joint.parts.len());
        }
        shape
    }

    /// What holds this tensor in files of today, and the piece of its name.
    fn joint_of(&self, here: &str) -> Option<(&'static Joint, &'static str)> {
        self.joints.iter().filter(|joint| !joint.is_old).find_map(|joint| {
            let part = joint.parts.iter().find(|part| here.contains(*part))?;
            Some((joint, *part))
        })
    }

    /// Task heads and stored constants: they hold nothing that a hidden state depends on.
    pub(crate) fn is_beside_the_encoder(&self, name: &str) -> bool {
        ["embeddings.position_ids", "embeddings.token_type_ids"].contains(&name)
            || self.ignored.contains(&name)
            || name.ends_with(".inv_freq")
            || self.heads.iter().any(|head| name.starts_with(head))
    }
}

/// The keys of a table above; a test holds that each can be read.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_names_meet() {
        for (old, new) in [
            ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
            ("bert.pooler.dense.weight", "pooler.dense.weight"),
            ("encoder.layer.11.output.dense.bias", "encoder.layer.11.output.dense.bias"),
        ] {
            assert_eq!(Family::bert().canonical_name(old), new);
        }
    }

    #[test]
    fn the_tables_of_every_family_are_read() {
        for family in &FAMILIES {
            for table in [family.defaults, family.fixed] {
                serde_json::from_str::<Map<String, Value>>(table).expect(family.model_type);
            }
            assert!(object(family.defaults).contains_key("pad_token_id"), "{}", family.model_type);
        }
    }

    #[test]
    fn a_renamed_tensor_finds_its_way_back() {
        for family in &FAMILIES {
            for part in [
                "attention.self.query.weight",
                "attention.self.value.bias",
                "attention.output.dense.weight",
                "attention.output.LayerNorm.bias",
                "intermediate.dense.weight",
                "output.dense.weight",
                "output.LayerNorm.weight",
            ] {
                let here = format!("encoder.layer.3.{part}");
                let back = family.canonical_names(&family.name_in_file(&here));
                assert!(back.contains(&here), "{}: {back:?}", family.model_type);
            }
        }
        let distilbert = Family::named("distilbert").unwrap();
        assert_eq!(
            distilbert.name_in_file("encoder.layer.0.attention.output.dense.bias"),
            "transformer.layer.0.attention.out_lin.bias"
        );
    }
}
