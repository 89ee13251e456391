//! `smoc decode` as a user runs it: exit status, and what goes to which stream.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
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

/// `smoc decode - --format json` with this on its standard input.
fn decode_input(input: &[u8]) -> Output {
    let mut smoc = Command::new(env!("CARGO_BIN_EXE_smoc"))
        .args(["decode", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may stop reading before the end.
    _ = smoc.stdin.take().unwrap().write_all(input);
    smoc.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The capture in two parts that are packed one after the other, as by appending to a file.
fn packed(pack: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let whole = fs::read(capture()).unwrap();
    let (one, other) = whole.split_at(1000);
    [pack(one), pack(other)].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let frame = ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    [&skippable[..], &frame].concat()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut xz = lzma_rust2::XzWriter::new(vec![], lzma_rust2::XzOptions::default()).unwrap();
    xz.write_all(bytes).unwrap();
    xz.finish().unwrap()
}

#[test]
fn standard_input_and_packed_files_are_read_like_files() {
    for input in [fs::read(capture()).unwrap(), packed(gzip), packed(zstd), packed(xz)] {
        let output = decode_input(&input);
        assert_eq!((output.status.code(), objects(&output)), (Some(0), 8), "{}", stderr(&output));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &input).unwrap();
        assert_eq!(decode(file.path(), &["--format", "json"]).stdout, output.stdout);
    }
}

#[test]
fn packed_file_that_is_cut_off_anywhere_is_never_taken_for_a_whole_one() {
    for pack in [gzip, zstd, xz] {
        let input = pack(&fs::read(capture()).unwrap());
        for kept in [5, 7, input.len() / 2, input.len() - 1] {
            let output = decode_input(&input[..kept]);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{kept}: {}", stderr(&output));
            assert!(stderr(&output).contains("standard input"), "{kept}: {}", stderr(&output));
        }
    }
}

#[test]
fn file_packed_otherwise_is_refused_by_name() {
    let output = decode_input(b"BZh91AY&SY");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("bzip2"), "{}", stderr(&output));
}

/// A raw IP capture with these packets.
fn raw_ip(packets: &[&[u8]]) -> tempfile::NamedTempFile {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101]);
    for packet in packets {
        let length = packet.len() as u32;
        file.extend(words(&[1_700_000_000, 0, length, length]));
        file.extend(*packet);
    }
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(path.path(), file).unwrap();
    path
}

/// A SYN with this option of four bytes, and a packet of IPsec.
fn syn_and_ipsec(option: [u8; 4]) -> tempfile::NamedTempFile {
    let head =
        |length, protocol| [0x45, 0, 0, length, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let tcp = [0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0, 0, 0, 0, 0, 0];
    raw_ip(&[&[&head(44, 6)[..], &tcp, &option].concat(), &[&head(40, 50)[..], &[7; 20]].concat()])
}

#[test]
fn what_was_not_read_is_told_on_standard_error() {
    let file = syn_and_ipsec([1; 4]);
    let output = decode(file.path(), &["--format", "json"]);
    assert_eq!((output.status.code(), objects(&output)), (Some(0), 0));
    let lines =
        ["smoc: 0 MPTCP options in 2 frames, 1 TCP segment", "smoc: 1 frame not read: encrypted (IPsec)"];
    assert_eq!(stderr(&output).lines().collect::<Vec<_>>(), lines);
}

#[test]
fn ignored_options_are_counted_and_listed_on_demand() {
    let file = syn_and_ipsec([30, 4, 0x01, 0x41]);
    assert!(stderr(&decode(file.path(), &[])).contains("1 MPTCP option that hosts ignore"));
    let list = decode(file.path(), &["--ignored", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    let expected = serde_json::json!([{
        "frame": 1, "src": "10.0.0.1", "sport": 1, "dst": "10.0.0.2", "dport": 2, "subtype": "MP_CAPABLE",
        "reason": "flag B is set: an extension that does not exist",
    }]);
    assert_eq!(list, expected);
}

#[test]
fn summary_counts_everything() {
    let file = syn_and_ipsec([30, 4, 0x01, 0x01]);
    let summary = decode(file.path(), &["--summary", "--format", "json"]);
    let summary: serde_json::Value = serde_json::from_slice(&summary.stdout).unwrap();
    let expected = serde_json::json!({
        "frames": 2, "segments": 1, "encapsulations": {}, "without_tcp": 0, "unread": {"encrypted (IPsec)": 1}, "cut": 0,
        "options": {"MP_CAPABLE": 1}, "ignored": 0, "connections": 1,
    });
    assert_eq!(summary, expected);
}
