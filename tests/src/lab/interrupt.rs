//! Ctrl-C: what this process has built is removed before it ends.

use std::io;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::state::State;

/// Set by the first SIGINT, SIGTERM or SIGHUP; long-running steps give up when they see it.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Held while a lab is being built or removed, which must not happen at once.
static BUILDING: Mutex<()> = Mutex::new(());

/// Whether this process has a lab of its own that would have to be removed.
static OWNS_A_LAB: AtomicBool = AtomicBool::new(false);

/// Exit status of a program that was interrupted, as shells have it (128 + SIGINT).
const INTERRUPTED_STATUS: u8 = 130;

/// From now on an interrupted process first removes its lab.
pub fn watch() -> Result<()> {
    static WATCHING: OnceLock<io::Result<()>> = OnceLock::new();
    match WATCHING.get_or_init(start_watching) {
        Ok(()) => Ok(()),
        Err(error) => Err(anyhow!("{error}")).context("watch for Ctrl-C"),
    }
}

fn start_watching() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            end_here();
        }
    })?;
    Ok(())
}

/// Runs a step that builds or removes a lab of this process, unless another is being built or removed just now.
pub fn building<T>(step: impl FnOnce() -> T) -> T {
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    OWNS_A_LAB.store(true, Ordering::SeqCst);
    step()
}

/// The lab is no longer this process's to remove.
pub fn release() {
    OWNS_A_LAB.store(false, Ordering::SeqCst);
}

/// Fails once the process has been interrupted, so that a long step ends early.
pub fn check_interrupted() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    Ok(())
}

/// The exit status of a program that failed now: 130 if it was interrupted, else 1.
pub fn failure_status() -> u8 {
    if INTERRUPTED.load(Ordering::SeqCst) { INTERRUPTED_STATUS } else { 1 }
}

/// Removes this process's lab, if it has one, and ends the process.
fn end_here() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    // A lab that is being built stops at its next step and removes itself before it lets go of this.
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if OWNS_A_LAB.load(Ordering::SeqCst)
        && let Ok(Some(state)) = State::read()
        && let Err(error) = super::tear_down(&state)
    {
        eprintln!("lab: not everything could be removed: {error:#}; `cargo xtask lab down` tries again");
    }
    eprintln!("lab: interrupted; nothing is left behind");
    exit(INTERRUPTED_STATUS.into());
}
