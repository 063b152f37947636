//! The number type of the matrix products.

use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::{DeviceKind, Error, ops};

/// The type in which matrix products are computed. Residuals, norms, the sums inside a softmax,
/// pooling and results are float32 either way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    /// 24 bits of precision: the reference.
    #[default]
    Float32,
    /// 8 bits of precision, at a multiple of the speed where the device has it.
    BFloat16,
}

impl Compute {
    /// Refuses what `device` could do only by emulation, many times slower than float32.
    ///
    /// # Errors
    /// bfloat16 on a processor without instructions for it; `STRATA_CPU` that says nothing.
    pub fn check(self, device: DeviceKind) -> Result<(), Error> {
        ops::check_processor()?;
        match (self, device) {
            (Self::BFloat16, DeviceKind::Cpu | DeviceKind::Flex) if !ops::has_bfloat16() => {
                Err(Error::Combination(format!(
                    "compute {self} on device {device}: this processor has no bfloat16 instructions (avx512_bf16); expected float32"
                )))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn dtype(self) -> FloatDType {
        match self {
            Self::Float32 => FloatDType::F32,
            Self::BFloat16 => FloatDType::BF16,
        }
    }
}
