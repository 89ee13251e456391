//! Capacity and latency as people write them: `100Mbit`, `1.5Gbit`, `50us`, `1ms`.

use std::fmt;
use std::str::FromStr;

use crate::input::shown;

/// A link's capacity in bit/s, never 0. Written as a number and `bit`, `kbit`, `Mbit`, `Gbit` or `Tbit`
/// (powers of 1000, any case).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(u64);

/// A link's one-way latency in nanoseconds. Written as a number and `ns`, `us`, `ms` or `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Latency(u64);

/// Why a text is no capacity or latency; the message says what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

const BANDWIDTH_UNITS: [(&str, u64); 5] =
    [("Tbit", 1_000_000_000_000), ("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1000), ("bit", 1)];
const LATENCY_UNITS: [(&str, u64); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1)];

impl Bandwidth {
    /// From bit/s; `None` for 0 and for more than 1 Pbit/s.
    pub fn from_bits_per_second(bits: u64) -> Option<Self> {
        (1..=1_000_000_000_000_000).contains(&bits).then_some(Self(bits))
    }

    /// In bit/s.
    pub fn bits_per_second(self) -> u64 {
        self.0
    }
}

impl Latency {
    /// From nanoseconds; `None` for more than a minute.
    pub fn from_nanos(nanos: u64) -> Option<Self> {
        (nanos <= 60_000_000_000).then_some(Self(nanos))
    }

    /// In nanoseconds.
    pub fn nanos(self) -> u64 {
        self.0
    }
}

impl FromStr for Bandwidth {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        quantity(text, &BANDWIDTH_UNITS).and_then(Self::from_bits_per_second).ok_or_else(|| {
            UnitError(format!(
                "\"{}\" is no capacity: write a number and a unit such as 100Mbit or 1Gbit",
                shown(text)
            ))
        })
    }
}

impl FromStr for Latency {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        quantity(text, &LATENCY_UNITS).and_then(Self::from_nanos).ok_or_else(|| {
            UnitError(format!(
                "\"{}\" is no latency up to 60s: write a number and a unit such as 50us or 1ms",
                shown(text)
            ))
        })
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quantity(f, self.0, &BANDWIDTH_UNITS)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quantity(f, self.0, &LATENCY_UNITS)
    }
}

/// Decimal number times unit, exactly: a fraction finer than the smallest unit is refused.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = (&text[..split], text[split..].trim_start());
    let &(_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = fraction.trim_end_matches('0');
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()?.checked_mul(factor)? };
    if parts % scale != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(parts / scale)
}

/// In the largest unit that needs no fraction, so that reading it back gives the same value.
fn write_quantity(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let exact = units.iter().find(|&&(_, factor)| value >= factor && value.is_multiple_of(factor));
    let &(unit, factor) = exact.unwrap_or(&units[units.len() - 1]);
    write!(f, "{}{unit}", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_people_write_them() {
        for (text, bits) in
            [("100Mbit", 100_000_000), ("1.5Gbit", 1_500_000_000), ("10 kbit", 10_000), ("1mbit", 1_000_000)]
        {
            assert_eq!(text.parse::<Bandwidth>().unwrap().bits_per_second(), bits, "{text}");
        }
        for (text, nanos) in [("50us", 50_000), ("1ms", 1_000_000), ("0.25ms", 250_000), ("0ms", 0)] {
            assert_eq!(text.parse::<Latency>().unwrap().nanos(), nanos, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            "100",
            "0Mbit",
            "-1Mbit",
            "1MB",
            "1.5bit",
            "99999999999Tbit",
            ".Mbit",
            "1..2Mbit",
            "1.+5Mbit",
        ] {
            assert!(text.parse::<Bandwidth>().is_err(), "{text}");
        }
        for text in ["1", "1m", "61s", "-1ms", "0.1ns"] {
            assert!(text.parse::<Latency>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for bits in [1, 999, 1000, 1_500_000, 100_000_000, 400_000_000_000] {
            let capacity = Bandwidth::from_bits_per_second(bits).unwrap();
            assert_eq!(capacity.to_string().parse(), Ok(capacity));
        }
        assert_eq!(Latency::from_nanos(0).unwrap().to_string(), "0ns");
        assert_eq!(Latency::from_nanos(1_500_000).unwrap().to_string(), "1500us");
    }
}
