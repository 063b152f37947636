//! Encodings in, vectors out: the one place where texts, layers and poolings meet.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::attentions::Statistic;
use crate::features::{Column, Features, Source};
use crate::memory::MemoryLimit;
use crate::model::{BertModel, ModelInput};
use crate::pooling::{Pooling, TokenMask, pool};
use crate::{Checkpoint, Combine, Compute, DeviceKind, Encoding, Error, Unit};

/// A model on a device that computes the [`Features`] asked for and nothing more.
pub struct Extractor {
    model: BertModel,
    features: Features,
    device: Device,
    pad_token_id: u32,
    memory: MemoryLimit,
}

impl Extractor {
    /// Checks whatever [`Extractor::load`] would find wrong, without loading anything.
    ///
    /// # Errors
    /// Those of [`Extractor::load`].
    pub fn check(
        checkpoint: &Checkpoint,
        features: &Features,
        device: DeviceKind,
        compute: Compute,
    ) -> Result<(), Error> {
        device.open()?;
        compute.check(device)?;
        BertModel::check(checkpoint, features.needs_pooler())
    }

    /// Loads the layers that `features` need.
    ///
    /// # Errors
    /// The device is not there or lacks the type; the weights cannot be read or do not belong to the configuration.
    pub fn load(
        checkpoint: &Checkpoint,
        features: Features,
        device: DeviceKind,
        compute: Compute,
    ) -> Result<Self, Error> {
        compute.check(device)?;
        let device = device.open()?;
        let (layers, with_pooler) = (features.highest_layer(), features.needs_pooler());
        let load = || BertModel::load(checkpoint, layers, with_pooler, &device, compute);
        let model = catch_backend(load)??;
        Ok(Self {
            model,
            features,
            device,
            pad_token_id: checkpoint.config.pad_token_id,
            memory: MemoryLimit::default(),
        })
    }

