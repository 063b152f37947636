//! From texts to columns of vectors in one call.

use crate::{
    Checkpoint, Compute, DeviceKind, Document, Error, Extractor, FeatureRequest, Features, TextInput,
    TextTokenizer, TokenizerOptions, VectorColumn,
};

/// A model that is ready to turn texts into vectors.
pub struct Encoder {
    tokenizer: TextTokenizer,
    extractor: Extractor,
    batch_tokens: usize,
}

impl Encoder {
    /// An encoder of the model in `checkpoint`, which gives the mean of the last layer's tokens, in
    /// float32 on the processor, until something else is said.
    pub fn builder(checkpoint: &Checkpoint) -> EncoderBuilder<'_> {
        EncoderBuilder {
            checkpoint,
            features: FeatureRequest::default(),
            tokenizer: TokenizerOptions::default(),
            device: DeviceKind::Cpu,
            compute: Compute::Float32,
            threads: None,
            batch_tokens: None,
        }
    }

    /// Puts a tokenizer and an extractor of one model together; `batch_tokens` go through it at a time.
    pub fn new(tokenizer: TextTokenizer, extractor: Extractor, batch_tokens: usize) -> Self {
        Self { tokenizer, extractor, batch_tokens }
    }

    /// The columns that it gives.
    pub fn features(&self) -> &Features {
        self.extractor.features()
    }

    /// What makes documents of texts.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// The vectors of some texts: the columns in the order of [`Features::columns`], each with a row for
    /// every text, or for every token, word or span of them.
    ///
    /// # Errors
    /// A text cannot be tokenized; the device has no memory for a single text, or fails.
    pub fn encode(&self, texts: &[TextInput<'_>]) -> Result<Vec<VectorColumn>, Error> {
        let documents: Vec<_> =
            self.install(|| self.tokenizer.encode(texts))?.into_iter().map(Some).collect();
        self.vectors(&documents, |_, _| Ok(()))
    }

    /// Does `work`, which may be divided by rayon, on the encoder's own threads.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.extractor.install(work)
    }

    /// The vectors of documents; a missing one is a row without vectors, or no row at all where rows are
    /// tokens, words or spans. After every batch `seen` is told of how many documents the first window
    /// was in it, and how many tokens; its error ends the work.
    ///
    /// # Errors
    /// The device has no memory for a single text, or fails; whatever `seen` returns.
    pub fn vectors<E: From<Error>>(
        &self,
        documents: &[Option<Document>],
        seen: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<Vec<VectorColumn>, E> {
        self.extractor.vectors(documents, self.batch_tokens, seen)
    }
}

/// What an [`Encoder`] is to be.
#[derive(Debug, Clone)]
pub struct EncoderBuilder<'a> {
    checkpoint: &'a Checkpoint,
    features: FeatureRequest,
    tokenizer: TokenizerOptions,
    device: DeviceKind,
    compute: Compute,
    threads: Option<usize>,
    batch_tokens: Option<usize>,
}

impl EncoderBuilder<'_> {
    /// Which layers, pooled and combined how. What a row stands for follows from how texts are divided
    /// ([`TokenizerOptions::division`]).
    #[must_use]
    pub fn features(self, features: FeatureRequest) -> Self {
        Self { features, ..self }
    }

    /// How texts are cut and divided.
    #[must_use]
    pub fn tokenizer(self, tokenizer: TokenizerOptions) -> Self {
        Self { tokenizer, ..self }
    }

    /// Where it runs.
    #[must_use]
    pub fn device(self, device: DeviceKind) -> Self {
        Self { device, ..self }
    }

    /// The type of the matrix products.
    #[must_use]
    pub fn compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// How many threads of the processor it computes on; all if nothing is said.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// How many tokens go through the model at a time; what suits the device if nothing is said.
    #[must_use]
    pub fn batch_tokens(self, batch_tokens: usize) -> Self {
        Self { batch_tokens: Some(batch_tokens), ..self }
    }

    /// Loads the layers that are needed.
    ///
    /// # Errors
    /// The request does not fit the model; its files cannot be read, or the device not be used.
    pub fn build(self) -> Result<Encoder, Error> {
        let Self { checkpoint, mut features, tokenizer: options, device, compute, threads, batch_tokens } =
            self;
        features.unit = options.division.unit();
        let tokenizer = TextTokenizer::load(checkpoint, &options)?;
        if let Some(sentence) = &mut features.sentence {
            sentence.prefix_tokens = tokenizer.prefix_tokens();
        }
        let features = Features::resolve(&features, &checkpoint.config)?;
        let extractor = Extractor::load(checkpoint, features, device, compute, threads)?;
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let batch_tokens = batch_tokens.unwrap_or_else(|| device.batch_tokens(threads));
        Ok(Encoder::new(tokenizer, extractor, batch_tokens))
    }
}
