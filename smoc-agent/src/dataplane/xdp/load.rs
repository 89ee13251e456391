//! Loads the programs of the BPF object, with their maps made or taken over.

use std::path::Path;

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{MapData, ProgramArray},
    programs::{ProgramFd, Xdp},
};
use smoc_common::map::Continuation;
use smoc_control::{
    config::Config,
    ports::{Programs, Role},
};

use super::{
    log,
    maps::{SHAPES, sizes, write_error},
    object::Object,
    pins::{Continuations, PinDirectory},
    program_of,
};
use crate::dataplane::{BoxError, DataplaneError};

/// Programs that belong together, loaded.
pub struct ProgramSet {
    pub(super) ebpf: Ebpf,
    /// The numbers of those for the ports.
    pub(super) programs: Programs,
    /// Where their program array is pinned.
    pub(super) continuations: Continuations,
}

/// Makes or opens the maps and loads all programs. What is new in the pin directory is taken back if that fails.
pub(super) fn load_set(
    config: &Config,
    object: &Object,
    pins: &PinDirectory,
) -> Result<ProgramSet, DataplaneError> {
    let continuations = pins.new_continuations();
    let before = pins.maps();
    match load_object(config, object, pins, continuations.path()) {
        Ok((ebpf, programs)) => Ok(ProgramSet { ebpf, programs, continuations }),
        Err(error) => {
            let new = pins.maps().into_iter().filter(|path| !before.contains(path));
            new.chain([continuations.path().to_owned()]).for_each(|path| drop(std::fs::remove_file(path)));
            Err(error)
        }
    }
}

/// Makes or opens the maps and loads all programs; the numbers of those for the ports.
fn load_object(
    config: &Config,
    object: &Object,
    pins: &PinDirectory,
    continuations: &Path,
) -> Result<(Ebpf, Programs), DataplaneError> {
    let bad = |what: String| DataplaneError::BadObject { object: object.name.clone(), what };
    let mut loader = EbpfLoader::new();
    let level = log::level();
    loader.override_global(log::LEVEL, &level, false);
    for (name, size) in sizes(&config.tables) {
        loader.map_max_entries(name, size);
    }
    for shape in &SHAPES {
        loader.map_pin_path(shape.name, pins.path().join(shape.name));
    }
    loader.map_pin_path("CONTINUATIONS", continuations);
    let mut ebpf = loader.load(&object.bytes).map_err(|error| match error {
        EbpfError::MapError(error) => {
            DataplaneError::Map { doing: "create", map: "maps", source: error.into() }
        }
        other => bad(with_causes(&other)),
    })?;
    if let Some(missing) = SHAPES.iter().find(|shape| ebpf.map(shape.name).is_none()) {
        return Err(bad(format!("it has no map {}", missing.name)));
    }
    // What was there before was verified, so what does not fit now is what this object made.
    pins.mismatch().map_or(Ok(()), |what| Err(bad(what)))?;
    let programs = Programs {
        host: load_program(&mut ebpf, program_of(Role::Host), &bad)?.0,
        fabric: load_program(&mut ebpf, program_of(Role::Fabric), &bad)?.0,
    };
    let array = ebpf.take_map("CONTINUATIONS").ok_or_else(|| bad("it has no map CONTINUATIONS".into()))?;
    let failed = |error| write_error("CONTINUATIONS", error);
    let mut array: ProgramArray<MapData> = array.try_into().map_err(failed)?;
    for (place, name) in Continuation::ALL {
        let (_, fd) = load_program(&mut ebpf, name, &bad)?;
        array.set(place as u32, &fd, 0).map_err(failed)?;
    }
    Ok((ebpf, programs))
}

/// Loads one program; its number and descriptor.
pub(super) fn load_program(
    ebpf: &mut Ebpf,
    name: &'static str,
    bad: &impl Fn(String) -> DataplaneError,
) -> Result<(u32, ProgramFd), DataplaneError> {
    let program = xdp(ebpf, name).ok_or_else(|| bad(format!("it has no program {name}")))?;
    let refused = |source: BoxError| DataplaneError::Refused { program: name, source };
    program.load().map_err(|error| refused(error.into()))?;
    let id = program.info().map_err(|error| refused(error.into()))?.id();
    let fd = program.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(|error| refused(error.into()))?;
    Ok((id, fd))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

pub(super) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Option<&'a mut Xdp> {
    ebpf.program_mut(name)?.try_into().ok()
}
