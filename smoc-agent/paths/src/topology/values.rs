//! Texts of a topology description as values; the message of any other text says what to write.

use std::net::IpAddr;

use smoc_common::route::PortNumber;
use smoc_common::wire::ethernet::MacAddress;

use crate::input::shown;

/// `switch:port`.
pub(super) fn end(text: &str) -> Result<(String, PortNumber), String> {
    let Some((switch, port)) = text.rsplit_once(':') else {
        let text = shown(text);
        return Err(format!("\"{text}\" has no port: write switch:port-number, such as {text}:1"));
    };
    match whole_number(port).and_then(|number| number.parse().ok()).and_then(PortNumber::new) {
        Some(port) => Ok((switch.to_owned(), port)),
        None => {
            let (port, text) = (shown(port), shown(text));
            Err(format!("\"{port}\" in \"{text}\" is no port: write a number from 1 to 1023"))
        }
    }
}

/// The text, if it is digits alone.
fn whole_number(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// A link's cost.
pub(super) fn cost(text: &str) -> Result<u32, String> {
    whole_number(text).and_then(|number| number.parse().ok()).ok_or_else(|| cost_message(text))
}

/// What to say of a cost that is not 1 to 4294967295.
pub(super) fn cost_message(text: &str) -> String {
    format!("\"{}\" is no cost: write a whole number from 1 to {}", shown(text), u32::MAX)
}

/// An IP address. An IPv4 address may be written as the IPv6 address that maps to it.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map(|address: IpAddr| address.to_canonical()).map_err(|_| {
        format!(
            "\"{}\" is no IP address: write one such as 10.0.0.1 or fd00::1, without a prefix length",
            shown(text)
        )
    })
}

/// A MAC address.
///
/// # Errors
/// It is none; what would be.
pub fn mac_address(text: &str) -> Result<MacAddress, String> {
    let mut bytes = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
        *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or_else(|| {
            format!("\"{}\" is no MAC address: write six bytes such as 02:00:00:00:00:01", shown(text))
        })?;
    }
    match parts.next() {
        None => Ok(MacAddress::new(bytes)),
        Some(_) => Err(format!("\"{}\" is no MAC address: write six bytes, it has more", shown(text))),
    }
}
