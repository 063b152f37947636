//! A column of vectors in memory: rows in blocks, each of which is a tensor.

use std::ops::Range;

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use rayon::prelude::*;

/// Rows of a block: products of it stay in cache.
const BLOCK_ROWS: usize = 1024;
/// Sums over rows are sums of so many sums at most, whatever the number of threads, so that each result has the same
/// bits with any; and of fewer where they are wide.
const SUMS: usize = 32;
const SUM_BYTES: usize = 256 << 20;

/// Rows that are filled one by one.
pub struct Rows {
    blocks: Vec<Vec<f32>>,
    width: usize,
}

impl Rows {
    /// Rows of zeros.
    pub fn new(rows: usize, width: usize) -> Self {
        let block = |first: usize| vec![0.0; BLOCK_ROWS.min(rows - first) * width];
        Self { blocks: (0..rows).step_by(BLOCK_ROWS).map(block).collect(), width }
    }

    /// A row.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.blocks[row / BLOCK_ROWS][row % BLOCK_ROWS * self.width..][..self.width]
    }

    /// Some of the rows alone, one range after the other.
    pub fn only(&self, ranges: &[Range<usize>]) -> Self {
        let mut some = Self::new(ranges.iter().map(Range::len).sum(), self.width);
        for (to, from) in ranges.iter().cloned().flatten().enumerate() {
            let row = &self.blocks[from / BLOCK_ROWS][from % BLOCK_ROWS * self.width..][..self.width];
            some.row_mut(to).copy_from_slice(row);
        }
        some
    }

    /// Brings each place of the vectors to mean 0 and standard deviation 1 over the rows `known`; one that is the
    /// same in all of them to 0.
    pub fn standardize(mut self, known: Range<usize>) -> Matrix {
        let (width, blocks) = (self.width, pieces(&known));
        let sum = |of: &(dyn Fn(usize, f64) -> f64 + Sync)| {
            let one = |(block, rows): &(usize, Range<usize>)| {
                let mut sums = vec![0.0; width];
                for row in self.blocks[*block][rows.start * width..rows.end * width].chunks_exact(width) {
                    for (place, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
                        *sum += of(place, f64::from(value));
                    }
                }
                sums
            };
            total(&blocks, width, one)
        };
        let count = known.len().max(1) as f64;
        let means: Vec<f64> = sum(&|_, value| value).into_iter().map(|sum| sum / count).collect();
        let variances = sum(&|place, value| (value - means[place]).powi(2));
        let deviations: Vec<f64> = variances.into_iter().map(|sum| (sum / count).sqrt()).collect();
        let largest = deviations.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let scale = |(deviation, mean): (f64, &f64)| {
            // What rounding leaves of a constant is no variation, nor is what is nothing beside all others.
            let is_some = deviation > 1e-7 * mean.abs() && deviation > 1e-9 * largest;
            if is_some { deviation } else { f64::INFINITY }
        };
        let scales: Vec<f64> = deviations.into_iter().zip(&means).map(scale).collect();
        self.blocks.par_iter_mut().for_each(|block| {
            for row in block.chunks_exact_mut(width) {
                for ((value, mean), scale) in row.iter_mut().zip(&means).zip(&scales) {
                    *value = ((f64::from(*value) - mean) / scale) as f32;
                }
            }
        });
        self.into_matrix()
    }

    /// The rows as they are.
    pub fn into_matrix(self) -> Matrix {
        let Self { blocks, width } = self;
        let device = Device::flex();
        let tensor = |values: Vec<f32>| {
            let shape = [values.len() / width.max(1), width];
            Tensor::from_data(TensorData::new(values, shape), &device)
        };
        Matrix { blocks: blocks.into_iter().map(tensor).collect(), width }
    }
}

/// Rows of vectors.
pub struct Matrix {
    blocks: Vec<Tensor<2>>,
    width: usize,
}

/// Neighbouring rows of a matrix.
pub struct Block {
    /// The place of the first among the rows that were asked for.
    pub first: usize,
    /// The number of rows.
    pub rows: usize,
    /// The rows.
    pub values: Tensor<2>,
}

