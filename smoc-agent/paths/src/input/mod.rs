//! Files that people write: reading them, and what is said of a text that is not what it should be.

use std::{io, path::Path};

use ipnet::IpNet;

mod json;
mod tree;
mod yaml;

pub use json::{json_kinds, json_tree};
pub use tree::{Lines, Tree, Value};
pub use yaml::{read_yaml, yaml_kinds, yaml_tree};

/// A prefix as people write it: an address, a slash and the length, with no bit set behind that.
///
/// # Errors
/// What to write instead.
pub fn prefix(text: &str) -> Result<IpNet, String> {
    let what = "write an address, a slash and the length, such as 10.1.0.0/16 or 2001:db8::/32";
    let prefix: IpNet = text.parse().map_err(|_| format!("\"{}\" is no prefix: {what}", shown(text)))?;
    if prefix.trunc() != prefix {
        return Err(format!("{prefix} has bits behind the prefix: write {}", prefix.trunc()));
    }
    Ok(prefix)
}

/// Line (from 1; 0: not known) and what is wrong there.
pub type Fault = (u64, String);

/// Faults of a file, one a line: `file:line: fault`.
pub fn lines(path: &Path, faults: &[Fault]) -> String {
    let line = |(line, message): &Fault| match line {
        0 => format!("{}: {message}", path.display()),
        _ => format!("{}:{line}: {message}", path.display()),
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// It cannot be read, or is no text; the message says what to do then.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::IsADirectory => io::Error::new(error.kind(), "this is a directory: name a file in it"),
        _ => error,
    })?;
    text_of(bytes)
}

/// The contents of a file as text, without a byte order mark.
///
/// # Errors
/// They are no text; the message says what to do then.
pub fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    let kind = no_text(&bytes);
    match String::from_utf8(bytes) {
        Ok(text) if kind.is_none() => Ok(without_mark(&text).to_owned()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            kind.unwrap_or("this is no text in UTF-8: name a text file, or save it as UTF-8"),
        )),
    }
}

/// The text without the byte order mark that some editors put in front.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What a file is that begins as no text does, and what to do about it.
fn no_text(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 7] = [
        (b"\xff\xfe", "this is UTF-16: save it as UTF-8"),
        (b"\xfe\xff", "this is UTF-16: save it as UTF-8"),
        (b"\x1f\x8b", "this is compressed: unpack it with gunzip"),
        (b"\xfd7zXZ", "this is compressed: unpack it with unxz"),
        (b"\x28\xb5\x2f\xfd", "this is compressed: unpack it with unzstd"),
        (b"PK\x03\x04", "this is a zip archive: unpack it and name a file in it"),
        (b"%PDF", "this is a PDF document: name a topology file"),
    ];
    BEGINNINGS.iter().find(|(start, _)| bytes.starts_with(start)).map(|&(_, what)| what)
}

/// A text from a file as messages show it: what cannot be printed is escaped, and the rest of a long one left out.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text[..end].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_text_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("latin1");
        std::fs::write(&file, b"\xe91").unwrap();
        assert!(read_text(&file).unwrap_err().to_string().starts_with("this is no text in UTF-8"));
        for (bytes, answer) in
            [(&b"\xff\xfea\0"[..], "UTF-16"), (b"\x1f\x8b\x08", "gunzip"), (b"PK\x03\x04", "zip")]
        {
            std::fs::write(&file, bytes).unwrap();
            assert!(read_text(&file).unwrap_err().to_string().contains(answer));
        }
        std::fs::write(&file, "\u{feff}{}").unwrap();
        assert_eq!(read_text(&file).unwrap(), "{}");
        assert!(read_text(directory.path()).unwrap_err().to_string().starts_with("this is a directory"));
        assert!(read_text(&directory.path().join("none")).unwrap_err().to_string().contains("No such file"));
    }

    #[test]
    fn what_cannot_be_printed_is_escaped_and_what_is_long_cut() {
        assert_eq!(shown("x\u{1b}[31m\ny"), "x\\u{1b}[31m\\ny");
        assert_eq!(shown(&"é".repeat(41)), "é".repeat(40) + "...");
        assert_eq!(shown("日本"), "日本");
    }
}
