//! SIGINT and SIGTERM: the first asks the pipeline to stop between batches, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use strata_featurize::Error;

use crate::console::failure::Interrupted;

/// What is left of a run.
const PARTS: &str = "what is finished is kept, the same command goes on from here";

/// Whether a signal has come.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Listens from now on.
    pub fn listen() -> std::io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the shutdown acts only if an earlier signal has set the flag.
            let came_before = Arc::new(AtomicBool::new(false));
            flag::register_conditional_shutdown(signal, 128 + signal, came_before.clone())?;
            for any in [SIGINT, SIGTERM] {
                flag::register(any, came_before.clone())?;
            }
            flag::register_usize(signal, signals.0.clone(), signal as usize)?;
        }
        Ok(signals)
    }

    /// # Errors
    /// A signal has come.
    pub fn check(&self) -> Result<(), Interrupted> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Interrupted { signal, left: PARTS }),
        }
    }

    /// The signal, if one has come, after which nothing is left of the work.
    #[cfg(feature = "probe")]
    pub fn end(&self) -> Option<Interrupted> {
        self.check().err().map(|interrupted| Interrupted { left: "nothing was written", ..interrupted })
    }

    /// What to say of a failure: the signal, if one has ended the work.
    pub fn cause_of(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast_ref::<Error>() {
            Some(Error::Cancelled) => self.check().err().map_or(error, Into::into),
            _ => error,
        }
    }
}
