//! Programs that capture frames, and the ring from which these are read.

use std::sync::Arc;

use aya::{
    Ebpf,
    maps::{Array, Map, MapData, MapError, PerCpuArray, ProgramArray, RingBuf},
    programs::ProgramFd,
};
use smoc_common::capture::{Captured, Filter};
use smoc_control::config::Config;

use super::{
    load::{ProgramSet, load_program, load_set},
    maps::{Entry, parse, read_error, write_error},
    object::Object,
    pins::PinDirectory,
};
use crate::dataplane::DataplaneError;

/// Loads programs that capture, from any thread: the verifier takes its time.
#[derive(Clone)]
pub struct CaptureLoader {
    config: Arc<Config>,
    pins: Arc<PinDirectory>,
}

impl CaptureLoader {
    pub(super) fn new(config: Arc<Config>, pins: Arc<PinDirectory>) -> Self {
        Self { config, pins }
    }

    /// Loads programs that put what the filter wants into a ring.
    ///
    /// # Errors
    /// There is no such object, or the kernel refuses it.
    pub fn load(&self, filter: &Filter) -> Result<(ProgramSet, CaptureRing), DataplaneError> {
        let object = Object::of_captures(&self.config)?;
        let bad = |what: String| DataplaneError::BadObject { object: object.name.clone(), what };
        let mut set = load_set(&self.config, &object, &self.pins)?;
        let prepared = prepare(&mut set.ebpf, filter, &bad);
        match prepared {
            Ok(ring) => Ok((set, ring)),
            Err(error) => {
                let _ = std::fs::remove_file(set.continuations.path());
                Err(error)
            }
        }
    }
}

/// Joins the programs to the one that captures, and tells that one what to.
fn prepare(
    ebpf: &mut Ebpf,
    filter: &Filter,
    bad: &impl Fn(String) -> DataplaneError,
) -> Result<CaptureRing, DataplaneError> {
    let (_, capture) = load_program(ebpf, "smoc_capture", bad)?;
    let mut filters: Array<MapData, Entry<Filter>> = take(ebpf, "CAPTURE_FILTER", bad)?;
    filters.set(0, Entry(*filter), 0).map_err(|error| write_error("CAPTURE_FILTER", error))?;
    Ok(CaptureRing {
        ring: take(ebpf, "CAPTURES", bad)?,
        losses: take(ebpf, "CAPTURE_LOSSES", bad)?,
        gate: take(ebpf, "CAPTURE", bad)?,
        capture,
    })
}

fn take<M: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
    bad: &impl Fn(String) -> DataplaneError,
) -> Result<M, DataplaneError> {
    let map = ebpf.take_map(name).ok_or_else(|| bad(format!("it has no map {name}")))?;
    M::try_from(map).map_err(|error| read_error(name, error))
}

/// The consumer's end of `CAPTURES`, which wakes no thread: it is to be drained often.
pub struct CaptureRing {
    ring: RingBuf<MapData>,
    losses: PerCpuArray<MapData, u64>,
    /// Not pinned: the kernel empties it when this is dropped, or the agent ends.
    gate: ProgramArray<MapData>,
    capture: ProgramFd,
}

impl CaptureRing {
    /// Nothing is captured before this, at any port.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn open(&mut self) -> Result<(), DataplaneError> {
        self.gate.set(0, &self.capture, 0).map_err(|error| write_error("CAPTURE", error))
    }

    /// Nothing is captured after this; what is in the ring can still be read.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn close(&mut self) -> Result<(), DataplaneError> {
        self.gate.clear_index(&0).map_err(|error| write_error("CAPTURE", error))
    }

    /// Shows the next frame, if there is one.
    pub fn next<T>(&mut self, see: impl FnOnce(&Captured, &[u8]) -> T) -> Option<T> {
        loop {
            let record = self.ring.next()?;
            let (head, bytes) = record.split_at_checked(size_of::<Captured>())?;
            if let Some(head) = parse::<Captured>(head) {
                return Some(see(&head, bytes));
            }
        }
    }

    /// How many frames found no room in the ring so far.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn lost(&self) -> Result<u64, DataplaneError> {
        let losses = self.losses.get(&0, 0).map_err(|error| read_error("CAPTURE_LOSSES", error))?;
        Ok(losses.iter().sum())
    }
}
