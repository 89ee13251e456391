//! An OCI image without a container engine: a Debian with the package installed, as a layout that engines load.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::version::Version;
use crate::workspace::{command, run};

/// Makes `DIRECTORY/smoc` (for `podman pull oci:DIRECTORY/smoc:VERSION` or `skopeo copy`); gives back its path.
///
/// # Errors
/// There is no mmdebstrap or umoci, or no Debian can be had.
pub fn make(deb: &Path, version: &Version, directory: &Path) -> Result<PathBuf> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot empty {}", directory.display()))?;
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let (layer, layout) = (directory.join("layer.tar"), directory.join("smoc"));
    let mut debian = command("mmdebstrap");
    debian
        .env("SOURCE_DATE_EPOCH", version.epoch.to_string())
        .args(["--variant=minbase", "--aptopt=APT::Install-Recommends \"false\""])
        .arg("--include=ethtool,iproute2,iputils-ping")
        // What the package depends on is in every Debian.
        .arg(format!("--customize-hook=upload \"{}\" /tmp/smoc.deb", deb.display()))
        .arg("--customize-hook=chroot \"$1\" dpkg --install /tmp/smoc.deb && rm \"$1/tmp/smoc.deb\"")
        .args(["--dpkgopt=path-exclude=/usr/share/man/*", "trixie"])
        .arg(&layer);
    run(&mut debian)?;
    // Tags know no `~` and no `+`.
    let image = format!("{}:{}", layout.display(), version.text.replace(['~', '+'], "-"));
    let umoci = |arguments: &[&str]| run(command("umoci").args(arguments));
    umoci(&["init", "--layout", &layout.display().to_string()])?;
    umoci(&["new", "--image", &image])?;
    umoci(&["raw", "add-layer", "--image", &image, &layer.display().to_string()])?;
    umoci(&[
        "config",
        "--image",
        &image,
        "--config.entrypoint",
        "/usr/bin/smoc",
        "--config.cmd",
        "agent",
        "--config.cmd",
        "--config",
        "--config.cmd",
        "/etc/smoc/agent.yaml",
    ])?;
    fs::remove_file(&layer).with_context(|| format!("cannot remove {}", layer.display()))?;
    Ok(layout)
}
