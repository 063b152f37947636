//! The vectors that were asked for: which layers, pooled and combined how, under which names.

use crate::request::columns::{Column, Origin, attention_columns, layer_columns, sentence_column};
use crate::request::{FeatureRequest, Sentence};
use crate::{Combine, Config, Error, Pooling, Unit};

/// The vectors asked for, held against a model: every layer exists, every name is settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    pub(crate) unit: Unit,
    /// The chosen layers, order and repetitions kept.
    pub(crate) layers: Vec<usize>,
    pub(crate) combine: Combine,
    pub(crate) normalize: bool,
    pub(crate) count_special_tokens: bool,
    pub(crate) sentence: Option<Sentence>,
    columns: Vec<Column>,
    num_hidden_layers: usize,
    pub(crate) hidden_size: usize,
}

impl Features {
    /// Holds `options` against the model's configuration.
    ///
    /// # Errors
    /// A layer out of range, nothing to compute, or modules that contradict the model.
    pub fn resolve(options: &FeatureRequest, config: &Config) -> Result<Self, Error> {
        let layers = options.layers.resolve(config.num_hidden_layers)?;
        check_poolings(options)?;
        let mut columns = layer_columns(options, &layers, config.hidden_size);
        let sentence = options.sentence.clone().filter(|_| options.pooling.contains(&Pooling::Sentence));
        if options.pooling.contains(&Pooling::Sentence) {
            columns.push(sentence_column(sentence.as_ref(), config)?);
        }
        if columns.is_empty() {
            return Err(Error::Combination(
                "no pooling is chosen, so there is no vector to write".to_owned(),
            ));
        }
        let over_none = |column: &Column| matches!(column.origin, Origin::Pooler | Origin::Sentence);
        if options.combine != Combine::None && columns.iter().all(over_none) {
            let names: Vec<String> = options.pooling.iter().map(ToString::to_string).collect();
            return Err(Error::Combination(format!(
                "combine is {}, but the only pooling is {}, which has no layers to combine",
                options.combine,
                names.join(" and ")
            )));
        }
        if options.attentions {
            columns.extend(attention_columns(options.unit, &layers, config.num_attention_heads)?);
        }
        Ok(Self {
            unit: options.unit,
            layers,
            combine: options.combine,
            normalize: options.normalize,
            count_special_tokens: options.count_special_tokens,
            sentence,
            columns,
            num_hidden_layers: config.num_hidden_layers,
            hidden_size: config.hidden_size,
        })
    }

    /// The columns, in the order in which their vectors follow each other in a row.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What one vector stands for.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// How many values a row has over all columns.
    pub fn width(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// The highest hidden state any column depends on; no layer above it is loaded or run.
    pub fn highest_layer(&self) -> usize {
        if self.needs_pooler() || self.sentence.is_some() {
            return self.num_hidden_layers;
        }
        self.layers.iter().copied().max().unwrap_or(0)
    }

    /// Whether the attention of any encoder layer is asked for.
    pub(crate) fn needs_attentions(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.origin, Origin::Attention(..)))
    }

    /// Whether the attention of an encoder layer is asked for.
    pub(crate) fn needs_attention(&self, layer: usize) -> bool {
        self.columns.iter().any(|column| matches!(column.origin, Origin::Attention(of, _) if of == layer))
    }

    /// Whether any column needs the model's pooler.
    pub fn needs_pooler(&self) -> bool {
        self.columns.iter().any(|column| column.origin == Origin::Pooler)
    }

    /// The hidden states that are looked at token by token: each chosen layer once, or the one that
    /// they are combined to.
    pub(crate) fn planes(&self) -> Vec<Origin> {
        match self.combine {
            Combine::Sum | Combine::Mean => vec![Origin::Chosen],
            Combine::None | Combine::Concat | Combine::Stack => {
                let mut layers = self.layers.clone();
                layers.sort_unstable();
                layers.dedup();
                layers.into_iter().map(Origin::Layer).collect()
            }
        }
    }

    /// The places among [`Features::planes`] of the states that `column` shows, one after the other.
    pub(crate) fn planes_of(&self, column: &Column) -> Vec<usize> {
        let planes = self.planes();
        let place = |origin| {
            let place = planes.iter().position(|&plane| plane == origin);
            place.unwrap_or_else(|| {
                unreachable!("a column of tokens shows {origin:?}, which is none of {planes:?}")
            })
        };
        match (column.origin, self.combine) {
            (Origin::Chosen, Combine::Concat | Combine::Stack) => {
                self.layers.iter().map(|&layer| place(Origin::Layer(layer))).collect()
            }
            (origin, _) => vec![place(origin)],
        }
    }

    /// Whether `column` has no value for a text in which only special tokens stand.
    pub fn needs_ordinary_tokens(&self, column: &Column) -> bool {
        !self.count_special_tokens && column.pooling.is_over_tokens()
    }
}

