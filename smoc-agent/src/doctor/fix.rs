//! Changes that cut no traffic.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use nix::mount::{MsFlags, mount};
use smoc_control::{doctor::Fix, end_host::Change};

use super::DoctorError;
use crate::{ethtool::Ethtool, netlink::PathManager};

/// Makes a change, in the network namespace of the calling thread.
///
/// # Errors
/// The kernel refuses it, mostly because root alone may.
pub fn make(fix: &Fix) -> Result<(), DoctorError> {
    let failed = |source| DoctorError::Change { command: fix.to_string(), source };
    match fix {
        Fix::Setting { path, value } => fs::write(Path::new("/proc/sys").join(path), value).map_err(failed),
        Fix::Limits(limits) => Ok(PathManager::connect()?.make(&Change::SetLimits(*limits))?),
        Fix::Offload { interface, offload, on } => {
            let ethtool = Ethtool::open().map_err(DoctorError::Ethtool)?;
            ethtool.switch(interface, offload.features(), *on).map_err(failed)
        }
        Fix::MountBpf(at) => {
            fs::create_dir_all(at).map_err(failed)?;
            let done = mount(Some("bpf"), at, Some("bpf"), MsFlags::empty(), None::<&str>);
            done.map_err(|error| failed(error.into()))
        }
        Fix::Close(path) => fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed),
    }
}
