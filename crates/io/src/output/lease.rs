//! The right to write to an output in a store, which runs out unless it is renewed: a store does not know
//! that a process has died.
//!
//! A lease is a file that its holder writes again every few seconds. Whoever wants it watches: a file that
//! stays as it is for as long as a lease lasts belongs to nobody. Each side measures with its own clock how
//! long that is, so that no two clocks need to agree. The holder stops before, in case it was asleep.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::lock::Holder;
use crate::Error;
use crate::error::StoreTrouble;
use crate::store::{On, Remote, Version, lock};

/// How long a lease lasts that nobody renews, for whoever waits for it.
const LASTS: Duration = Duration::from_secs(20);
/// How long its holder relies on it.
const RELIED_ON: Duration = Duration::from_secs(12);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(4);
/// How long a write of it may take.
const ASKED: Duration = Duration::from_secs(5);
/// How often whoever waits looks.
const WATCHED: Duration = Duration::from_secs(1);

/// What is waited before a write is tried a second time, and a multiple of it later.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// So many refusals in a row, of a file that is as it was, are no accident.
const REFUSALS: u32 = 8;

/// Conditional writes of a file that were refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    all: u32,
    /// Those in a row that nobody else has given cause for.
    without_cause: u32,
}

impl Refusals {
    /// Takes note of a refusal.
    ///
    /// # Errors
    /// [`Error::Address`] if the store refuses though nobody else writes: it would do so for ever.
    pub(super) fn note(&mut self, remote: &Remote, file: &Path, has_cause: bool) -> Result<(), Error> {
        self.all += 1;
        self.without_cause = if has_cause { 0 } else { self.without_cause + 1 };
        match self.without_cause < REFUSALS {
            true => Ok(()),
            false => Err(remote.no_conditions(file, self.without_cause)),
        }
    }

    /// Waits before the next write, longer each time.
    pub(super) fn pause(&self) {
        pause(self.all);
    }
}

/// Waits before what was tried so many times is tried again.
fn pause(times: u32) {
    std::thread::sleep((PAUSE * times).min(LONGEST_PAUSE));
}

/// A lease that is held, until it is dropped or lost.
#[derive(Debug)]
pub(super) struct Lease {
    held: Arc<Held>,
    /// Dropped to end the thread that renews it.
    stop: Option<Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Held {
    remote: Arc<Remote>,
    file: PathBuf,
    /// For messages.
    folder: PathBuf,
    state: Mutex<State>,
    /// Held by whoever writes the file, so that it is written by one at a time.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// Of the file as it was written last; none if it is somebody else's.
    version: Option<Version>,
    /// When that write began. A machine that sleeps may stop one of the clocks.
    renewed: (Instant, SystemTime),
    refusals: Refusals,
}

impl Lease {
    /// Takes the lease at `file`, after whoever has left it without a word can be taken for dead.
    ///
    /// # Errors
    /// [`Error::Locked`] if somebody renews it; [`Error::Address`] if the store has no conditional writes;
    /// [`Error::Store`].
    pub(super) fn take(remote: &Arc<Remote>, file: &Path, folder: &Path) -> Result<Self, Error> {
        let holder = Holder::me();
        let mut refusals = Refusals::default();
        loop {
            let free = wait_for(remote, &[file.to_owned()], folder)?.pop().flatten();
            let now = (Instant::now(), SystemTime::now());
            let before = free.map(|(_, version)| version);
            let on = before.clone().map_or(On::Create, On::Update);
            // Somebody may have been faster: then it is theirs.
            if let Some(version) = remote.put(file, &holder.to_bytes()?, on)? {
                let state =
                    State { holder, version: Some(version), renewed: now, refusals: Refusals::default() };
                return Ok(Self::renewed(Held {
                    remote: Arc::clone(remote),
                    file: file.to_owned(),
                    folder: folder.to_owned(),
                    state: Mutex::new(state),
                    writing: Mutex::default(),
                }));
            }
            let now = look(remote, file)?.map(|(_, version)| version);
            refusals.note(remote, file, now != before)?;
            refusals.pause();
        }
    }

