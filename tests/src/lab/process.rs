//! Processes by pid, with the certainty that a pid still is the process that was started.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process: its pid and when it started, which together never come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`, proc(5)).
    started: u64,
}

impl Process {
    /// The process that has this pid now.
    ///
    /// # Errors
    /// When no process has it.
    pub fn with_pid(pid: i32) -> Result<Self> {
        let started = start_time(pid).with_context(|| format!("no process has the pid {pid}"))?;
        Ok(Self { pid, started })
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("send {signal} to process {}", self.pid)),
        }
    }
}

/// Asks processes to end and, when they have not after `patience`, ends them.
pub fn end_all(processes: &[Process], patience: Duration) -> Result<()> {
    for process in processes {
        process.signal(Signal::SIGTERM)?;
    }
    if gone_within(processes, patience) {
        return Ok(());
    }
    for process in processes {
        process.signal(Signal::SIGKILL)?;
    }
    gone_within(processes, Duration::from_secs(2));
    Ok(())
}

fn gone_within(processes: &[Process], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while processes.iter().any(Process::is_alive) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// The start time of a process that is not a zombie.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the command's name in parentheses, may itself contain spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_reused_pid_is_another_process() {
        let me = Process::with_pid(std::process::id() as i32).unwrap();
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
    }

    #[test]
    fn ending_a_process_waits_until_it_is_gone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::with_pid(child.id() as i32).unwrap();
        end_all(&[process], Duration::from_secs(5)).unwrap();
        assert!(!process.is_alive());
        child.wait().unwrap();
    }
}
