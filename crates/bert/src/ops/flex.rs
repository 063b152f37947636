//! burn-flex's tensors, as kernels take and make them.

use std::mem::MaybeUninit;

use burn::tensor::{AllocationProperty, Bytes, TensorData};
use burn_flex::FlexTensor;
use bytemuck::Zeroable;
use strata_kernels::CacheLine;

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
        let bytes = size_of::<E>().checked_mul(count).expect("a tensor that memory can hold");
        let lines = bytes / size_of::<CacheLine>() + 1;
        let mut memory: Vec<CacheLine> = Vec::new();
        // As libtorch does, and not by the end of the process: who computes may go on with fewer rows.
        memory.try_reserve_exact(lines).unwrap_or_else(|error| panic!("can't allocate memory: {error}"));
        let room = &mut memory.spare_capacity_mut()[..lines];
        // What is behind the last value.
        room[lines - 1].write(CacheLine::zeroed());
        // SAFETY: lines are bytes, as many as these values have, and begin where any value may.
        let values = unsafe { std::slice::from_raw_parts_mut(room.as_mut_ptr().cast(), count) };
        assert_eq!(fill(values).len(), count, "all of a tensor was written");
        // SAFETY: there is room for as many; `fill` has given all of the values back as written, and what is behind them
        // was written before.
        unsafe { memory.set_len(lines) };
        let memory = bytes::Bytes::from_owner(Lines(memory)).slice(..bytes);
        let memory = Bytes::from_shared(memory, AllocationProperty::Other);
        Self::from_data(TensorData::from_bytes(memory, shape, E::dtype()))
    }
}

/// Memory of a tensor that begins with a cache line, as kernels are fastest with: burn's own begins where 16 bytes do.
struct Lines(Vec<CacheLine>);

impl AsRef<[u8]> for Lines {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kernels_wrote_begins_with_a_cache_line_and_is_all_there() {
        fn fill(to: &mut [MaybeUninit<f32>]) -> &mut [f32] {
            to.fill(MaybeUninit::new(7.0));
            // SAFETY: they were just written.
            unsafe { to.assume_init_mut() }
        }
        for shape in [[1, 16], [3, 16], [5, 17], [0, 16]] {
            let tensor = FlexTensor::filled::<f32>(&shape, fill);
            let values = tensor.values::<f32>();
            assert_eq!(values, vec![7.0; shape[0] * shape[1]]);
            assert!(values.is_empty() || values.as_ptr().addr().is_multiple_of(size_of::<CacheLine>()));
        }
    }

    #[test]
    fn memory_that_is_not_there_is_a_panic_that_can_be_caught_and_told() {
        let fill =
            || FlexTensor::filled::<f32>(&[1 << 24, 1 << 22], |_| unreachable!("there is no such memory"));
        let panic = std::panic::catch_unwind(fill).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("can't allocate memory"));
    }
}
