//! Where the model runs.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use strata_kernels::can_pack;

use crate::{Activation, Config, Error, Features, ops};

/// A device the user may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor: kernels for it, and libtorch where those do not do all the work, if there is one.
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

    /// Whether libtorch has a part in what is computed of a model, if there is one: on a GPU, or where kernels do
    /// not do all that takes time. Where it has none, a build with libtorch computes as one without.
    pub fn uses_libtorch(self, config: &Config, features: &Features) -> bool {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let by_kernels = || {
            ops::has_kernels()
                && config.architecture.is_plain()
                && config.hidden_act == Activation::Gelu
                && [(hidden, wide), (hidden, config.embedding_size())].iter().all(|&(a, b)| can_pack(a, b))
                && !features.needs_attentions()
        };
        match self {
            Self::Cuda(_) => true,
            Self::Flex => false,
            Self::Cpu => !by_kernels(),
        }
    }

    /// The burn device on which these features of a model are computed.
    ///
    /// # Errors
    /// Those of [`DeviceKind::open`].
    pub(crate) fn open_for(self, config: &Config, features: &Features) -> Result<Device, Error> {
        let device = if self.uses_libtorch(config, features) { self } else { Self::Flex };
        device.open()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureRequest;
    use crate::parity::{FAMILIES, fixture, with_numbers};

    const WIDE: [(&str, usize); 7] = [
        ("hidden_size", 32),
        ("dim", 32),
        ("intermediate_size", 64),
        ("hidden_dim", 64),
        ("embedding_size", 16),
        ("num_attention_heads", 2),
        ("n_heads", 2),
    ];

    fn features(attentions: bool, config: &Config) -> Features {
        Features::resolve(&FeatureRequest { attentions, ..FeatureRequest::default() }, config).unwrap()
    }

    #[test]
    fn libtorch_has_no_part_in_the_families_that_kernels_do_all_the_work_of() {
        let without = FAMILIES.into_iter().filter(|name| {
            let folder = tempfile::tempdir().unwrap();
            let config = with_numbers(name, folder.path(), &WIDE).config;
            !DeviceKind::Cpu.uses_libtorch(&config, &features(false, &config))
        });
        let names = [
            "tiny-bert",
            "tiny-roberta",
            "tiny-xlm-roberta",
            "tiny-camembert",
            "tiny-distilbert",
            "tiny-electra",
        ];
        assert_eq!(without.collect::<Vec<_>>(), names);
    }

    #[test]
    fn it_has_a_part_in_other_widths_and_activations_in_attentions_and_on_gpus_and_none_on_flex() {
        let folder = tempfile::tempdir().unwrap();
        let plain = with_numbers("tiny-bert", folder.path(), &WIDE).config;
        let on = |device: DeviceKind, config: &Config, attentions| {
            device.uses_libtorch(config, &features(attentions, config))
        };
        assert!(!on(DeviceKind::Cpu, &plain, false) && on(DeviceKind::Cpu, &plain, true));
        assert!(on(DeviceKind::Cuda(0), &plain, false));
        let narrow = Config::read(&fixture("tiny-bert").join("config.json")).unwrap();
        assert!(on(DeviceKind::Cpu, &narrow, false) && !on(DeviceKind::Flex, &narrow, true));
        let folder = tempfile::tempdir().unwrap();
        let relu = with_numbers("tiny-bert-relu", folder.path(), &WIDE).config;
        assert!(on(DeviceKind::Cpu, &relu, false));
    }
}
