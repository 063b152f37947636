//! Which columns come of what is asked for, and their names.

use crate::request::FeatureRequest;
use crate::request::{Sentence, Statistic};
use crate::{Combine, Config, Error, Pooling, Unit};

/// One column of vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// `[width]`, or `[layers, width]` for a stack.
    pub shape: Vec<usize>,
    pub(crate) origin: Origin,
    pub(crate) pooling: Pooling,
}

impl Column {
    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Length of the vectors that `normalize` brings to length 1: the innermost lists. None where
    /// the numbers are no vector.
    pub(crate) fn vector_len(&self) -> Option<usize> {
        match self.origin {
            Origin::Attention(..) => None,
            Origin::Layer(_) | Origin::Chosen | Origin::Pooler | Origin::Sentence => {
                self.shape.last().copied()
            }
        }
    }
}

/// Where a column's hidden states come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// One hidden state.
    Layer(usize),
    /// All chosen layers, combined.
    Chosen,
    /// The pooler.
    Pooler,
    /// The folder's modules.
    Sentence,
    /// The attention of one encoder layer.
    Attention(usize, Statistic),
}

/// The column of what the folder's modules give.
pub(super) fn sentence_column(sentence: Option<&Sentence>, config: &Config) -> Result<Column, Error> {
    let Some(sentence) = sentence else {
        return Err(Error::Combination(
            "pooling is sentence, but the model's modules were not read".to_owned(),
        ));
    };
    let (name, shape) = ("sentence_embedding".to_owned(), vec![sentence.width(config)?]);
    Ok(Column { name, shape, origin: Origin::Sentence, pooling: Pooling::Sentence })
}

/// The columns of figures about the chosen layers' attention.
pub(super) fn attention_columns(unit: Unit, layers: &[usize], heads: usize) -> Result<Vec<Column>, Error> {
    if unit != Unit::Row {
        return Err(Error::Combination(format!(
            "attentions are of rows, and unit is {unit}: a head's figures are means over a text's tokens"
        )));
    }
    let mut encoder_layers: Vec<usize> = Vec::new();
    for &layer in layers.iter().filter(|&&layer| layer > 0) {
        if !encoder_layers.contains(&layer) {
            encoder_layers.push(layer);
        }
    }
    if encoder_layers.is_empty() {
        return Err(Error::Combination(
            "attentions are of encoder layers, and the only layer chosen is 0, the embedding output"
                .to_owned(),
        ));
    }
    let column = |layer, statistic: Statistic| Column {
        name: format!("layer_{layer}_attention_{}", statistic.name()),
        shape: vec![heads],
        origin: Origin::Attention(layer, statistic),
        // Each figure is there whatever tokens count.
        pooling: Pooling::First,
    };
    let of_layer = |&layer: &usize| Statistic::ALL.into_iter().map(move |statistic| column(layer, statistic));
    Ok(encoder_layers.iter().flat_map(of_layer).collect())
}

/// The columns of the chosen layers, and of the pooler.
pub(super) fn layer_columns(options: &FeatureRequest, layers: &[usize], hidden_size: usize) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let mut push = |column: Column| {
        if !columns.contains(&column) {
            columns.push(column);
        }
    };
    // A token is pooled by itself, and nobody needs to be told.
    let (poolings, suffix): (&[Pooling], fn(Pooling) -> String) = match options.unit {
        Unit::Token => (&[Pooling::First], |_| String::new()),
        _ => (&options.pooling, |pooling| format!("_{pooling}")),
    };
    let over_layers = || poolings.iter().copied().filter(|pooling| pooling.is_over_layers());
    if options.combine == Combine::None {
        for &layer in layers {
            for pooling in over_layers() {
                let (name, shape) =
                    (format!("layer_{layer}{}", suffix(pooling)), vec![pooling.width(hidden_size)]);
                push(Column { name, shape, origin: Origin::Layer(layer), pooling });
            }
        }
    } else {
        let numbers: Vec<String> = layers.iter().map(usize::to_string).collect();
        for pooling in over_layers() {
            let width = pooling.width(hidden_size);
            let shape = match options.combine {
                Combine::Concat => vec![layers.len() * width],
                Combine::Stack => vec![layers.len(), width],
                Combine::None | Combine::Sum | Combine::Mean => vec![width],
            };
            let name = format!("layers_{}_{}{}", numbers.join("_"), options.combine, suffix(pooling));
            push(Column { name, shape, origin: Origin::Chosen, pooling });
        }
    }
    if options.pooling.contains(&Pooling::Pooler) {
        let name = "pooler_output".to_owned();
        push(Column { name, shape: vec![hidden_size], origin: Origin::Pooler, pooling: Pooling::Pooler });
    }
    columns
}
