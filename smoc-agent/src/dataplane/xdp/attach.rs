//! Programs on interfaces: one BPF link each, pinned, so that it outlives the agent, and updated in place, so
//! that no frame slips through between two programs.

use std::path::Path;

use aya::programs::{
    ProgramError, Xdp, XdpMode as AyaMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};

use super::pins::PinDirectory;
use smoc_control::{
    config::XdpMode,
    interfaces::{AttachedMode, Interface},
};

use crate::dataplane::{BoxError, DataplaneError, errno};

/// Links that were made but not pinned yet: dropping them takes them back.
#[derive(Default)]
pub(super) struct NewLinks(Vec<(std::path::PathBuf, FdLink)>);

impl NewLinks {
    /// Pins all of them.
    pub fn keep(self) -> Result<(), DataplaneError> {
        for (path, link) in self.0 {
            link.pin(&path).map_err(|error| {
                let source = std::io::Error::other(error);
                DataplaneError::PinDirectory { path, source }
            })?;
        }
        Ok(())
    }
}

fn wanted(mode: XdpMode) -> (AyaMode, AttachedMode) {
    match mode {
        XdpMode::Native => (AyaMode::Driver, AttachedMode::Native),
        XdpMode::Generic => (AyaMode::Skb, AttachedMode::Generic),
    }
}

/// Whether a foreign XDP program is on the interface.
///
/// # Errors
/// [`DataplaneError::OtherProgram`] names it.
pub(super) fn check_free(pins: &PinDirectory, interface: &Interface) -> Result<(), DataplaneError> {
    let Some(there) = interface.xdp else { return Ok(()) };
    if program_of(&pins.link(&interface.name)) == Some(there.program) {
        return Ok(());
    }
    Err(DataplaneError::OtherProgram {
        interface: interface.name.clone(),
        program: there.program,
        mode: there.mode,
    })
}

/// The number of the program on a pinned link, if there is such a link.
pub(super) fn program_of(link: &Path) -> Option<u32> {
    let link = PinnedLink::from_pin(link).map(FdLink::from).ok()?;
    Some(link.info().ok()?.program_id())
}

/// Whether a pinned link has one of these programs.
pub(super) fn is_of(link: &Path, programs: &[u32]) -> bool {
    program_of(link).is_some_and(|program| programs.contains(&program))
}

/// Puts `program` on an interface: in place of the one on its pinned link if there is such a link, over a new
/// link otherwise.
pub(super) fn attach(
    pins: &PinDirectory,
    program: &mut Xdp,
    interface: &Interface,
    mode: XdpMode,
    new: &mut NewLinks,
) -> Result<(), DataplaneError> {
    let path = pins.link(&interface.name);
    let (aya_mode, attached_mode) = wanted(mode);
    if path.exists() {
        let same_mode = interface.xdp.is_some_and(|xdp| xdp.mode == attached_mode);
        if same_mode && update(program, &path).is_ok() {
            return Ok(());
        }
        unpin(&path)?;
    }
    let failed = |error: BoxError| explain(interface, mode, error);
    let id = program.attach_to_if_index(interface.index.0, aya_mode).map_err(|error| failed(error.into()))?;
    let link = program.take_link(id).map_err(|error| failed(error.into()))?;
    let link = FdLink::try_from(link).map_err(|error| failed(error.into()))?;
    new.0.push((path, link));
    Ok(())
}

/// Replaces the program of a pinned link. It fails if the interface of the link is gone.
fn update(program: &mut Xdp, path: &Path) -> Result<(), ProgramError> {
    let not_a_link = |error| ProgramError::IOError(std::io::Error::other(error));
    let link = FdLink::from(PinnedLink::from_pin(path).map_err(not_a_link)?);
    let id = program.attach_to_link(XdpLink::try_from(link).map_err(not_a_link)?)?;
    program.take_link(id).map(drop)
}

/// Detaches what is attached over a pinned link.
pub(super) fn unpin(path: &Path) -> Result<(), DataplaneError> {
    std::fs::remove_file(path).map_err(|source| DataplaneError::PinDirectory { path: path.into(), source })
}

fn explain(interface: &Interface, mode: XdpMode, source: BoxError) -> DataplaneError {
    let name = interface.name.clone();
    match errno(&*source) {
        Some(libc::EOPNOTSUPP) if mode == XdpMode::Native => DataplaneError::NoNativeXdp { interface: name },
        Some(libc::ERANGE | libc::EMSGSIZE | libc::E2BIG) => {
            DataplaneError::MtuTooLarge { interface: name, mtu: interface.mtu }
        }
        Some(libc::EINVAL) if mode == XdpMode::Native && interface.mtu > 1500 => {
            DataplaneError::MtuTooLarge { interface: name, mtu: interface.mtu }
        }
        _ => DataplaneError::Attach { interface: name, source },
    }
}
