//! Which tokenizer a folder means, and what each of them is made of.
//!
//! transformers has a class for every kind of tokenizer. One of them takes `tokenizer.json` as it is; the others take
//! only the vocabulary from it and make normalizer, pre-tokenizer and special tokens anew, from
//! `tokenizer_config.json` and their own defaults. Which class it is follows from `tokenizer_class`, else from
//! `model_type`.
//!
//! Source: `AutoTokenizer` in
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/models/auto/tokenization_auto.py>

use crate::text::json::{Json, Object};

/// A class of tokenizers.
#[derive(Debug, PartialEq)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) make: Make,
    /// The vocabulary that it reads where there is no `tokenizer.json`.
    pub(crate) vocabulary: &'static [&'static str],
    /// What a folder without either is told.
    pub(crate) expected: &'static str,
    /// Whether it gives token types, unless `model_input_names` says otherwise.
    pub(crate) gives_token_types: bool,
    /// Its special tokens, unless a file says otherwise.
    pub(crate) tokens: &'static [(&'static str, &'static str)],
}

/// How a class makes its tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    /// From `tokenizer.json`, as that says.
    AsStored,
    Bert,
    MpNet,
    Roberta,
    XlmRoberta,
    Camembert,
    Albert,
    DebertaV2,
    Herbert,
}

const BERT: Class = Class {
    name: "BertTokenizer",
    make: Make::Bert,
    vocabulary: &["vocab.txt"],
    expected: "tokenizer.json, nor vocab.txt",
    gives_token_types: true,
    tokens: &[
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ],
};

const ROBERTA: Class = Class {
    name: "RobertaTokenizer",
    make: Make::Roberta,
    vocabulary: &["vocab.json", "merges.txt"],
    expected: "tokenizer.json, nor vocab.json with merges.txt",
    gives_token_types: false,
    tokens: &[
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("unk_token", "<unk>"),
        ("sep_token", "</s>"),
        ("pad_token", "<pad>"),
        ("cls_token", "<s>"),
        ("mask_token", "<mask>"),
    ],
};

static CLASSES: [Class; 10] = [
    Class {
        name: AS_STORED,
        make: Make::AsStored,
        vocabulary: &[],
        expected: "tokenizer.json",
        tokens: &[],
        ..ROBERTA
    },
    BERT,
    Class { name: "DistilBertTokenizer", gives_token_types: false, ..BERT },
    Class {
        name: "MPNetTokenizer",
        make: Make::MpNet,
        vocabulary: BERT.vocabulary,
        expected: BERT.expected,
        tokens: &[
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("unk_token", "[UNK]"),
            ("sep_token", "</s>"),
            ("pad_token", "<pad>"),
            ("cls_token", "<s>"),
            ("mask_token", "<mask>"),
        ],
        ..ROBERTA
    },
    ROBERTA,
    Class {
        name: "XLMRobertaTokenizer",
        make: Make::XlmRoberta,
        vocabulary: &["sentencepiece.bpe.model"],
        expected: "tokenizer.json, nor sentencepiece.bpe.model",
        ..ROBERTA
    },
    Class {
        name: "CamembertTokenizer",
        make: Make::Camembert,
        vocabulary: &["sentencepiece.bpe.model"],
        expected: "tokenizer.json, nor sentencepiece.bpe.model",
        ..ROBERTA
    },
    Class {
        name: "HerbertTokenizer",
        make: Make::Herbert,
        tokens: &[
            ("unk_token", "<unk>"),
            ("sep_token", "</s>"),
            ("pad_token", "<pad>"),
            ("cls_token", "<s>"),
            ("mask_token", "<mask>"),
        ],
        ..ROBERTA
    },
    Class {
        name: "AlbertTokenizer",
        make: Make::Albert,
        vocabulary: &["spiece.model"],
        expected: "tokenizer.json, nor spiece.model",
        gives_token_types: false,
        tokens: &[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "<unk>"),
            ("sep_token", "[SEP]"),
            ("pad_token", "<pad>"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ],
    },
    Class {
        name: "DebertaV2Tokenizer",
        make: Make::DebertaV2,
        vocabulary: &["spm.model"],
        expected: "tokenizer.json, nor spm.model",
        gives_token_types: true,
        tokens: &[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "[UNK]"),
            ("sep_token", "[SEP]"),
            ("pad_token", "[PAD]"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ],
    },
];

