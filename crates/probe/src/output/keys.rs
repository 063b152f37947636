//! Values that are told apart and nothing else: groups, types, classes.

use std::collections::HashMap;

use polars::prelude::DataType;

use super::Output;
use crate::Error;

/// A number for each distinct value of a column.
#[derive(Default)]
pub struct Keys {
    /// The number of each row's value; none where it is null.
    pub of: Vec<Option<u32>>,
    /// The values by their numbers, in the order in which they first stand there.
    pub names: Vec<String>,
}

impl Keys {
    /// The values of a column.
    ///
    /// # Errors
    /// Those of [`Output::each_text`].
    pub fn read(output: &Output, column: &str, option: &str) -> Result<Self, Error> {
        let (mut numbers, mut keys) = (HashMap::new(), Self::default());
        output.each_text(column, option, |text| keys.push(&mut numbers, text))?;
        Ok(keys)
    }

    /// Those of texts.
    pub fn of(texts: impl Iterator<Item = Option<String>>) -> Self {
        let (mut numbers, mut keys) = (HashMap::new(), Self::default());
        texts.for_each(|text| keys.push(&mut numbers, text.as_deref()));
        keys
    }

    /// The first row that has another value there.
    pub fn first_other_than(&self, others: &Self) -> Option<usize> {
        let mut rows = self.of.iter().zip(&others.of);
        rows.position(|(own, other)| {
            own.map(|own| &self.names[own as usize]) != other.map(|other| &others.names[other as usize])
        })
    }

    fn push(&mut self, numbers: &mut HashMap<String, u32>, text: Option<&str>) {
        self.of.push(text.map(|text| match numbers.get(text) {
            Some(&number) => number,
            None => {
                let number = numbers.len() as u32;
                numbers.insert(text.to_owned(), number);
                self.names.push(text.to_owned());
                number
            }
        }));
    }
}

impl Output {
    /// A number for each input row, of each output row that stands for a piece of it.
    ///
    /// # Errors
    /// A part cannot be read.
    pub fn input_rows(&self) -> Result<Vec<u32>, Error> {
        let mut of = Vec::with_capacity(self.rows);
        let mut numbers: HashMap<(usize, u64), u32> = HashMap::new();
        for part in self.parts_of("row") {
            let (_, input, rows) = part?;
            let rows = rows.cast(&DataType::UInt64)?;
            for row in rows.u64()?.iter() {
                let next = numbers.len() as u32;
                of.push(*numbers.entry((input, row.unwrap_or_default())).or_insert(next));
            }
        }
        Ok(of)
    }
}
