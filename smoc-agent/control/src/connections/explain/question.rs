//! What is to be explained, as the API is asked: `token=8a3f`, or `src=A&sport=P&dst=A&dport=P`.

use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A flow; either direction.
    Flow {
        /// Source address.
        source: IpAddr,
        /// Source port.
        source_port: u16,
        /// Destination address.
        destination: IpAddr,
        /// Destination port.
        destination_port: u16,
    },
    /// All connections with this token.
    Token(u32),
}

/// Why there is nothing to explain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// Neither a token, nor all four of a flow.
    #[error("give token, or src, sport, dst and dport")]
    Missing,
    /// Not as tokens are written.
    #[error("token \"{0}\": write 1 to 8 hex digits")]
    Token(String),
    /// An address that is none.
    #[error("{0} \"{1}\": write an IP address")]
    Address(&'static str, String),
    /// A port that is none.
    #[error("{0} \"{1}\": write a port from 0 to 65535")]
    Port(&'static str, String),
}

impl Question {
    /// From the parameters of a request, by name. A token comes before a flow; others mean nothing.
    ///
    /// # Errors
    /// They name nothing.
    pub fn read<'a>(parameter: impl Fn(&str) -> Option<&'a str>) -> Result<Self, QuestionError> {
        fn value<'a, T: FromStr>(
            text: Option<&'a str>,
            wrong: impl FnOnce(&'a str) -> QuestionError,
        ) -> Result<T, QuestionError> {
            let text = text.ok_or(QuestionError::Missing)?;
            text.parse().map_err(|_| wrong(text))
        }
        if let Some(text) = parameter("token") {
            return Self::of_token(text);
        }
        let address = |name| value(parameter(name), |text| QuestionError::Address(name, text.into()));
        let port = |name| value(parameter(name), |text| QuestionError::Port(name, text.into()));
        Ok(Self::Flow {
            source: address("src")?,
            source_port: port("sport")?,
            destination: address("dst")?,
            destination_port: port("dport")?,
        })
    }

    /// From a token as `ss -Mi` or `smoc conns` show it, with or without 0x.
    ///
    /// # Errors
    /// It is not written in 1 to 8 hex digits.
    pub fn of_token(text: &str) -> Result<Self, QuestionError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let is_one = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let token = u32::from_str_radix(digits, 16).ok().filter(|_| is_one);
        token.map(Self::Token).ok_or_else(|| QuestionError::Token(text.into()))
    }

    /// The parameters of a request, as [`Question::read`] reads them.
    pub fn parameters(&self) -> String {
        match self {
            Self::Token(token) => format!("token={token:08x}"),
            Self::Flow { source, source_port, destination, destination_port } => {
                format!("src={source}&sport={source_port}&dst={destination}&dport={destination_port}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Question, QuestionError> {
        let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Question::read(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let flow = |source: &str, destination: &str| Question::Flow {
            source: source.parse().unwrap(),
            source_port: 0,
            destination: destination.parse().unwrap(),
            destination_port: 65535,
        };
        let flows = [flow("10.0.0.1", "10.0.0.2"), flow("fd00::1", "::ffff:10.0.0.1")];
        for question in flows.into_iter().chain([0, 0x8a3f, u32::MAX].map(Question::Token)) {
            assert_eq!(read(&question.parameters()), Ok(question));
        }
    }

    #[test]
    fn token_is_one_to_eight_hex_digits() {
        for (text, token) in [("8a3f", 0x8a3f), ("0x8A3F", 0x8a3f), ("ffffffff", u32::MAX)] {
            assert_eq!(Question::of_token(text), Ok(Question::Token(token)), "{text}");
        }
        for text in ["", "0x", "+8a3f", "-1", "0x0x1", "000000001", "8a3g", " 8a3f", "é"] {
            assert_eq!(Question::of_token(text), Err(QuestionError::Token(text.into())), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let table = [
            ("", "give token, or src, sport, dst and dport"),
            ("src=10.0.0.1&sport=1&dst=10.0.0.2", "give token, or src, sport, dst and dport"),
            ("src=h1&sport=1&dst=10.0.0.2&dport=2", "src \"h1\": write an IP address"),
            ("src=10.0.0.1&sport=1&dst=10.0.0.2/24&dport=2", "dst \"10.0.0.2/24\": write an IP address"),
            (
                "src=10.0.0.1&sport=65536&dst=10.0.0.2&dport=2",
                "sport \"65536\": write a port from 0 to 65535",
            ),
            ("token=&src=10.0.0.1", "token \"\": write 1 to 8 hex digits"),
        ];
        for (query, message) in table {
            assert_eq!(read(query).unwrap_err().to_string(), message, "{query}");
        }
    }
}
