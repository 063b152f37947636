//! Encodings in, vectors out: the one place where texts, layers and poolings meet.

pub mod batch;

mod assembly;
mod attentions;
mod memory;
mod passing;
mod pool;
mod sentence;

pub use assembly::{Assembly, VectorColumn};

use std::cell::LazyCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Element, Tensor, TensorData};

use crate::extract::batch::Batch;
use crate::extract::memory::MemoryLimit;
use crate::extract::passing::{CountedBlock, LayerSum, PooledLayers};
use crate::extract::sentence::SentenceHead;
use crate::model::BertModel;
use crate::ops::layout::{Block, blocks};
use crate::request::Statistic;
use crate::request::columns::Origin;
use crate::request::features::Features;
use crate::threads::Threads;
use crate::{Checkpoint, Compute, Config, DeviceKind, Document, Encoding, Error, Unit};

/// A model on a device that computes the [`Features`] asked for and nothing more.
pub struct Extractor {
    model: BertModel,
    sentence: Option<SentenceHead>,
    features: Features,
    device: Device,
    threads: Threads,
    memory: MemoryLimit,
}

impl Extractor {
    /// Checks whatever [`Extractor::load`] would find wrong, without loading anything. Returns what one might not
    /// expect of the device.
    ///
    /// # Errors
    /// Those of [`Extractor::load`].
    pub fn check(
        checkpoint: &Checkpoint,
        features: &Features,
        device: DeviceKind,
        compute: Compute,
    ) -> Result<Option<&'static str>, Error> {
        device.open_for(&checkpoint.config, features)?;
        compute.check(device)?;
        compute.check_widths(&checkpoint.config)?;
        if let Some(sentence) = &features.sentence {
            SentenceHead::check(checkpoint, sentence)?;
        }
        BertModel::check(checkpoint, features.needs_pooler())?;
        Ok(compute.remark(device))
    }

    /// Loads the layers that `features` need, to compute on `threads` threads of the processor, or on
    /// as many as it has.
    ///
    /// # Errors
    /// The device is not there or lacks the type; the weights cannot be read or do not belong to the configuration.
    pub fn load(
        checkpoint: &Checkpoint,
        features: Features,
        device: DeviceKind,
        compute: Compute,
        threads: Option<usize>,
    ) -> Result<Self, Error> {
        compute.check(device)?;
        compute.check_widths(&checkpoint.config)?;
        let device = device.open_for(&checkpoint.config, &features)?;
        let is_flex = device == Device::flex();
        // Where kernels do not do all the work, values may depend on what is encoded together, and that not on threads.
        let apart = is_flex && !DeviceKind::Cpu.uses_libtorch(&checkpoint.config, &features);
        let threads = Threads::new(threads, apart)?;
        let (layers, with_pooler) = (features.highest_layer(), features.needs_pooler());
        let load = || BertModel::load(checkpoint, layers, with_pooler, &device, compute);
        let model = catch_backend(|| threads.run(load))??;
        let sentence = features.sentence.as_ref();
        let load = || sentence.map(|sentence| SentenceHead::load(sentence, &checkpoint.config, &device));
        let sentence = catch_backend(|| threads.run(load))?.transpose()?;
        let token_bytes = is_flex.then(|| token_bytes(&checkpoint.config, &features));
        Ok(Self { model, sentence, features, device, threads, memory: MemoryLimit::new(token_bytes) })
    }

    /// The columns it computes.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Does `work` on the threads that it computes on.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.run(work)
    }

    /// What [`Assembly::add`](crate::Assembly::add) takes of each window of a batch, one after the
    /// other. Windows of one length that are neighbours go through attention at once, so sort them.
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
        self.threads.run(|| self.compute(batch))
    }

    /// [`Extractor::extract`] of the windows of each batch, told to `take` in their order. Where kernels do all the work, each thread of
    /// the processor has a batch of its own as long as there are enough of them.
    ///
    /// # Errors
    /// Those of [`Extractor::extract`]; those of `take`, which end the work.
    pub fn extract_each<E: From<Error>>(
        &self,
        windows: &[&Encoding],
        batches: &[Batch],
        mut take: impl FnMut(usize, Vec<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let fair = batches.iter().map(|batch| batch.tokens).sum::<usize>() / self.threads.lanes();
        // One thread would be busy with it when all others are done.
        let together = batches.iter().take_while(|batch| 2 * batch.tokens > 3 * fair).count();
        let inputs = |at: usize| batches[at].rows.iter().map(|&row| windows[row]).collect::<Vec<_>>();
        let compute = |at: usize| self.compute(&inputs(at));
        self.threads.each(batches.len(), together, compute, |at, values| {
            let values = match values {
                // By itself it may have enough.
                Err(Error::OutOfMemory(_)) => self.extract(&inputs(at)),
                values => values,
            };
            take(at, values?)
        })
    }

    /// Divides windows into batches for [`Extractor::extract_each`], of which those that are computed
    /// at a time have at most `batch_tokens` tokens, or a window each.
    pub fn plan(&self, windows: &[&Encoding], batch_tokens: usize) -> Vec<Batch> {
        let (lanes, lengths) = (self.threads.lanes(), windows.iter().map(|window| window.len()));
        batch::plan(&lengths.collect::<Vec<_>>(), (batch_tokens / lanes).max(1), lanes)
    }

    /// The vectors of documents, as [`Encoder::vectors`](crate::Encoder::vectors) gives them; `batch_tokens`
    /// go through the model at a time, and what is there several times goes through it once.
    ///
    /// # Errors
    /// Those of [`Extractor::extract`]; whatever `seen` returns.
    pub fn vectors<E: From<Error>>(
        &self,
        documents: &[Option<Document>],
        batch_tokens: usize,
        mut seen: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<Vec<VectorColumn>, E> {
        let mut assembly = Assembly::new(&self.features, documents.iter().map(Option::as_ref));
        let (windows, places): (Vec<_>, Vec<_>) = windows(documents).into_iter().unzip();
        let batches = self.plan(&windows, batch_tokens);
        self.extract_each(&windows, &batches, |at, values| {
            let members = || batches[at].rows.iter().map(|&member| (windows[member], &places[member]));
            let mut rest = values.as_slice();
            for (window, places) in members() {
                let (own, others) = rest.split_at(self.values_of(window));
                for &(row, index) in places {
                    assembly.add(row, index, own);
                }
                rest = others;
            }
            // A text is done with its first window: the others are few.
            let first = members().flat_map(|(_, places)| places).filter(|(_, index)| *index == 0);
            seen(first.count(), batches[at].tokens)
        })?;
        Ok(assembly.finish())
    }

    /// [`Extractor::extract`] on the threads at hand.
    fn compute(&self, batch: &[&Encoding]) -> Result<Vec<f32>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.memory.extract(batch, self.threads.side_by_side(), &|batch| {
            let compute = || match self.features.unit {
                Unit::Row => self.pooled(batch),
                Unit::Token | Unit::Word | Unit::Span => self.states(batch),
            };
            catch_backend(compute)?
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
        state_width(&self.features)
    }

    /// The hidden states of all tokens.
    fn states(&self, batch: &[&Encoding]) -> Result<Vec<f32>, Error> {
        let planes = self.features.planes();
        let (mut states, mut sum) = (Vec::with_capacity(planes.len()), LayerSum::default());
        self.model.forward(&self.model.input(batch), |layer, hidden| {
            if planes.contains(&Origin::Layer(layer)) {
                states.push(hidden.clone());
            } else if planes.contains(&Origin::Chosen) {
                sum.add(&self.features, layer, hidden);
            }
        });
        states.extend(sum.finish(&self.features));
        to_vec(Tensor::cat(states, 1))
    }

    fn pooled(&self, batch: &[&Encoding]) -> Result<Vec<f32>, Error> {
        let input = self.model.input(batch);
        let blocks = self.counted_blocks(batch, &input.lengths);
        let mut pooled = PooledLayers::new(&self.features, &blocks);
        let mut attentions = HashMap::new();
        let separators = LazyCell::new(|| -> Vec<Tensor<2>> {
            let of_block = |&(block, _): &CountedBlock| {
                of_tokens(batch, block, |place, special| f32::from(place > 0 && special))
            };
            blocks.iter().map(|block| Tensor::from_data(of_block(block), &self.device)).collect()
        });
        let last = self.model.forward(&input, |layer, hidden| {
            pooled.add(layer, hidden);
            if self.features.needs_attention(layer + 1) {
                let weights = self.model.attention_weights(layer + 1, hidden, &input);
                attentions.extend(Self::attention_figures(layer + 1, &weights, &separators));
            }
        });
        let pooler_output = self.model.pooler_output(&last, &input.lengths);
        let columns: Vec<Tensor<2>> = self
            .features
            .columns()
            .iter()
            .map(|column| match column.origin {
                Origin::Pooler => pooler_output.clone().ok_or_else(|| missing("a pooler")),
                Origin::Sentence => {
                    let head = self.sentence.as_ref().ok_or_else(|| missing("modules"))?;
                    Ok(head.forward(&last, &input.lengths))
                }
                Origin::Attention(layer, statistic) => {
                    attentions.get(&(layer, statistic)).cloned().ok_or_else(|| missing("an attention"))
                }
                Origin::Layer(_) | Origin::Chosen => Ok(pooled.column(column)),
            })
            .collect::<Result<_, Error>>()?;
        // One transfer for all columns.
        to_vec(Tensor::cat(columns, 1))
    }

    /// Every figure of a layer's attention, `[rows, heads]` each, from the weights of each block;
    /// `separators` as [`Statistic::of`] takes them.
    fn attention_figures(
        layer: usize,
        weights: &[Tensor<4>],
        separators: &[Tensor<2>],
    ) -> Vec<((usize, Statistic), Tensor<2>)> {
        let figure = |statistic: Statistic| {
            let of_blocks = weights.iter().zip(separators).map(|(weights, them)| statistic.of(weights, them));
            ((layer, statistic), Tensor::cat(of_blocks.collect(), 0))
        };
        Statistic::ALL.into_iter().map(figure).collect()
    }

    /// The blocks of a batch, and which of their tokens count.
    fn counted_blocks(&self, batch: &[&Encoding], lengths: &[usize]) -> Vec<CountedBlock> {
        let counted = |block| {
            let counted = (!self.features.count_special_tokens).then(|| {
                let flags = of_tokens(batch, block, |_, special| !special);
                Tensor::from_data(flags, &self.device)
            });
            (block, counted)
        };
        blocks(lengths).map(counted).collect()
    }
}

/// Values of a token where hidden states are asked for.
fn state_width(features: &Features) -> usize {
    features.planes().len() * features.hidden_size
}

/// Bytes of what is there at a time of a token in a forward pass: a layer's states, and what is asked for of them.
fn token_bytes(config: &Config, features: &Features) -> usize {
    let kept = if features.unit == Unit::Row { 0 } else { 2 * state_width(features) };
    (6 * config.hidden_size + config.intermediate_size + kept) * size_of::<f32>()
}

/// The windows of documents that differ, each with the documents and their windows that it is of: its values do not
/// depend on its company.
fn windows(documents: &[Option<Document>]) -> Vec<(&Encoding, Vec<(usize, usize)>)> {
    let mut numbers: HashMap<&Encoding, usize> = HashMap::new();
    let mut windows: Vec<(&Encoding, Vec<(usize, usize)>)> = Vec::new();
    for (row, document) in documents.iter().enumerate() {
        for (index, window) in document.iter().flat_map(|document| &document.windows).enumerate() {
            let number = *numbers.entry(window).or_insert_with(|| {
                windows.push((window, Vec::new()));
                windows.len() - 1
            });
            windows[number].1.push((row, index));
        }
    }
    windows
}

/// `[rows, len]`: for each token of a block a value that goes by its place in its row and by whether
/// it is special.
fn of_tokens<T: Element>(batch: &[&Encoding], block: Block, value: fn(usize, bool) -> T) -> TensorData {
    let rows = &batch[block.first_row..][..block.rows];
    let of_row = |row: &&Encoding| {
        let special = row.special_tokens_mask.iter().enumerate();
        special.map(|(place, &special)| value(place, special)).collect::<Vec<_>>()
    };
    TensorData::new(rows.iter().flat_map(of_row).collect(), [block.rows, block.len])
}

/// What was asked for was checked before anything was loaded.
fn missing(what: &str) -> Error {
    Error::Backend(format!("{what} that was asked for is not there"))
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    tensor.into_data().try_into_vec().map_err(|e| Error::Backend(format!("{e:?}")))
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
        // As the allocators of CUDA and of the processor say it.
        if ["out of memory", "can't allocate memory"].iter().any(|words| message.contains(words)) {
            Error::OutOfMemory(first_line)
        } else {
            Error::Backend(first_line)
        }
    })
}

#[cfg(all(test, feature = "libtorch"))]
mod tests {
    use super::*;

    #[test]
    fn a_processor_without_memory_is_told_as_such_and_may_have_some_later() {
        let device = DeviceKind::Cpu.open().unwrap();
        let result = catch_backend(|| Tensor::<1>::zeros([1_usize << 46], &device).into_data());
        let Err(error @ Error::OutOfMemory(_)) = result else { panic!("{:?}", result.err()) };
        assert_eq!(error.kind(), crate::ErrorKind::OutOfMemory);
    }
}
