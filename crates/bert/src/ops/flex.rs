//! burn-flex's tensors, as kernels take and make them.

use std::mem::MaybeUninit;

use burn::tensor::TensorData;
use burn_flex::FlexTensor;

use super::kernels::{InMemory, Number};

impl InMemory for FlexTensor {
    fn is_on_processor(&self) -> bool {
        true
    }

    fn contiguous(self) -> Self {
        if self.is_contiguous() { self } else { self.to_contiguous() }
    }

    fn values<E: Number>(&self) -> &[E] {
        self.as_slice().expect("a tensor of its values' type, whose values lie in memory row by row")
    }

    fn filled<E: Number>(shape: &[usize], fill: impl FnOnce(&mut [MaybeUninit<E>]) -> &mut [E]) -> Self {
        let count = shape.iter().product();
        let mut values = Vec::new();
        // As libtorch does, and not by the end of the process: who computes may go on with fewer rows.
        values.try_reserve_exact(count).unwrap_or_else(|error| panic!("can't allocate memory: {error}"));
        assert_eq!(
            fill(&mut values.spare_capacity_mut()[..count]).len(),
            count,
            "all of a tensor was written"
        );
        // SAFETY: there is room for as many, and `fill` has given all of them back as written.
        unsafe { values.set_len(count) };
        Self::from_data(TensorData::new(values, shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_there_is_a_panic_that_can_be_caught_and_told() {
        let fill =
            || FlexTensor::filled::<f32>(&[1 << 24, 1 << 22], |_| unreachable!("there is no such memory"));
        let panic = std::panic::catch_unwind(fill).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("can't allocate memory"));
    }
}
