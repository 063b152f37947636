//! Overlapping windows over a long text: where they lie, and which of them knows a token best.

use std::ops::Range;

/// Windows over the tokens of a text, special ones left out: each as wide as the model allows, and
/// `stride` tokens into its neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Tokens of the whole text.
    pub(crate) tokens: usize,
    /// Tokens of a window.
    pub(crate) width: usize,
    /// Tokens that neighbours share.
    pub(crate) stride: usize,
    /// Whether the last window is the full one they are counted from, and the first has what is left.
    pub(crate) from_end: bool,
}

impl Windows {
    pub(crate) fn count(self) -> usize {
        1 + self.tokens.saturating_sub(self.width).div_ceil(self.step())
    }

    /// The tokens of the text that a window holds.
    pub(crate) fn tokens_of(self, window: usize) -> Range<usize> {
        if self.from_end {
            return self.mirrored(self.counted_from_start().tokens_of(self.count() - 1 - window));
        }
        let start = window * self.step();
        start..self.tokens.min(start + self.width)
    }

    /// A window that holds a token: the one nearest to where they are counted from.
    pub(crate) fn holding(self, token: usize) -> usize {
        if self.from_end {
            return self.count() - 1 - self.counted_from_start().holding(self.tokens - 1 - token);
        }
        (token / self.step()).min(self.count() - 1)
    }

    /// Of the windows that hold `piece` whole the one with most context on its poorer side, of equals the nearest to
    /// where they are counted from; the ends of the text want no context. `None` if no window holds it whole.
    pub(crate) fn best_for(self, piece: &Range<usize>) -> Option<usize> {
        if self.from_end {
            let best = self.counted_from_start().best_for(&self.mirrored(piece.clone()))?;
            return Some(self.count() - 1 - best);
        }
        let last = (piece.start / self.step()).min(self.count() - 1);
        let first = piece.end.saturating_sub(self.width).div_ceil(self.step());
        let context = |window: &usize| {
            let held = self.tokens_of(*window);
            let before = if held.start == 0 { usize::MAX } else { piece.start - held.start };
            let after = if held.end == self.tokens { usize::MAX } else { held.end - piece.end };
            before.min(after)
        };
        // The last of the largest in reverse is the first.
        (first..=last).rev().max_by_key(context)
    }

    /// The same over the tokens from the last to the first.
    fn counted_from_start(self) -> Self {
        Self { from_end: false, ..self }
    }

    fn mirrored(self, tokens: Range<usize>) -> Range<usize> {
        self.tokens - tokens.end..self.tokens - tokens.start
    }

    fn step(self) -> usize {
        self.width - self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows() -> impl Strategy<Value = Windows> {
        (0usize..300, 1usize..40, any::<bool>()).prop_flat_map(|(tokens, width, from_end)| {
            (0..width).prop_map(move |stride| Windows { tokens, width, stride, from_end })
        })
    }

    proptest! {
        #[test]
        fn every_token_is_in_a_window_and_no_window_is_needless(windows in windows()) {
            let ranges: Vec<_> = (0..windows.count()).map(|window| windows.tokens_of(window)).collect();
            prop_assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, windows.tokens));
            for pair in ranges.windows(2) {
                prop_assert_eq!(pair[usize::from(windows.from_end)].len(), windows.width);
                prop_assert_eq!(pair[0].end - pair[1].start, windows.stride);
                prop_assert!(pair[1].end > pair[0].end && pair[1].start > pair[0].start);
            }
            for token in 0..windows.tokens {
                prop_assert!(ranges[windows.holding(token)].contains(&token));
            }
        }

        #[test]
        fn the_best_window_holds_the_piece_and_none_has_more_context(
            windows in windows(),
            (start, len) in (0usize..300, 1usize..50),
        ) {
            prop_assume!(start + len <= windows.tokens);
            let piece = start..start + len;
            let context = |held: &Range<usize>| {
                let before = if held.start == 0 { usize::MAX } else { piece.start - held.start };
                before.min(if held.end == windows.tokens { usize::MAX } else { held.end - piece.end })
            };
            let holding: Vec<usize> = (0..windows.count())
                .filter(|&window| {
                    let held = windows.tokens_of(window);
                    held.start <= piece.start && piece.end <= held.end
                })
                .collect();
            let best = windows.best_for(&piece);
            prop_assert_eq!(best.is_some(), !holding.is_empty());
            if let Some(best) = best {
                prop_assert!(holding.contains(&best));
                for window in holding {
                    let (own, other) = (context(&windows.tokens_of(best)), context(&windows.tokens_of(window)));
                    let nearer = if windows.from_end { best >= window } else { best <= window };
                    prop_assert!(own > other || own == other && nearer);
                }
            }
        }
    }
}
