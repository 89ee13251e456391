//! `smoc decode` as a user runs it: exit status, and what goes to which stream.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn capture() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "smoc-common", "tests", "captures", "mptcp-v0.pcap"].iter().collect()
}

fn decode(file: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smoc")).arg("decode").arg(file).args(arguments).output().unwrap()
}

fn objects(output: &Output) -> usize {
    serde_json::from_slice::<Vec<serde_json::Value>>(&output.stdout).unwrap().len()
}

#[test]
fn whole_capture_is_status_0_and_silent_on_standard_error() {
    let output = decode(&capture(), &["--format", "json"]);
    assert_eq!((output.status.code(), objects(&output), &output.stderr[..]), (Some(0), 8, &b""[..]));
}

#[test]
fn table_has_a_line_for_each_option() {
    let output = String::from_utf8(decode(&capture(), &[]).stdout).unwrap();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 9);
    assert!(lines[0].starts_with("FRAME  SOURCE "), "{}", lines[0]);
    let join = "8      10.2.1.2:41221  10.1.2.2:22     MP_JOIN      syn     0           token e47f0142 id 0";
    assert_eq!(lines[5], join);
}

#[test]
fn cut_capture_is_printed_as_far_as_it_goes_with_status_1() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &fs::read(capture()).unwrap()[..1000]).unwrap();
    let output = decode(file.path(), &["--format", "json"]);
    assert_eq!((output.status.code(), objects(&output)), (Some(1), 5));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cut off behind frame 8"));
}

#[test]
fn what_is_no_capture_is_status_2_with_nothing_on_standard_output() {
    for file in [
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
        Path::new("/"),
        Path::new("/nonexistent"),
    ] {
        let output = decode(file, &["--format", "json"]);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]), "{}", file.display());
        assert!(!output.stderr.is_empty());
    }
}
