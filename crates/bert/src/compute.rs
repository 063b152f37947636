//! The number type of the matrix products.

use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};
use strata_kernels::can_pack_int8;
use strum::{Display, EnumString, VariantNames};

use crate::{Config, DeviceKind, Error, ops};

/// The type in which matrix products are computed. Residuals, norms, the sums inside a softmax,
/// pooling and results are float32 with any of them.
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
    /// 8 bits of weights and of what they are multiplied with, 64 of which have their steps in common; what
    /// is far larger than the rest is kept in float32. On processors alone.
    Int8,
}

impl Compute {
    /// Refuses what `device` could do only by emulation, many times slower than float32.
    ///
    /// # Errors
    /// bfloat16 or int8 on a processor without instructions for it, int8 on a GPU; `STRATA_CPU` that says nothing.
    pub fn check(self, device: DeviceKind) -> Result<(), Error> {
        ops::check_processor()?;
        match (self, device) {
            (Self::BFloat16, DeviceKind::Cpu | DeviceKind::Flex) if !ops::has_bfloat16() => {
                Err(Error::Combination(format!(
                    "compute {self} on device {device}: this processor has no bfloat16 instructions (avx512_bf16); expected float32"
                )))
            }
            (Self::Int8, DeviceKind::Cuda(_)) => Err(Error::Combination(format!(
                "compute {self} on device {device}: int8 is for processors; expected float32 or bfloat16"
            ))),
            (Self::Int8, DeviceKind::Cpu | DeviceKind::Flex) if !ops::has_int8() => {
                Err(Error::Combination(format!(
                    "compute {self} on device {device}: this processor has no int8 instructions (avx512_vnni or avx_vnni); expected float32"
                )))
            }
            _ => Ok(()),
        }
    }

    /// What one might not expect of it on `device`, which can do it.
    pub(crate) fn remark(self, device: DeviceKind) -> Option<&'static str> {
        let on_processor = matches!(device, DeviceKind::Cpu | DeviceKind::Flex);
        match self {
            Self::BFloat16 if on_processor && ops::is_slow_in_bfloat16() => Some(
                "on Intel's processors bfloat16 pays with their tile registers (AMX), which this machine does not show: \
                 float32 may well be faster (--compute float32)",
            ),
            Self::Int8 if on_processor && ops::is_fast_in_bfloat16() => Some(
                "this processor multiplies bfloat16 in tile registers (AMX), which is faster than int8 here and nearer to \
                 float32 (--compute bfloat16)",
            ),
            _ => None,
        }
    }

    /// Refuses a model whose products are not of this type.
    ///
    /// # Errors
    /// int8 and a width that is no multiple of 64.
    pub(crate) fn check_widths(self, config: &Config) -> Result<(), Error> {
        let widths = [("hidden_size", config.hidden_size), ("intermediate_size", config.intermediate_size)];
        match widths.into_iter().find(|(_, width)| !can_pack_int8(*width, *width)) {
            Some((name, width)) if self == Self::Int8 => Err(Error::Combination(format!(
                "compute {self} with {} {width}: int8 takes widths that are multiples of 64; expected float32 or bfloat16",
                config.family.key_in_file(name)
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn dtype(self) -> FloatDType {
        match self {
            Self::Float32 | Self::Int8 => FloatDType::F32,
            Self::BFloat16 => FloatDType::BF16,
        }
    }
}
