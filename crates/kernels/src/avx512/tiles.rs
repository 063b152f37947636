//! The small matrix product of bfloat16 in tile registers (AMX).

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::LazyLock;

use half::bf16;

use crate::ahead::{Ahead, Lines};
use crate::product::Product;

/// Rows of a tile, and its columns of four bytes.
const SIDE: usize = 16;
/// Inputs that a tile of `a` has: two bfloat16 in four bytes.
const DEPTH: usize = 2 * SIDE;
/// Lines that are fetched ahead with each tile of `a`.
const FETCHED: usize = 4;

/// Whether the processor has tile registers for bfloat16, and the kernel lets this process use them.
pub(super) fn are_usable() -> bool {
    static ARE_USABLE: LazyLock<bool> = LazyLock::new(|| {
        const AMX_BF16: u32 = 1 << 22;
        const AMX_TILE: u32 = 1 << 24;
        let has = |bits: u32| __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & bits == bits;
        has(AMX_BF16 | AMX_TILE) && is_permitted()
    });
    *ARE_USABLE
}

/// Asks for the tiles' place in what the kernel saves of a thread, for all threads.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What is in use of the registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Rows of the upper tiles of sums, and of the lower.
    rows: [usize; 2],
    /// Inputs of a tile of `a`.
    depth: usize,
}

/// The tile registers of this thread, as long as it is there. It is made only where they
/// [`are_usable`].
#[derive(Default)]
pub(crate) struct Tiles(Option<Shape>);

impl Drop for Tiles {
    fn drop(&mut self) {
        if self.0.is_some() {
            // SAFETY: the registers are there, and nothing is in them any more.
            unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
        }
    }
}

impl Tiles {
    /// `c = a · b`; rows 2i and 2i+1 of `b` lie interleaved.
    ///
    /// # Safety
    /// The pointers reach as far as `size` says, and its sizes are such as it wants.
    pub(super) unsafe fn multiply(
        &mut self,
        size: Product,
        ahead: &mut Ahead,
        a: *const bf16,
        b: *const bf16,
        c: *mut f32,
    ) {
        let even = size.k / DEPTH * DEPTH;
        // SAFETY: as promised to this function; the rest of the inputs, if there is any, by itself.
        unsafe {
            self.multiply_by(DEPTH, Product { k: even, ..size }, ahead, a, b, c);
            if even < size.k {
                let (a, b) = (a.add(even), b.add(even * size.ldb));
                let rest = size.k - even;
                self.multiply_by(rest, Product { k: rest, adds: true, ..size }, ahead, a, b, c);
            }
        }
    }

    /// A product whose inputs are a multiple of `depth`.
    ///
    /// # Safety
    /// As for [`Tiles::multiply`].
    unsafe fn multiply_by(
        &mut self,
        depth: usize,
        size: Product,
        ahead: &mut Ahead,
        a: *const bf16,
        b: *const bf16,
        c: *mut f32,
    ) {
        for row in (0..size.m).step_by(2 * SIDE) {
            let rows = size.m - row;
            let (upper, lower) = (SIDE.min(rows), rows.saturating_sub(SIDE).min(SIDE));
            // A lower tile without rows is not used; it may have as many as the upper.
            self.shape(Shape { rows: [upper, if lower == 0 { upper } else { lower }], depth });
            for column in (0..size.n).step_by(2 * SIDE) {
                let block = match (lower > 0, size.n - column > SIDE) {
                    (false, false) => block::<false, false>,
                    (false, true) => block::<false, true>,
                    (true, false) => block::<true, false>,
                    (true, true) => block::<true, true>,
                };
                let lines = ahead.take(size.k / depth * FETCHED);
                // SAFETY: as promised to this function; the registers have their shape.
                unsafe {
                    let (a, b) = (a.add(row * size.lda), b.add(2 * column));
                    block(&size, depth, lines, a, b, c.add(row * size.ldc + column));
                }
            }
        }
    }