impl Matrix {
    /// The length of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The same vectors by their places on `axes`, which may be others than they have.
    pub fn along(self, axes: &Tensor<2>) -> Self {
        let rotate = |block: Tensor<2>| block.matmul(axes.clone());
        Self { blocks: self.blocks.into_par_iter().map(rotate).collect(), width: axes.dims()[1] }
    }

    /// Some rows, block by block.
    pub fn blocks(&self, rows: Range<usize>) -> Vec<Block> {
        pieces(&rows).iter().map(|piece| self.block(piece, rows.start)).collect()
    }

    /// What `of` says of each block of some rows, in order.
    pub fn map<T: Send>(&self, rows: Range<usize>, of: impl Fn(Block) -> T + Sync) -> Vec<T> {
        let first = rows.start;
        let pieces = pieces(&rows);
        pieces.par_iter().map(|piece| of(self.block(piece, first))).collect()
    }

    /// The sum of what `of` says of each block of some rows, `width` numbers.
    pub fn sum(&self, rows: Range<usize>, width: usize, of: impl Fn(Block) -> Vec<f64> + Sync) -> Vec<f64> {
        let first = rows.start;
        total(&pieces(&rows), width, |piece| of(self.block(piece, first)))
    }

    /// The products of each two places, summed over some rows: row-major, `width` × `width`.
    pub fn gram(&self, rows: Range<usize>, dtype: FloatDType) -> Vec<f64> {
        self.sum(rows, self.width * self.width, |block| {
            let values = block.values.cast(dtype);
            numbers(values.clone().transpose().matmul(values))
        })
    }

    fn block(&self, (block, rows): &(usize, Range<usize>), first: usize) -> Block {
        let values = self.blocks[*block].clone();
        let [all, _] = values.dims();
        let values = if rows.len() == all { values } else { values.narrow(0, rows.start, rows.len()) };
        Block { first: block * BLOCK_ROWS + rows.start - first, rows: rows.len(), values }
    }
}

/// The numbers of a tensor, row-major.
pub fn numbers(tensor: Tensor<2>) -> Vec<f64> {
    let data = tensor.into_data();
    match data.dtype() {
        DType::F64 => data.try_to_vec::<f64>().unwrap_or_default(),
        _ => data.iter::<f64>().collect(),
    }
}

/// A small tensor of a row-major matrix.
pub fn tensor(values: &[f64], shape: [usize; 2], dtype: FloatDType) -> Tensor<2> {
    let device = Device::flex();
    match dtype {
        FloatDType::F64 => Tensor::from_data(TensorData::new(values.to_vec(), shape), (&device, DType::F64)),
        _ => {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Tensor::from_data(TensorData::new(values, shape), &device)
        }
    }
}

/// Blocks that hold some rows, and which of their rows.
fn pieces(rows: &Range<usize>) -> Vec<(usize, Range<usize>)> {
    let blocks = rows.start / BLOCK_ROWS..rows.end.div_ceil(BLOCK_ROWS);
    let of = |block: usize| {
        let first = block * BLOCK_ROWS;
        (block, rows.start.max(first) - first..rows.end.min(first + BLOCK_ROWS) - first)
    };
    blocks.map(of).filter(|(_, rows)| !rows.is_empty()).collect()
}

fn total<P: Sync>(pieces: &[P], width: usize, of: impl Fn(&P) -> Vec<f64> + Sync) -> Vec<f64> {
    let add = |mut sums: Vec<f64>, more: Vec<f64>| {
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        sums
    };
    let sums = (SUM_BYTES / (8 * width.max(1))).clamp(2, SUMS);
    let chunk = pieces.len().div_ceil(sums).max(1);
    let sums: Vec<Vec<f64>> = pieces
        .par_chunks(chunk)
        .map(|pieces| pieces.iter().fold(vec![0.0; width], |sums, piece| add(sums, of(piece))))
        .collect();
    sums.into_iter().fold(vec![0.0; width], add)
}
