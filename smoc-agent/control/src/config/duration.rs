//! Times in a configuration: `10ms`, `1s`, `500us`, `10m`; `off` and `0` are none.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Reads a time.
///
/// # Errors
/// The text is none.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        /// YAML 1.1 has `off` for false.
        Switch(bool),
        Number(u64),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Switch(false) | Written::Number(0) => Ok(Duration::ZERO),
        Written::Switch(true) => {
            Err(de::Error::custom("on is no time: write a number and us, ms, s or m, or off"))
        }
        Written::Number(number) => {
            Err(de::Error::custom(format!("{number} has no unit: write {number}ms or {number}s")))
        }
        Written::Text(text) => parse(&text).ok_or_else(|| {
            de::Error::custom(format!("\"{text}\" is no time: write a number and us, ms, s or m, or off"))
        }),
    }
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "off" || text == "0" {
        return Some(Duration::ZERO);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * seconds;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero() && *time <= Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(parse("10ms"), Some(Duration::from_millis(10)));
        assert_eq!(parse("1.5 s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse("off"), Some(Duration::ZERO));
        for text in ["", "ms", "10", "1h", "61m", "1e9s", "-1s", "0ms"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
