//! Figures of attention that can be asked for.

/// A figure of a head's attention, the mean over a text's tokens as they look at the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Statistic {
    /// Of the weights, in nats: 0 where a token looks at one other, `ln n` where at all alike.
    Entropy,
    /// Between a token and what it looks at, in tokens.
    Distance,
    /// The weight on the first token, `[CLS]`.
    Cls,
    /// The weight on the other special tokens, `[SEP]`.
    Sep,
    /// The weight on the token itself.
    Itself,
}

impl Statistic {
    pub(crate) const ALL: [Self; 5] = [Self::Entropy, Self::Distance, Self::Cls, Self::Sep, Self::Itself];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Entropy => "entropy",
            Self::Distance => "distance",
            Self::Cls => "cls",
            Self::Sep => "sep",
            Self::Itself => "self",
        }
    }
}
