//! The file with a fabric's keys: one a line, the one to sign with first; empty lines and those that begin with `#` count for
//! nothing.

use std::path::Path;

use smoc_paths::input;

use super::ConfigError;
use crate::discovery::key::Keys;

/// Shorter keys can be guessed.
const SHORTEST: usize = 16;
/// While keys are rolled there are two.
const MOST: usize = 2;

/// Reads the keys.
///
/// # Errors
/// The file cannot be read, or holds no sound keys; what it holds is not shown.
pub fn read(path: &Path) -> Result<Keys, ConfigError> {
    let text =
        input::read_text(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
    parse(&text).map_err(|why| ConfigError::Key { path: path.into(), why })
}

fn parse(text: &str) -> Result<Keys, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<Vec<u8>> = lines.map(|line| line.as_bytes().to_vec()).collect();
    if !(1..=MOST).contains(&keys.len()) {
        return Err(format!(
            "key_file: {} keys: write one a line, and a second one only while keys are rolled",
            keys.len()
        ));
    }
    if keys.iter().any(|key| key.len() < SHORTEST) {
        return Err(format!(
            "key_file: a key has fewer than {SHORTEST} bytes: make one with `openssl rand -base64 32`"
        ));
    }
    Ok(Keys::new(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_or_two_of_some_length() {
        let key = "0123456789abcdef";
        assert_eq!(parse(&format!("# fabric\n\n{key}\n")), Ok(Keys::new(vec![key.into()])));
        assert!(parse(&format!("{key}\n{key}x\n")).is_ok());
        for (text, said) in [("", "0 keys"), (&format!("{key}\n").repeat(3), "3 keys"), ("short", "16 bytes")]
        {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said) && !error.contains(key), "{error}");
        }
    }
}