    fn renewed(held: Held) -> Self {
        let held = Arc::new(held);
        let (stop, stopped) = channel::<()>();
        let own = Arc::clone(&held);
        let renewing = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(RENEWED) {
                // Whoever writes next finds out that it failed, and tries once more.
                let _ = own.renew();
            }
        });
        Self { held, stop: Some(stop), renewing: Some(renewing) }
    }

    /// Makes sure that nobody else may write, and returns for how long that holds.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]; [`Error::Address`] if the store never renews it; [`Error::Store`] if it may not be
    /// renewed, or nothing can be heard of it for as long as anything is asked.
    pub(super) fn check(&self) -> Result<Duration, Error> {
        let began = Instant::now();
        let mut times = 0;
        loop {
            if let Some(left) = self.held.left()? {
                return Ok(left);
            }
            pause(times);
            times += 1;
            match self.held.renew() {
                // Keys that have run out do not come back.
                Err(error @ Error::Store { trouble: StoreTrouble::Denied, .. }) => return Err(error),
                Err(Error::Store { .. }) if began.elapsed() < self.held.remote.patience() => {}
                renewed => renewed?,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(renewing) = self.renewing.take() {
            let _ = renewing.join();
        }
        self.held.release();
    }
}

impl Held {
    /// For how long the lease can be relied on, if at all.
    fn left(&self) -> Result<Option<Duration>, Error> {
        let state = self.state();
        if state.version.is_none() {
            return Err(self.lost());
        }
        let (instant, time) = state.renewed;
        let passed = instant.elapsed().max(time.elapsed().unwrap_or_default());
        Ok(RELIED_ON.checked_sub(passed).filter(|left| !left.is_zero()))
    }

    /// Writes the file again, unless somebody else has.
    fn renew(&self) -> Result<(), Error> {
        let _writing = lock(&self.writing);
        let now = (Instant::now(), SystemTime::now());
        let (bytes, before) = {
            let mut state = self.state();
            state.holder.beat += 1;
            (state.holder.to_bytes()?, state.version.clone())
        };
        let on = before.clone().map(On::Update).ok_or_else(|| self.lost())?;
        let put = self.remote.put_within(Some(ASKED), &self.file, &bytes, on)?;
        let mut state = self.state();
        if put.is_some() {
            (state.version, state.renewed, state.refusals) = (put, now, Refusals::default());
            return Ok(());
        }
        drop(state);
        // An earlier write may have come through without its answer.
        let found = look(&self.remote, &self.file)?;
        state = self.state();
        state.version = found.and_then(|(holder, version)| holder?.is(&state.holder).then_some(version));
        if state.version.is_none() {
            return Err(self.lost());
        }
        let has_cause = state.version != before;
        state.refusals.note(&self.remote, &self.file, has_cause)
    }

    fn release(&self) {
        let mut state = self.state();
        let Some(version) = state.version.take() else { return };
        state.holder.is_over = true;
        // If this fails, whoever comes next waits until it has run out.
        if let Ok(bytes) = state.holder.to_bytes() {
            let _ = self.remote.put_within(Some(ASKED), &self.file, &bytes, On::Update(version));
        }
    }

    fn lost(&self) -> Error {
        Error::LeaseLost { folder: self.folder.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Who has a lease, where that can be understood, and the version of its file.
pub(super) type Found = (Option<Holder>, Version);

/// Whether a lease was given back, or left by a process that is over.
pub(super) fn is_free(holder: &Option<Holder>) -> bool {
    holder.as_ref().is_some_and(|holder| holder.is_over || holder.has_died())
}

/// Who has a lease, if its file is there.
pub(super) fn look(remote: &Remote, file: &Path) -> Result<Option<Found>, Error> {
    let found = remote.get(file)?;
    Ok(found.map(|(bytes, version)| (serde_json::from_slice(&bytes).ok(), version)))
}

/// Waits until none of the leases in these files can be somebody's, and returns what is in each by then.
///
/// # Errors
/// [`Error::Locked`] if somebody renews one; [`Error::Store`].
pub(super) fn wait_for(
    remote: &Remote,
    files: &[PathBuf],
    folder: &Path,
) -> Result<Vec<Option<Found>>, Error> {
    // With when each was first seen as it is.
    let first = |file: &PathBuf| Ok::<_, Error>((look(remote, file)?, Instant::now()));
    let mut found = files.iter().map(first).collect::<Result<Vec<_>, _>>()?;
    let is_held = |found: &Option<Found>| found.as_ref().is_some_and(|(holder, _)| !is_free(holder));
    let holders = found.iter().filter(|(found, _)| is_held(found));
    if let Some(holder) = holders.filter_map(|(found, _)| found.as_ref()?.0.as_ref()).next() {
        tracing::warn!(
            "{} may be in use by {holder}: waiting up to {} s for a sign of life",
            folder.display(),
            LASTS.as_secs()
        );
    }
    while found.iter().any(|(found, since)| is_held(found) && since.elapsed() < LASTS) {
        std::thread::sleep(WATCHED);
        for (file, (before, _)) in files.iter().zip(&mut found).filter(|(_, (found, _))| is_held(found)) {
            let now = look(remote, file)?;
            let version = |found: &Option<Found>| found.as_ref().map(|(_, version)| version.clone());
            if is_held(&now) && version(&now) != version(before) {
                let holder = now.and_then(|(holder, _)| holder);
                let (pid, since) = holder.map(|holder| (holder.pid, holder.since)).unzip();
                return Err(Error::Locked { folder: folder.to_owned(), pid, since });
            }
            *before = now;
        }
    }
    Ok(found.into_iter().map(|(found, _)| found).collect())
}

/// Ends leases that nobody has renewed, so that their holders, should they wake up, find that they have lost them.
///
/// # Errors
/// [`Error::Locked`] if one was renewed after all; [`Error::Store`].
pub(super) fn end(
    remote: &Remote,
    leases: impl IntoIterator<Item = (PathBuf, Option<Found>)>,
    folder: &Path,
) -> Result<(), Error> {
    for (file, found) in leases {
        let Some((holder, version)) = found else { continue };
        let mut holder = holder.unwrap_or_else(Holder::me);
        if holder.is_over {
            continue;
        }
        let (pid, since) = (Some(holder.pid), Some(holder.since.clone()));
        holder.is_over = true;
        if remote.put(&file, &holder.to_bytes()?, On::Update(version))?.is_none() {
            return Err(Error::Locked { folder: folder.to_owned(), pid, since });
        }
    }
    Ok(())
}

impl Holder {
    /// Whether it is the same that holds a lease still.
    fn is(&self, other: &Self) -> bool {
        !self.is_over && self.signature() == other.signature()
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(serde_json::to_vec(self).map_err(io::Error::other)?)
    }

    /// Whether it was a process of this machine that is over.
    fn has_died(&self) -> bool {
        // Another machine, or another container, has other processes of the same numbers; and where the first
        // one is not seen, neither are those of others.
        let machine = machine();
        let sees_all = || process_since(1).is_some();
        !machine.is_empty()
            && self.machine == machine
            && sees_all()
            && process_since(self.pid) != self.process_since
    }
}

/// What tells the processes of this machine since it was started, as this one sees them, from all others.
pub(super) fn machine() -> String {
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let processes = fs_err::read_link("/proc/self/ns/pid").unwrap_or_default();
    match boot.trim() {
        "" => String::new(),
        boot => format!("{boot} {}", processes.display()),
    }
}

/// When a process was started, in the kernel's ticks; none where there is no such process.
pub(super) fn process_since(pid: u32) -> Option<u64> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    match fields.next()? {
        // Dead, and only not yet asked for.
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}
