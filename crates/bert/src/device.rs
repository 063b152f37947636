//! Where the model runs.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::Error;
#[cfg(feature = "libtorch")]
use crate::ops;

/// A device the user may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor: kernels for it, and libtorch, or burn-flex in a build without libtorch.
    #[default]
    Cpu,
    /// libtorch on the CUDA device with this index.
    Cuda(usize),
    /// The processor without libtorch: kernels for it, and burn-flex.
    Flex,
}

impl DeviceKind {
    /// How many tokens a forward pass should have, on `threads` processor threads: so many that
    /// weights are used often once they are fetched, and so few that what is computed of them stays
    /// in cache.
    pub fn batch_tokens(self, threads: usize) -> usize {
        const OF_A_THREAD: usize = 512;
        const OF_A_GPU: usize = 32 * 1024;
        match self {
            Self::Cpu | Self::Flex => (OF_A_THREAD * threads).clamp(2 * OF_A_THREAD, OF_A_GPU),
            Self::Cuda(_) => OF_A_GPU,
        }
    }

    /// The burn device.
    ///
    /// # Errors
    /// No CUDA device of that index, or a libtorch without CUDA.
    #[cfg_attr(
        feature = "libtorch",
        expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")
    )]
    pub(crate) fn open(self) -> Result<Device, Error> {
        match self {
            #[cfg(feature = "libtorch")]
            Self::Cpu => Ok(Device::libtorch()),
            #[cfg(not(feature = "libtorch"))]
            Self::Cpu => Ok(Device::flex()),
            Self::Flex => Ok(Device::flex()),
            #[cfg(not(feature = "libtorch"))]
            Self::Cuda(_) => {
                let reason = "this program was built without libtorch, which computes on GPUs".to_owned();
                Err(Error::NoDevice { device: self.to_string(), reason })
            }
            #[cfg(feature = "libtorch")]
            Self::Cuda(index) => {
                let devices = ops::cuda_devices();
                if index < devices {
                    warn_of_tf32();
                    return Ok(Device::libtorch_cuda(index));
                }
                let reason = match devices {
                    0 => "this libtorch sees no CUDA device".to_owned(),
                    count => format!("expected an index below {count}"),
                };
                Err(Error::NoDevice { device: self.to_string(), reason })
            }
        }
    }
}

/// libtorch multiplies float32 in full precision unless this variable tells it otherwise.
#[cfg(feature = "libtorch")]
fn warn_of_tf32() {
    const VARIABLE: &str = "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE";
    if std::env::var(VARIABLE).is_ok_and(|value| value == "1") {
        tracing::warn!("{VARIABLE} is set: float32 products on CUDA keep 10 bits of precision");
    }
}

impl FromStr for DeviceKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let index = text.strip_prefix("cuda:").and_then(|index| index.parse().ok());
        match (text, index) {
            ("cpu", _) => Ok(Self::Cpu),
            ("flex", _) => Ok(Self::Flex),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(index)) => Ok(Self::Cuda(index)),
            _ => Err(Error::Option {
                what: "device",
                found: text.to_owned(),
                expected: "cpu, cuda, cuda:N or flex",
            }),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Flex => f.write_str("flex"),
        }
    }
}
