//! Spans of time on the command line.

use std::time::Duration;

/// Reads a span such as `10m` or `1h 30m`.
///
/// # Errors
/// Any other text, in words that say what to write.
pub fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}: write a time as 10m or 1h 30m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_others_are_refused_with_what_to_write() {
        assert_eq!(span("10m"), Ok(Duration::from_secs(600)));
        assert!(span("10").unwrap_err().contains("write a time as 10m"));
        assert!(span("soon").is_err());
    }
}
