//! What an agent keeps over restarts of the machine: what operators want of the fabric, in a file.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use smoc_control::{config::Config, fabric::Record};
use tokio::sync::watch;
use tracing::warn;

/// The version of the file that this agent writes. It reads only this one.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    records: Vec<Record>,
}

/// Where a switch's records are kept.
fn file(config: &Config) -> PathBuf {
    config.state.join(format!("{}.records.json", config.switch))
}

/// What an earlier agent kept; nothing if there is no file, or it cannot be read, which is said.
pub(super) fn load(config: &Config) -> Vec<Record> {
    let path = file(config);
    read(&path).unwrap_or_else(|error| {
        let path = path.display();
        warn!(%path, %error, "what operators wanted is not known here until another switch tells: drain again, or restore the file");
        Vec::new()
    })
}

fn read(path: &Path) -> io::Result<Vec<Record>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let document: Document = serde_json::from_slice(&text)?;
    if document.version == VERSION {
        return Ok(document.records);
    }
    Err(io::Error::other(format!("it is of version {}, and this agent reads {VERSION}", document.version)))
}

/// Writes what is to be kept whenever it changes, on a pool thread: a disk that is slow or full delays nothing else.
///
/// # Errors
/// None: what cannot be written is said, and tried again with the next change.
pub(super) async fn run(
    config: std::sync::Arc<Config>,
    mut kept: watch::Receiver<Vec<Record>>,
) -> Result<(), String> {
    let path = file(&config);
    while kept.changed().await.is_ok() {
        let (records, to) = (kept.borrow_and_update().clone(), path.clone());
        let written = tokio::task::spawn_blocking(move || write(&to, records)).await;
        let error = match written {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        warn!(path = %path.display(), error, "what operators want is lost if all agents end: make this directory writable (state)");
    }
    Ok(())
}

/// Writes the file anew and puts it in place of the old one, so that there is always a whole one.
fn write(path: &Path, records: Vec<Record>) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    serde_json::to_writer_pretty(&mut file, &Document { version: VERSION, records })?;
    file.flush()?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_again_and_what_is_broken_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below").join("e1.records.json");
        assert!(read(&path).unwrap().is_empty());
        let record = Record { name: "drain/e1".into(), text: Some("new fan".into()), written: 7 };
        write(&path, vec![record.clone()]).unwrap();
        assert_eq!(read(&path).unwrap(), [record]);
        fs::write(&path, "{\"version\": 2, \"records\": []}").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("of version 2"));
        fs::write(&path, "{\"version\": 1, \"rec").unwrap();
        assert!(read(&path).is_err());
    }
}
