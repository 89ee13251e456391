//! Where the BPF objects come from: from files, or from inside this program.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use smoc_control::config::Config;

use crate::dataplane::DataplaneError;

/// The object that captures; as a file it lies beside the one of the agent.
const CAPTURE: &str = "smoc-capture.bpf.o";

/// A BPF object, whatever is in it.
pub(super) struct Object {
    /// What errors call it: the file, or that it is inside this program.
    pub name: String,
    /// An ELF file, if it is sound.
    pub bytes: Cow<'static, [u8]>,
}

impl Object {
    /// The object of the agent: the file that the configuration names; else what is inside this program; else what lies
    /// where objects are installed or built.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read.
    pub fn of_agent(config: &Config) -> Result<Self, DataplaneError> {
        Self::find(config, "smoc.bpf.o", Path::to_owned)
    }

    /// The object that captures: it comes from where the agent's does.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read.
    pub fn of_captures(config: &Config) -> Result<Self, DataplaneError> {
        Self::find(config, CAPTURE, |agents| agents.with_file_name(CAPTURE))
    }

    fn find(config: &Config, name: &str, file: impl Fn(&Path) -> PathBuf) -> Result<Self, DataplaneError> {
        if config.object.is_none()
            && let Some(bytes) = embedded(name)
        {
            return Ok(Self { name: format!("{name} inside this program"), bytes: Cow::Borrowed(bytes) });
        }
        let tried = config.object_candidates();
        let Some(agents) = tried.iter().find(|path| path.is_file()) else {
            return Err(DataplaneError::NoObject { tried });
        };
        let path = file(agents);
        if !path.is_file() {
            return Err(DataplaneError::NoObject { tried: vec![path] });
        }
        let name = path.display().to_string();
        match fs::read(&path) {
            Ok(bytes) => Ok(Self { name, bytes: Cow::Owned(bytes) }),
            Err(error) => Err(DataplaneError::BadObject { object: name, what: error.to_string() }),
        }
    }
}

/// What the feature `embedded` puts inside this program: the objects in the directory that `SMOC_OBJECTS` names when it is
/// built.
#[cfg(feature = "embedded")]
fn embedded(name: &str) -> Option<&'static [u8]> {
    match name {
        "smoc.bpf.o" => Some(aya::include_bytes_aligned!(concat!(env!("SMOC_OBJECTS"), "/smoc.bpf.o"))),
        CAPTURE => Some(aya::include_bytes_aligned!(concat!(env!("SMOC_OBJECTS"), "/smoc-capture.bpf.o"))),
        _ => None,
    }
}

#[cfg(not(feature = "embedded"))]
fn embedded(_: &str) -> Option<&'static [u8]> {
    None
}
