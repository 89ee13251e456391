//! Numbers as people read them.

/// A number with a comma at every thousand and as many decimals as a tick this far from the next needs: 1,250 or 0.05.
pub(crate) fn with_step(value: f64, step: f64) -> String {
    let decimals = (-step.abs().log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize;
    grouped(&format!("{value:.decimals$}"))
}

/// A number with three significant digits or all before the point: 0.0123, 1.5, 94.3, 1,250.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let before_point = value.abs().log10().floor() + 1.0;
    let decimals = (3.0 - before_point).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(text)
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.split_at(usize::from(text.starts_with('-')));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let read = [0.0, 0.012_34, 1.5, 94.3, 99.96, 1_250.4, 1_234_567.0, -12.0].map(number);
        assert_eq!(read, ["0", "0.0123", "1.5", "94.3", "100", "1,250", "1,234,567", "-12"]);
    }

    #[test]
    fn ticks_have_the_decimals_of_their_step() {
        assert_eq!(with_step(0.3, 0.1), "0.3");
        assert_eq!(with_step(0.25, 0.05), "0.25");
        assert_eq!(with_step(12_000.0, 2_000.0), "12,000");
    }
}
