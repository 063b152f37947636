//! How much the values of a row are.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::{
    ArrowNativeType, BinaryType, BinaryViewType, ByteArrayType, ByteViewType, DataType, LargeBinaryType,
    LargeUtf8Type, StringViewType, Utf8Type,
};

/// The bytes of each row's values, written out: a value that many rows share counts for each of them. It
/// depends on the values alone, not on the arrays that hold them.
pub fn row_bytes(batch: &RecordBatch) -> Vec<usize> {
    let mut rows = vec![0_usize; batch.num_rows()];
    for column in batch.columns() {
        let sizes = sizes(column);
        for (row, bytes) in rows.iter_mut().enumerate() {
            *bytes = bytes.saturating_add(sizes.of(row));
        }
    }
    rows
}

/// The bytes of the values of an array.
enum Sizes {
    Same(usize),
    Each(Vec<usize>),
}

impl Sizes {
    fn of(&self, index: usize) -> usize {
        match self {
            Self::Same(bytes) => *bytes,
            Self::Each(bytes) => bytes[index],
        }
    }

    fn sum(&self, first: usize, count: usize) -> usize {
        match self {
            Self::Same(bytes) => bytes.saturating_mul(count),
            Self::Each(bytes) => {
                bytes[first..first + count].iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
            }
        }
    }
}

/// A value beside its validity and offset.
const SMALL: usize = 8;

fn sizes(array: &ArrayRef) -> Sizes {
    let each = |bytes: &dyn Fn(usize) -> usize| {
        let of = |index| if array.is_valid(index) { bytes(index) } else { 0 };
        Sizes::Each((0..array.len()).map(|index| SMALL + of(index)).collect())
    };
    if let Some(length) = length_of(array) {
        return each(&length);
    }
    match array.data_type() {
        DataType::List(_) => lists(array, array.as_list::<i32>().offsets(), array.as_list::<i32>().values()),
        DataType::LargeList(_) => {
            lists(array, array.as_list::<i64>().offsets(), array.as_list::<i64>().values())
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(maps.entries().clone());
            lists(array, maps.offsets(), &entries)
        }
        DataType::FixedSizeList(_, size) => {
            let (size, values) = (*size as usize, sizes(array.as_fixed_size_list().values()));
            match values {
                Sizes::Same(bytes) => Sizes::Same(bytes.saturating_mul(size)),
                values => each(&|index| values.sum(index * size, size)),
            }
        }
        DataType::Struct(_) => {
            let columns: Vec<Sizes> = array.as_struct().columns().iter().map(sizes).collect();
            each(&|index| columns.iter().fold(0, |sum: usize, sizes| sum.saturating_add(sizes.of(index))))
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let (keys, values) = (dictionary.normalized_keys(), dictionary.values());
            match length_of(values) {
                _ if values.is_empty() => Sizes::Same(SMALL),
                Some(length) => each(&|index| length(keys[index])),
                None => {
                    let values = sizes(values);
                    each(&|index| values.of(keys[index]))
                }
            }
        }
        DataType::FixedSizeBinary(size) => Sizes::Same(usize::try_from(*size).unwrap_or_default()),
        other => Sizes::Same(other.primitive_width().unwrap_or(SMALL)),
    }
}

fn lists<O: OffsetSizeTrait>(array: &ArrayRef, offsets: &[O], values: &ArrayRef) -> Sizes {
    let (first, last) = (offsets[0].as_usize(), offsets[offsets.len() - 1].as_usize());
    let values = sizes(&values.slice(first, last - first));
    let of = |index: usize| match array.is_valid(index) {
        true => {
            values.sum(offsets[index].as_usize() - first, (offsets[index + 1] - offsets[index]).as_usize())
        }
        false => 0,
    };
    Sizes::Each((0..array.len()).map(|index| SMALL + of(index)).collect())
}

/// The lengths of texts and binary values; `None` for other types.
fn length_of(array: &ArrayRef) -> Option<Box<dyn Fn(usize) -> usize + '_>> {
    fn lengths<T: ByteArrayType>(array: &ArrayRef) -> Box<dyn Fn(usize) -> usize + '_> {
        let offsets = array.as_bytes::<T>().offsets();
        Box::new(|index| (offsets[index + 1] - offsets[index]).as_usize())
    }
    fn views<T: ByteViewType>(array: &ArrayRef) -> Box<dyn Fn(usize) -> usize + '_> {
        let views = array.as_byte_view::<T>().views();
        // The low half of a view is the length of its value.
        Box::new(|index| views[index] as u32 as usize)
    }
    Some(match array.data_type() {
        DataType::Utf8 => lengths::<Utf8Type>(array),
        DataType::LargeUtf8 => lengths::<LargeUtf8Type>(array),
        DataType::Binary => lengths::<BinaryType>(array),
        DataType::LargeBinary => lengths::<LargeBinaryType>(array),
        DataType::Utf8View => views::<StringViewType>(array),
        DataType::BinaryView => views::<BinaryViewType>(array),
        _ => return None,
    })
}
