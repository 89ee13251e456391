//! The file with what was known last.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use smoc_control::store::Saved;
use tracing::warn;

/// Reads it. One that is no good is as none, and the log says why.
pub(super) fn load(path: &Path, fabric: &str, switch: &str) -> Option<Saved> {
    let file = match fs::read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(path = %path.display(), %error, "the snapshot of the store is not read");
            return None;
        }
    };
    Saved::parse(&file, fabric, switch)
        .inspect_err(|error| warn!(path = %path.display(), %error, "the snapshot of the store is not used"))
        .ok()
}

/// Writes it so that at any moment the old or the new one is there whole.
pub(super) fn save(path: &Path, saved: &Saved) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    fs::create_dir_all(&directory)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let mut file = File::create(&name)?;
    file.write_all(&saved.to_bytes())?;
    file.sync_all()?;
    fs::rename(&name, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_what_is_damaged_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/e1.snapshot");
        assert_eq!(load(&path, "lab", "e1"), None);
        let saved = Saved { fabric: "lab".into(), switch: "e1".into(), revision: 3, ..Saved::default() };
        save(&path, &saved).unwrap();
        save(&path, &saved).unwrap();
        assert_eq!(load(&path, "lab", "e1"), Some(saved));
        assert_eq!(load(&path, "lab", "e2"), None);
        fs::write(&path, "smoc-store 1 00000000 2\n{}").unwrap();
        assert_eq!(load(&path, "lab", "e1"), None);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }
}