/// Other names of classes, without `Fast` at their end, which never means anything.
const SAME: [(&str, &str); 12] = [
    ("ElectraTokenizer", "BertTokenizer"),
    ("LayoutLMTokenizer", "BertTokenizer"),
    ("LxmertTokenizer", "BertTokenizer"),
    ("MobileBertTokenizer", "BertTokenizer"),
    ("SqueezeBertTokenizer", "BertTokenizer"),
    ("BartTokenizer", "RobertaTokenizer"),
    ("LEDTokenizer", "RobertaTokenizer"),
    ("LongformerTokenizer", "RobertaTokenizer"),
    ("MvpTokenizer", "RobertaTokenizer"),
    ("PreTrainedTokenizer", AS_STORED),
    ("PythonBackend", AS_STORED),
    ("BloomTokenizer", AS_STORED),
];

/// The class of a `model_type` where no file names one, or names one that nobody knows.
const BY_MODEL_TYPE: [(&str, &str); 12] = [
    ("albert", "AlbertTokenizer"),
    ("bert", "BertTokenizer"),
    ("camembert", "CamembertTokenizer"),
    ("deberta-v2", "DebertaV2Tokenizer"),
    ("distilbert", "BertTokenizer"),
    ("electra", "BertTokenizer"),
    ("gte", "XLMRobertaTokenizer"),
    ("modernbert", AS_STORED),
    ("mpnet", "MPNetTokenizer"),
    ("nomic_bert", "BertTokenizer"),
    ("roberta", "RobertaTokenizer"),
    ("xlm-roberta", "XLMRobertaTokenizer"),
];

/// Models in whose folders a class is so often the wrong one that transformers does not look at it.
const MISTAKEN: [&str; 2] = ["modernbert", "camembertv2-base"];

const AS_STORED: &str = "TokenizersBackend";

/// Classes of transformers that are programs in Python, which no `tokenizer.json` describes.
const PYTHON: &[&str] = &[
    "BartphoTokenizer",
    "BertGenerationTokenizer",
    "BertJapaneseTokenizer",
    "BertTokenizerLegacy",
    "BertweetTokenizer",
    "BioGptTokenizer",
    "BlenderbotSmallTokenizer",
    "ByT5Tokenizer",
    "CTRLTokenizer",
    "CanineTokenizer",
    "ClvpTokenizer",
    "CpmAntTokenizer",
    "CpmTokenizer",
    "DiaTokenizer",
    "EsmTokenizer",
    "FSMTTokenizer",
    "FastSpeech2ConformerTokenizer",
    "FlaubertTokenizer",
    "GPTNeoXJapaneseTokenizer",
    "GPTSw3Tokenizer",
    "M2M100Tokenizer",
    "MarianTokenizer",
    "MgpstrTokenizer",
    "MyT5Tokenizer",
    "PLBartTokenizer",
    "PerceiverTokenizer",
    "PhobertTokenizer",
    "Pop2PianoTokenizer",
    "ProphetNetTokenizer",
    "RagTokenizer",
    "RoCBertTokenizer",
    "SentencePieceBackend",
    "SiglipTokenizer",
    "Speech2TextTokenizer",
    "SpeechT5Tokenizer",
    "TapasTokenizer",
    "VitsTokenizer",
    "Wav2Vec2CTCTokenizer",
    "Wav2Vec2PhonemeCTCTokenizer",
    "XLMTokenizer",
];

