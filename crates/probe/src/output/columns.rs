//! Columns of vectors.

use crate::Error;

/// A column of vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorColumn {
    /// Its name.
    pub name: String,
    /// Values of a vector.
    pub width: usize,
    /// The layer that it is of, if it is of one.
    pub layer: Option<usize>,
    /// What distinguishes it from other columns of the same layer: its pooling.
    pub series: String,
    /// Whether it holds figures about attention, which nobody probes unless they say so.
    is_of_attention: bool,
}

/// Columns of vectors by the names and types of an output's columns.
pub fn vector_columns<'a>(
    names: impl IntoIterator<Item = (&'a str, Option<Vec<usize>>)>,
) -> Vec<VectorColumn> {
    let one = |(name, shape): (&str, Option<Vec<usize>>)| {
        // A stack has several vectors a row.
        let [width] = shape?[..] else { return None };
        let (layer, series) =
            match name.strip_prefix("layer_").map(|rest| rest.split_once('_').unwrap_or((rest, ""))) {
                Some((number, pooling)) if number.parse::<usize>().is_ok() => (number.parse().ok(), pooling),
                _ => (None, name),
            };
        let is_of_attention = layer.is_some() && series.starts_with("attention_");
        Some(VectorColumn { name: name.to_owned(), width, layer, series: series.to_owned(), is_of_attention })
    };
    names.into_iter().filter_map(one).collect()
}

impl super::Output {
    /// The columns that are named, or all that are worth it.
    ///
    /// # Errors
    /// There is no such column of vectors, or none at all.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<VectorColumn>, Error> {
        let known: Vec<&str> = self.vectors.iter().map(|column| column.name.as_str()).collect();
        let hint = || format!("its columns of vectors are {}", known.join(", "));
        if names.is_empty() {
            let worth = self.vectors.iter().filter(|column| !column.is_of_attention);
            let all: Vec<VectorColumn> = worth.cloned().collect();
            if all.is_empty() {
                let shown = self.folder.display();
                return Err(Error::usage(
                    format!("{shown} has no column with one vector a row"),
                    if known.is_empty() {
                        "stacks have several; `--combine none` makes columns of them".to_owned()
                    } else {
                        hint()
                    },
                ));
            }
            return Ok(all);
        }
        let find = |name: &String| {
            let column = self.vectors.iter().find(|column| column.name == *name);
            column.cloned().ok_or_else(|| {
                Error::usage(format!("{} has no column of vectors `{name}`", self.folder.display()), hint())
            })
        };
        let mut chosen: Vec<VectorColumn> = Vec::new();
        for name in names {
            let column = find(name)?;
            if !chosen.contains(&column) {
                chosen.push(column);
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_poolings_are_read_from_names() {
        let of = |name: &str| {
            let column = vector_columns([(name, Some(vec![4]))]).remove(0);
            (column.layer, column.series, column.is_of_attention)
        };
        assert_eq!(of("layer_11_mean"), (Some(11), "mean".to_owned(), false));
        assert_eq!(of("layer_0"), (Some(0), String::new(), false));
        assert_eq!(of("layer_2_first_last"), (Some(2), "first_last".to_owned(), false));
        assert_eq!(of("layer_1_attention_entropy"), (Some(1), "attention_entropy".to_owned(), true));
        assert_eq!(of("layers_1_2_concat_mean"), (None, "layers_1_2_concat_mean".to_owned(), false));
        assert_eq!(of("pooler_output"), (None, "pooler_output".to_owned(), false));
        assert!(vector_columns([("text", None), ("stack", Some(vec![3, 4]))]).is_empty());
    }
}