    /// The columns it computes.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// What [`Assembly::add`](crate::Assembly::add) takes of each window of a batch, one after the
    /// other. Shorter windows are padded to the longest; that changes no value.
    ///
    /// Where rows are asked for, that is the columns' values, `[features.width()]`. A window in which
    /// no token counts has no value in the columns of which [`Features::needs_ordinary_tokens`]
    /// speaks; what stands there is without meaning. Where tokens, words or spans are asked for, it
    /// is the hidden states of its tokens, `[len, layers · hidden_size]`.
    ///
    /// A batch for which the device has no memory is halved until it fits, and later ones from the
    /// start.
    ///
    /// # Errors
    /// The device has no memory for a single row, or the backend fails.
    pub fn extract(&self, batch: &[&Encoding]) -> Result<Vec<f32>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.memory.extract(batch, &|batch| {
            catch_backend(|| match self.features.unit {
                Unit::Row => self.pooled(batch),
                Unit::Token | Unit::Word | Unit::Span => self.states(batch),
            })?
        })
    }

    /// How many values [`Extractor::extract`] gives of a window.
    pub fn values_of(&self, window: &Encoding) -> usize {
        match self.features.unit {
            Unit::Row => self.features.width(),
            Unit::Token | Unit::Word | Unit::Span => window.len() * self.state_width(),
        }
    }

    fn state_width(&self) -> usize {
        self.features.planes().len() * self.features.hidden_size
    }

    /// The hidden states of all tokens but padding.
    fn states(&self, batch: &[&Encoding]) -> Result<Vec<f32>, Error> {
        let (input, _) = self.to_device(batch);
        let seq_len = input.input_ids.dims()[1];
        let planes = self.features.planes();
        let (mut states, mut sum) = (Vec::with_capacity(planes.len()), LayerSum::default());
        self.model.forward(input, |layer, hidden| {
            if planes.contains(&Source::Layer(layer)) {
                states.push(hidden.clone());
            } else if planes.contains(&Source::Chosen) {
                sum.add(&self.features, layer, hidden);
            }
        });
        states.extend(sum.finish(&self.features));
        let values = to_vec(Tensor::cat(states, 2))?;
        let row = seq_len * self.state_width();
        let without_padding = batch.iter().zip(values.chunks_exact(row));
        Ok(without_padding.flat_map(|(window, row)| &row[..self.values_of(window)]).copied().collect())
    }

    fn pooled(&self, batch: &[&Encoding]) -> Result<Vec<f32>, Error> {
        let (input, mask) = self.to_device(batch);
        let mut pooled = PooledLayers::new(&self.features, &mask);
        let mut attentions = HashMap::new();
        let attention_mask = input.attention_mask.clone();
        let last = self.model.forward(input, |layer, hidden| {
            pooled.add(layer, hidden);
            if self.features.needs_attention(layer + 1) {
                let weights = self.model.attention_weights(layer + 1, hidden, attention_mask.clone());
                attentions.extend(self.attention_figures(batch, layer + 1, &weights));
            }
        });
        let pooler_output = if self.features.needs_pooler() { self.model.pooler_output(&last) } else { None };
        let columns: Vec<Tensor<2>> = self
            .features
            .columns()
            .iter()
            .filter_map(|column| match column.source {
                Source::Pooler => pooler_output.clone(),
                Source::Attention(layer, statistic) => attentions.get(&(layer, statistic)).cloned(),
                Source::Layer(_) | Source::Chosen => Some(pooled.column(column)),
            })
            .collect();
        // One transfer for all columns.
        to_vec(Tensor::cat(columns, 1))
    }

    /// Every figure of a layer's attention, `[batch, heads]` each.
    fn attention_figures(
        &self,
        batch: &[&Encoding],
        layer: usize,
        weights: &Tensor<4>,
    ) -> Vec<((usize, Statistic), Tensor<2>)> {
        let [rows, _, seq_len, _] = weights.dims();
        let numbers = |of: fn(usize, bool) -> bool| {
            let values = pad_rows(batch, seq_len, 0.0, |encoding| {
                let tokens = encoding.special_tokens_mask.iter().enumerate();
                tokens.map(move |(place, &special)| f32::from(of(place, special)))
            });
            Tensor::<2>::from_data(TensorData::new(values, [rows, seq_len]), &self.device)
        };
        let (tokens, separators) = (numbers(|_, _| true), numbers(|place, special| place > 0 && special));
        let figure = |statistic: Statistic| ((layer, statistic), statistic.of(weights, &tokens, &separators));
        Statistic::ALL.into_iter().map(figure).collect()
    }

    fn to_device(&self, batch: &[&Encoding]) -> (ModelInput, TokenMask) {
        let rows = batch.len();
        let seq_len = batch.iter().map(|encoding| encoding.len()).max().unwrap_or(0);
        let padded = batch.iter().any(|encoding| encoding.len() < seq_len);
        let ids = |of: fn(&Encoding) -> &[u32], pad: u32| -> Tensor<2, Int> {
            let values = pad_rows(batch, seq_len, i64::from(pad), |encoding| {
                of(encoding).iter().map(|&id| i64::from(id))
            });
            Tensor::from_data(TensorData::new(values, [rows, seq_len]), &self.device)
        };
        let flags = |values: Vec<bool>| -> Tensor<2, Bool> {
            Tensor::from_data(TensorData::new(values, [rows, seq_len]), &self.device)
        };
        let attention_mask = padded.then(|| {
            flags(pad_rows(batch, seq_len, false, |encoding| encoding.input_ids.iter().map(|_| true)))
        });
        let counted = if self.features.count_special_tokens {
            attention_mask.clone()
        } else {
            Some(flags(pad_rows(batch, seq_len, false, |encoding| {
                encoding.special_tokens_mask.iter().map(|special| !special)
            })))
        };
        let last = padded.then(|| {
            let last: Vec<i64> = batch.iter().map(|encoding| encoding.len() as i64 - 1).collect();
            Tensor::from_data(TensorData::new(last, [rows]), &self.device)
        });
        let input = ModelInput {
            input_ids: ids(|encoding| &encoding.input_ids, self.pad_token_id),
            token_type_ids: ids(|encoding| &encoding.token_type_ids, 0),
            attention_mask,
        };
        (input, TokenMask { counted, last })
    }
}

