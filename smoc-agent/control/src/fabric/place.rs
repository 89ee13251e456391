//! Where an agent answers operators of the whole fabric.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Where an agent's API can be read: `https://10.9.0.1:9853`, or `http://` without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiPlace {
    /// Address and port in the management network.
    pub address: SocketAddr,
    /// Whether it wants TLS.
    pub tls: bool,
}

impl ApiPlace {
    /// Bytes of [`ApiPlace::to_bytes`].
    pub const LENGTH: usize = 19;

    /// For a frame: 1 if it wants TLS, the address (16, IPv4 mapped), the port (2), big endian.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let address = match self.address.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = self.tls.into();
        bytes[1..17].copy_from_slice(&address.octets());
        bytes[17..].copy_from_slice(&self.address.port().to_be_bytes());
        bytes
    }

    /// Reads what [`ApiPlace::to_bytes`] writes; `None` for anything else.
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let (address, port) = bytes[1..].split_first_chunk::<16>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        let address = SocketAddr::new(IpAddr::from(*address).to_canonical(), port);
        let place = Self { address, tls: bytes[0] == 1 };
        (bytes[0] <= 1 && place.is_sound()).then_some(place)
    }

    fn is_sound(self) -> bool {
        self.address.port() > 0 && !self.address.ip().is_unspecified() && !self.address.ip().is_multicast()
    }
}

impl std::fmt::Display for ApiPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

impl From<ApiPlace> for String {
    fn from(place: ApiPlace) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for ApiPlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{}\" is no place of an API", smoc_paths::input::shown(&text));
        let (scheme, address) = text.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(wrong()),
        };
        let place = Self { address: address.parse().map_err(|_| wrong())?, tls };
        place.is_sound().then_some(place).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for text in ["https://10.9.0.1:9853", "http://[2001:db8::1]:1"] {
            let place = ApiPlace::try_from(text.to_owned()).unwrap();
            assert_eq!(place.to_string(), text);
            assert_eq!(ApiPlace::from_bytes(&place.to_bytes()), Some(place));
        }
        for text in [
            "",
            "ftp://10.0.0.1:1",
            "http://10.0.0.1",
            "http://10.0.0.1:0",
            "http://0.0.0.0:1",
            "http://e1:1",
        ] {
            assert!(ApiPlace::try_from(text.to_owned()).is_err(), "{text}");
        }
        let mut odd = ApiPlace::try_from("http://10.0.0.1:1".to_owned()).unwrap().to_bytes();
        odd[0] = 2;
        assert_eq!(ApiPlace::from_bytes(&odd), None);
        assert_eq!(ApiPlace::from_bytes(&[0; ApiPlace::LENGTH]), None);
    }
}
