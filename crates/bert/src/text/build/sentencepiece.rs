//! A sentencepiece model's file: pieces with their scores, and how texts are normalized.
//!
//! Source: <https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto>

use prost::Message;

use crate::text::tokens::Rules;

#[derive(Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer_spec: Option<NormalizerSpec>,
}

#[derive(Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
}

#[derive(Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
}

/// Kinds of pieces that are found in a text before it is divided: those that control a model, which are special, and
/// those that somebody named.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNIGRAM: i32 = 1;

/// What is taken of a sentencepiece model.
pub(super) struct Pieces {
    /// In the order of their ids.
    pub(super) scores: Vec<(String, f64)>,
    pub(super) unk_id: usize,
    /// The map by which characters are normalized, if there is one.
    pub(super) charsmap: Option<Vec<u8>>,
    pub(super) special: Vec<Rules>,
    /// Whether it was trained as what it is used as here.
    pub(super) is_unigram: bool,
}

impl Pieces {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
        if model.pieces.is_empty() {
            return Err("it is not a sentencepiece model".to_owned());
        }
        let special = |piece: &Piece| {
            let kind = piece.kind.filter(|kind| [CONTROL, USER_DEFINED].contains(kind))?;
            let token = Rules::of(piece.piece.clone().unwrap_or_default(), kind == CONTROL);
            Some(Rules { normalized: Some(false), ..token })
        };
        let special = model.pieces.iter().filter_map(special).collect();
        let scored =
            |piece: Piece| (piece.piece.unwrap_or_default(), f64::from(piece.score.unwrap_or_default()));
        let trainer = model.trainer_spec.unwrap_or_default();
        Ok(Self {
            scores: model.pieces.into_iter().map(scored).collect(),
            unk_id: usize::try_from(trainer.unk_id.unwrap_or_default()).map_err(|error| error.to_string())?,
            charsmap: model
                .normalizer_spec
                .and_then(|spec| spec.precompiled_charsmap)
                .filter(|map| !map.is_empty()),
            special,
            is_unigram: trainer.model_type.unwrap_or(UNIGRAM) == UNIGRAM,
        })
    }
}