/// The pooled vectors of one batch, gathered while the hidden states pass by.
struct PooledLayers<'a> {
    features: &'a Features,
    mask: &'a TokenMask,
    pooled: HashMap<(usize, Pooling), Tensor<2>>,
    sum: LayerSum,
}

impl<'a> PooledLayers<'a> {
    fn new(features: &'a Features, mask: &'a TokenMask) -> Self {
        Self { features, mask, pooled: HashMap::new(), sum: LayerSum::default() }
    }

    fn add(&mut self, layer: usize, hidden: &Tensor<3>) {
        match self.features.combine {
            Combine::Sum | Combine::Mean => self.sum.add(self.features, layer, hidden),
            Combine::None | Combine::Concat | Combine::Stack => {
                if !self.features.layers.contains(&layer) {
                    return;
                }
                let of_states = |column: &&Column| matches!(column.source, Source::Layer(_) | Source::Chosen);
                for column in self.features.columns().iter().filter(of_states) {
                    self.pooled
                        .entry((layer, column.pooling))
                        .or_insert_with(|| pool(column.pooling, hidden, self.mask));
                }
            }
        }
    }

    /// `[batch, column.width()]`
    fn column(&self, column: &Column) -> Tensor<2> {
        if let Some(combined) = self.sum.clone().finish(self.features) {
            return pool(column.pooling, &combined, self.mask);
        }
        let layers = match column.source {
            Source::Layer(layer) => vec![layer],
            Source::Chosen | Source::Pooler | Source::Attention(..) => self.features.layers.clone(),
        };
        // A stack is a concatenation in memory; only its type tells them apart.
        Tensor::cat(layers.iter().map(|&layer| self.pooled[&(layer, column.pooling)].clone()).collect(), 1)
    }
}

/// The sum of the chosen layers' hidden states, while they pass by.
#[derive(Clone, Default)]
struct LayerSum(Option<Tensor<3>>);

impl LayerSum {
    fn add(&mut self, features: &Features, layer: usize, hidden: &Tensor<3>) {
        let times = features.layers.iter().filter(|&&chosen| chosen == layer).count();
        if times > 0 {
            let share = hidden.clone() * times as f32;
            self.0 = Some(match self.0.take() {
                Some(sum) => sum + share,
                None => share,
            });
        }
    }

    /// The sum, or the mean where that is asked for; none where neither is.
    fn finish(self, features: &Features) -> Option<Tensor<3>> {
        match features.combine {
            Combine::Mean => self.0.map(|sum| sum / features.layers.len() as f32),
            _ => self.0,
        }
    }
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    tensor.into_data().try_to_vec().map_err(|e| Error::Backend(format!("{e:?}")))
}

fn pad_rows<'a, T: Copy, I: Iterator<Item = T>>(
    batch: &[&'a Encoding],
    seq_len: usize,
    pad: T,
    row: impl Fn(&'a Encoding) -> I,
) -> Vec<T> {
    let mut values = Vec::with_capacity(batch.len() * seq_len);
    for (index, encoding) in batch.iter().enumerate() {
        values.extend(row(encoding));
        values.resize((index + 1) * seq_len, pad);
    }
    values
}

/// Turns the panics by which burn reports a failing backend into errors.
fn catch_backend<T>(compute: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(compute)).map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        let first_line = message.lines().next().unwrap_or_default().to_owned();
        if message.contains("out of memory") {
            Error::OutOfMemory(first_line)
        } else {
            Error::Backend(first_line)
        }
    })
}