    /// Gives the registers their shape, which takes a while, so only if it is another.
    fn shape(&mut self, shape: Shape) {
        /// As the instruction reads it.
        #[repr(C)]
        struct Configuration {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        if self.0.replace(shape) == Some(shape) {
            return;
        }
        let [upper, lower] = shape.rows.map(|rows| rows as u8);
        let (units, of_units) = (shape.depth as u8 / 2, 2 * shape.depth as u16);
        let all = 4 * SIDE as u16;
        let configuration = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [all, all, all, all, of_units, of_units, all, all, 0, 0, 0, 0, 0, 0, 0, 0],
            rows: [upper, upper, lower, lower, upper, lower, units, units, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        // SAFETY: the registers are there; the instruction reads 64 bytes.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &configuration, options(readonly, nostack, preserves_flags))
        };
    }
}

/// Up to 32 rows and columns of sums: those of 16 in tile 0, right of them in 1, below in 2 and 3. Each
/// tile of `a`, 4 and 5, and of `b`, 6 and 7, is multiplied with two.
///
/// # Safety
/// As for [`Tiles::multiply`]; the tiles have their shape.
unsafe fn block<const LOWER: bool, const RIGHT: bool>(
    size: &Product,
    depth: usize,
    mut lines: Lines<1>,
    a: *const bf16,
    b: *const bf16,
    c: *mut f32,
) {
    let [lda, ldb, ldc] = [2 * size.lda, 4 * size.ldb, 4 * size.ldc];
    // SAFETY: as promised to this function.
    unsafe {
        let (right, below) = (c.add(SIDE), c.add(SIDE * size.ldc));
        let both = below.add(SIDE);
        begin::<0>(size.adds, c, ldc);
        if RIGHT {
            begin::<1>(size.adds, right, ldc);
        }
        if LOWER {
            begin::<2>(size.adds, below, ldc);
        }
        if LOWER && RIGHT {
            begin::<3>(size.adds, both, ldc);
        }
        for input in (0..size.k).step_by(depth) {
            (0..FETCHED).for_each(|line| lines.at(line));
            let (a, b) = (a.add(input), b.add(input * size.ldb));
            load::<4>(a.cast(), lda);
            load::<6>(b.cast(), ldb);
            multiply_add::<0, 4, 6>();
            if RIGHT {
                load::<7>(b.add(2 * SIDE).cast(), ldb);
                multiply_add::<1, 4, 7>();
            }
            if LOWER {
                load::<5>(a.add(SIDE * size.lda).cast(), lda);
                multiply_add::<2, 5, 6>();
            }
            if LOWER && RIGHT {
                multiply_add::<3, 5, 7>();
            }
        }
        store::<0>(c, ldc);
        if RIGHT {
            store::<1>(right, ldc);
        }
        if LOWER {
            store::<2>(below, ldc);
        }
        if LOWER && RIGHT {
            store::<3>(both, ldc);
        }
    }
}

// One instruction each. The compiler knows nothing of tile registers and leaves them as they are.

/// What stands at `from`, or zeros.
#[inline]
unsafe fn begin<const TILE: u8>(adds: bool, from: *const f32, stride: usize) {
    if adds {
        // SAFETY: as promised to `block`.
        return unsafe { load::<TILE>(from.cast(), stride) };
    }
    // SAFETY: as promised to `block`.
    unsafe { asm!("tilezero tmm{}", const TILE, options(nomem, nostack, preserves_flags)) };
}

#[inline]
unsafe fn load<const TILE: u8>(from: *const u8, stride: usize) {
    // SAFETY: as promised to `block`.
    unsafe {
        asm!("tileloadd tmm{}, [{} + {}*1]", const TILE, in(reg) from, in(reg) stride,
            options(readonly, nostack, preserves_flags));
    }
}

#[inline]
unsafe fn multiply_add<const SUMS: u8, const A: u8, const B: u8>() {
    // SAFETY: as promised to `block`.
    unsafe {
        asm!("tdpbf16ps tmm{}, tmm{}, tmm{}", const SUMS, const A, const B,
            options(nomem, nostack, preserves_flags));
    }
}

#[inline]
unsafe fn store<const TILE: u8>(to: *mut f32, stride: usize) {
    // SAFETY: as promised to `block`.
    unsafe {
        asm!("tilestored [{} + {}*1], tmm{}", in(reg) to, in(reg) stride, const TILE,
            options(nostack, preserves_flags));
    }
}