/// Classes of transformers that make something of their files which is not made here.
const NOT_MADE: &[&str] = &[
    "BarthezTokenizer",
    "BigBirdTokenizer",
    "BlenderbotTokenizer",
    "CLIPTokenizer",
    "CodeGenTokenizer",
    "CodeLlamaTokenizer",
    "CohereTokenizer",
    "ConvBertTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRReaderTokenizer",
    "DebertaTokenizer",
    "EsmcTokenizer",
    "FNetTokenizer",
    "FunnelTokenizer",
    "GPT2Tokenizer",
    "GPTNeoXTokenizer",
    "GemmaTokenizer",
    "LasrTokenizer",
    "LayoutLMv2Tokenizer",
    "LayoutLMv3Tokenizer",
    "LayoutXLMTokenizer",
    "LlamaTokenizer",
    "LukeTokenizer",
    "MBart50Tokenizer",
    "MBartTokenizer",
    "MLukeTokenizer",
    "MarkupLMTokenizer",
    "MistralCommonBackend",
    "NllbTokenizer",
    "NougatTokenizer",
    "OpenAIGPTTokenizer",
    "ParakeetTokenizer",
    "PegasusTokenizer",
    "Phi3Tokenizer",
    "Qwen2Tokenizer",
    "Qwen3_5Tokenizer",
    "ReformerTokenizer",
    "RemBertTokenizer",
    "RoFormerTokenizer",
    "SeamlessM4TTokenizer",
    "Siglip2Tokenizer",
    "SplinterTokenizer",
    "T5Tokenizer",
    "Tipsv2Tokenizer",
    "UdopTokenizer",
    "VideoPrismTokenizer",
    "WhisperTokenizer",
    "XGLMTokenizer",
    "XLNetTokenizer",
];

/// Why a class is none of those here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Python(String),
    NotMade(String),
}

impl Class {
    /// The class that `tokenizer_config.json` and `config.json` mean for a model of `model_type`.
    pub(crate) fn of(model_type: &str, tokenizer: &Object, model: &Object) -> Result<&'static Self, Refused> {
        let text_of = |object: &Object, key: &str| object.get(key).and_then(Json::as_str).map(str::to_owned);
        let by_model = BY_MODEL_TYPE.iter().find(|(name, _)| *name == model_type).map(|&(_, class)| class);
        let mistaken = |name: &str| MISTAKEN.contains(&name);
        if mistaken(model_type) || text_of(model, "model_name").is_some_and(|name| mistaken(&name)) {
            return Self::named(by_model.unwrap_or(AS_STORED));
        }
        let named = |object| text_of(object, "tokenizer_class").filter(|name| !name.is_empty());
        let Some(name) = named(tokenizer).or_else(|| named(model)) else {
            return Self::named(by_model.unwrap_or(AS_STORED));
        };
        let class = Self::named(name.strip_suffix("Fast").unwrap_or(&name))?;
        // transformers runs such a program if it is told to, and else takes `tokenizer.json`, but only where it
        // knows the model.
        let own_program =
            tokenizer.get("auto_map").is_some() && by_model.is_none() && class.make == Make::AsStored;
        if own_program { Err(Refused::Python(name)) } else { Ok(class) }
    }

    /// Whether its vocabulary is a sentencepiece model.
    pub(crate) fn reads_pieces(&self) -> bool {
        self.vocabulary.iter().any(|name| name.ends_with(".model"))
    }

    /// The text of a special token where no file says otherwise.
    pub(crate) fn token(&self, role: &str) -> Option<&'static str> {
        self.tokens.iter().find(|(name, _)| *name == role).map(|&(_, text)| text)
    }

    /// A name that nobody knows stands for somebody's own class, whose `tokenizer.json` is taken as it is.
    fn named(name: &str) -> Result<&'static Self, Refused> {
        if PYTHON.contains(&name) {
            return Err(Refused::Python(name.to_owned()));
        }
        if NOT_MADE.contains(&name) {
            return Err(Refused::NotMade(name.to_owned()));
        }
        let name = SAME.iter().find(|(other, _)| *other == name).map_or(name, |&(_, own)| own);
        Ok(CLASSES.iter().find(|class| class.name == name).unwrap_or(&CLASSES[0]))
    }
}
