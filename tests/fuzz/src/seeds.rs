//! Sound input to begin with: files of the repository, and frames of a handshake.

use std::path::{Path, PathBuf};

use smoc_common::testing::scene;
use smoc_common::token::Version;

/// The files of a directory of the repository whose names end so; in the order of their names.
pub fn files(directory: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(directory);
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_meant = |path: &PathBuf| {
        let name = path.to_string_lossy();
        path.is_file() && (endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending)))
    };
    let mut paths: Vec<_> = entries.filter(is_meant).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The frames of a connection and of a second subflow, with IPv4 and IPv6 and both versions of MPTCP.
pub fn frames() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (version, hosts) in [(Version::V1, [scene::A, scene::B]), (Version::V0, [scene::A_V6, scene::B_V6])] {
        all.extend(scene::handshake(version, hosts, [7, 9]).map(|(_, frame)| frame));
        all.extend(scene::join_handshake(hosts[0], hosts[1], 0x1234_5678).map(|(_, frame)| frame));
    }
    all
}

/// A pcap file of these frames.
pub fn pcap(link_type: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link_type] {
        file.extend(u32::to_le_bytes(word));
    }
    for frame in frames {
        for word in [1, 2, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}
