//! Whoever waits for a download.

/// Is told how a download goes.
pub trait Progress {
    /// So many bytes more are to come.
    fn expect(&self, bytes: u64);
    /// So many bytes are there.
    fn advance(&self, bytes: u64);
    /// So many bytes have to come again.
    fn take_back(&self, bytes: u64);
}
