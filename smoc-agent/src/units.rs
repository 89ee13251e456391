//! Numbers with units as people write them.

/// A rate in bit/s.
pub fn rate(bits: f64) -> String {
    format!("{}bit/s", scaled(bits))
}

/// A number of bytes, in powers of ten.
pub fn size(bytes: u64) -> String {
    format!("{}B", scaled(bytes as f64))
}

/// A number with the prefix of its unit.
fn scaled(value: f64) -> String {
    let prefixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match prefixes.iter().find(|(factor, _)| value >= *factor) {
        Some((factor, prefix)) => format!("{:.1} {prefix}", value / factor),
        None => format!("{value:.0} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_units() {
        assert_eq!(rate(94_300_000.0), "94.3 Mbit/s");
        assert_eq!(rate(0.0), "0 bit/s");
        assert_eq!(size(1_234_567_890), "1.2 GB");
    }
}