fn check_poolings(options: &FeatureRequest) -> Result<(), Error> {
    let possible = Pooling::of_unit(options.unit);
    match options.pooling.iter().find(|pooling| !possible.contains(pooling)) {
        None => Ok(()),
        Some(_) if possible.is_empty() => {
            Err(Error::Combination("unit is token, and a token's vector is not pooled".to_owned()))
        }
        Some(pooling) => {
            let names: Vec<String> = possible.iter().map(ToString::to_string).collect();
            let (unit, names) = (options.unit, names.join(", "));
            Err(Error::Combination(format!("unit is {unit} and pooling {pooling}; expected {names}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerSelection;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn features(layers: &str, pooling: &[Pooling], combine: Combine) -> Result<Features, Error> {
        features_of(Unit::Row, layers, pooling, combine)
    }

    fn features_of(
        unit: Unit,
        layers: &str,
        pooling: &[Pooling],
        combine: Combine,
    ) -> Result<Features, Error> {
        let options = FeatureRequest {
            unit,
            layers: layers.parse()?,
            pooling: pooling.to_vec(),
            combine,
            ..FeatureRequest::default()
        };
        let config = serde_json::json!({
            "model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 12, "num_attention_heads": 2,
            "intermediate_size": 9, "hidden_act": "gelu", "max_position_embeddings": 9,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        });
        Features::resolve(&options, &Config::parse(&config.to_string(), "config.json".as_ref())?)
    }

    fn named(features: &Features) -> Vec<(&str, &[usize])> {
        features.columns().iter().map(|c| (c.name.as_str(), c.shape.as_slice())).collect()
    }

    #[test]
    fn columns_carry_real_layer_numbers() {
        let features = features("0,-1", &[Pooling::Mean, Pooling::MeanMax], Combine::None).unwrap();
        assert_eq!(
            named(&features),
            [
                ("layer_0_mean", &[8][..]),
                ("layer_0_mean_max", &[16]),
                ("layer_12_mean", &[8]),
                ("layer_12_mean_max", &[16]),
            ]
        );
        assert_eq!(features.width(), 48);
    }

    #[test]
    fn combinations_name_their_layers_in_the_order_given() {
        for (combine, name, shape) in [
            (Combine::Concat, "layers_4_0_12_concat_cls", vec![24]),
            (Combine::Stack, "layers_4_0_12_stack_cls", vec![3, 8]),
            (Combine::Sum, "layers_4_0_12_sum_cls", vec![8]),
            (Combine::Mean, "layers_4_0_12_mean_cls", vec![8]),
        ] {
            let features = features("4,0,-1", &[Pooling::Cls], combine).unwrap();
            assert_eq!(named(&features), [(name, shape.as_slice())]);
        }
    }

    #[test]
    fn only_the_layers_below_the_highest_one_asked_for_are_needed() {
        assert_eq!(features("3,1", &[Pooling::Cls], Combine::None).unwrap().highest_layer(), 3);
        let pooler = features("3", &[Pooling::Cls, Pooling::Pooler], Combine::None).unwrap();
        assert_eq!((pooler.highest_layer(), pooler.columns().len()), (12, 2));
    }

    #[test]
    fn a_combination_of_nothing_is_refused() {
        assert!(features("1,2", &[Pooling::Pooler], Combine::Sum).is_err());
        assert!(features("1", &[], Combine::None).is_err());
    }

    #[test]
    fn tokens_are_named_by_their_layers_alone() {
        let tokens = |combine| features_of(Unit::Token, "0,-1", &[], combine).unwrap();
        assert_eq!(named(&tokens(Combine::None)), [("layer_0", &[8][..]), ("layer_12", &[8])]);
        assert_eq!(named(&tokens(Combine::Stack)), [("layers_0_12_stack", &[2, 8][..])]);
    }

    #[test]
    fn a_pooling_that_the_unit_does_not_have_is_refused() {
        for (unit, pooling) in
            [(Unit::Token, Pooling::Mean), (Unit::Word, Pooling::Cls), (Unit::Row, Pooling::Endpoints)]
        {
            assert!(features_of(unit, "1", &[pooling], Combine::None).is_err(), "{unit}");
        }
        assert!(features_of(Unit::Span, "1", &[Pooling::Endpoints], Combine::None).is_ok());
    }

    proptest! {
        #[test]
        fn no_two_columns_share_a_name(
            layers in prop::collection::vec(-13i64..=12, 1..20),
            pooling in prop::collection::vec(prop::sample::select(vec![
                Pooling::Cls, Pooling::Mean, Pooling::Max, Pooling::Min, Pooling::MeanMax, Pooling::Last, Pooling::Pooler,
            ]), 1..9),
            combine in prop::sample::select(vec![Combine::None, Combine::Concat, Combine::Stack, Combine::Sum, Combine::Mean]),
        ) {
            let list = LayerSelection::List(layers).to_string();
            if let Ok(features) = features(&list, &pooling, combine) {
                let names: HashSet<&str> = features.columns().iter().map(|c| c.name.as_str()).collect();
                prop_assert_eq!(names.len(), features.columns().len());
            }
        }
    }
}
