//! Bytes and characters of a text.

use std::ops::Range;

/// Turns ranges of a text's bytes into ranges of its characters (Unicode scalar values, as Python
/// counts them), and back.
pub(crate) struct Characters {
    /// The number of the character that each byte belongs to, and the number of all at the end;
    /// absent where every character is one byte.
    of_byte: Option<Vec<u32>>,
}

impl Characters {
    pub(crate) fn of(text: &str) -> Self {
        let of_byte = (!text.is_ascii()).then(|| {
            let lengths = text.chars().enumerate();
            let mut of_byte: Vec<u32> = Vec::with_capacity(text.len() + 1);
            lengths.for_each(|(number, c)| of_byte.extend(std::iter::repeat_n(number as u32, c.len_utf8())));
            of_byte.push(of_byte.last().map_or(0, |last| last + 1));
            of_byte
        });
        Self { of_byte }
    }

    pub(crate) fn of_bytes(&self, bytes: Range<usize>) -> Range<u32> {
        match &self.of_byte {
            None => bytes.start as u32..bytes.end as u32,
            Some(of_byte) => of_byte[bytes.start]..of_byte[bytes.end],
        }
    }

    pub(crate) fn to_bytes(&self, characters: &Range<u32>) -> Range<usize> {
        match &self.of_byte {
            None => characters.start as usize..characters.end as usize,
            Some(of_byte) => {
                let first_byte = |character: u32| of_byte.partition_point(|&of| of < character);
                first_byte(characters.start)..first_byte(characters.end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn characters_and_bytes_name_the_same_text(text in ".{0,40}", ends in (0usize..41, 0usize..41)) {
            let count = text.chars().count();
            let (start, end) = (ends.0.min(ends.1).min(count), ends.0.max(ends.1).min(count));
            let characters = Characters::of(&text);
            let bytes = characters.to_bytes(&(start as u32..end as u32));
            let expected: String = text.chars().skip(start).take(end - start).collect();
            prop_assert_eq!(&text[bytes.clone()], expected);
            prop_assert_eq!(characters.of_bytes(bytes), start as u32..end as u32);
        }
    }
}
