//! Inputs and outputs in stores: the real program against a server of S3's protocol, on the way to which
//! things may go wrong.

mod azure;
mod conditions;
mod faults;
mod hub;
mod inputs;
mod outputs;
mod proxy;
mod refusals;
mod s3s;
mod server;

/// Bytes that no codec makes fewer.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(next).take(count).collect()
}
