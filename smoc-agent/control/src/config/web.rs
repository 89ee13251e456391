//! Where the agent serves its page.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;
use smoc_paths::input::Fault;

use super::listener::{self, Listener, RawListener};

/// A TCP port at which the page is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// The port; its rules are those of the one for metrics.
    pub port: Listener,
    /// Whether the page may drain parts of the fabric.
    pub writes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWeb {
    listen: Spanned<String>,
    token_file: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    unencrypted: bool,
    #[serde(default)]
    writes: bool,
}

/// Checks what the file says of the page. Relative names are relative to `directory`.
pub(super) fn check(raw: Option<Spanned<RawWeb>>, directory: &Path, faults: &mut Vec<Fault>) -> Option<Web> {
    let Spanned { value: raw, referenced, defined } = raw?;
    let RawWeb { listen, token_file, cert, key, unencrypted, writes } = raw;
    let port = RawListener { listen, token_file, cert, key, unencrypted };
    let port = listener::check("web", Some(Spanned { value: port, referenced, defined }), directory, faults)?;
    Some(Web { port, writes })
}
