//! How an agent asks those of the other edges which connection a token belongs to, and what they answer.
//!
//! The frames travel as announcements do ([`super::announcement`]): from fabric ports only, and each agent passes them on: a
//! question to all its other neighbours, an answer to the one that the question came from.
//!
//! | bytes | field |
//! |---|---|
//! | 0..19 | as of an announcement |
//! | 19 | 0 |
//! | 20..22 | 2 for a question, 3 for an answer |
//! | 22..24 | 0 |
//! | 24..32 | nonce of the question |
//! | 32..36 | the token that is asked for |
//!
//! A question ends here, and in an answer follows what an edge knows of one connection with this token:
//!
//! | bytes | field |
//! |---|---|
//! | 36..40 | its other token |
//! | 40 | number of subflows |
//! | 41 | length of the name of the edge |
//! | 42.. | name of the edge that answers, UTF-8, 1 to 64 bytes |
//! | then each | hash of the 4-tuple (4), rank (1), 1 if the rank stays (1), length of a name (1), name of the other edge |
//!
//! Numbers are big endian. Tokens are no secrets: every join carries one in clear.

use smoc_common::wire::ethernet::MacAddress;

use super::announcement::begin_kind;

const QUESTION: u16 = 2;
const ANSWER: u16 = 3;
/// The least that a frame of an agent has.
const LEAST: usize = 42;
/// Subflows in one answer: it fits every Ethernet, and hosts have no more of one connection.
pub const SUBFLOWS: usize = 16;
const NAME: usize = 64;

/// A question or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// Which connection does this token belong to?
    Question(Question),
    /// This one.
    Answer(Answer),
}

/// Which connection a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// A number that nobody can guess: answers have it.
    pub nonce: u64,
    /// The token.
    pub token: u32,
}

/// What one edge knows of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The connection's other token.
    pub peer: u32,
    /// The name of the edge.
    pub edge: String,
    /// Its subflows there.
    pub subflows: Vec<Sibling>,
}

/// A subflow of a connection that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// [`smoc_common::pipeline::rank::flow_hash`] of its 4-tuple, the same at both of its edges.
    pub hash: u32,
    /// The rank of its path.
    pub rank: u8,
    /// Whether that stays: nobody asks for this one.
    pub stays: bool,
    /// The name of the edge at its other end.
    pub edge: String,
}

impl Inquiry {
    /// The frame, as sent from a port with this MAC address.
    pub fn frame(&self, source: MacAddress) -> Vec<u8> {
        let (kind, question) = match self {
            Self::Question(question) => (QUESTION, question),
            Self::Answer(answer) => (ANSWER, &answer.question),
        };
        let mut frame = begin_kind(source, kind);
        frame.extend(question.nonce.to_be_bytes());
        frame.extend(question.token.to_be_bytes());
        if let Self::Answer(Answer { peer, edge, subflows, .. }) = self {
            let subflows = &subflows[..subflows.len().min(SUBFLOWS)];
            frame.extend(peer.to_be_bytes());
            frame.extend([subflows.len() as u8, edge.len() as u8]);
            frame.extend(edge.as_bytes());
            for Sibling { hash, rank, stays, edge } in subflows {
                frame.extend(hash.to_be_bytes());
                frame.extend([*rank, u8::from(*stays), edge.len() as u8]);
                frame.extend(edge.as_bytes());
            }
        }
        frame.resize(frame.len().max(LEAST), 0);
        frame
    }

    /// Reads what follows the head of a frame of this kind; `None` if it is none or is cut off.
    pub(super) fn parse(kind: u16, bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let question =
            Question { nonce: u64::from_be_bytes(rest.take()?), token: u32::from_be_bytes(rest.take()?) };
        match kind {
            QUESTION => Some(Self::Question(question)),
            ANSWER => rest.answer(question).map(Self::Answer),
            _ => None,
        }
    }
}

/// What is left to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn name(&mut self, length: u8) -> Option<String> {
        let (name, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        let is_name = (1..=NAME).contains(&name.len());
        is_name.then(|| std::str::from_utf8(name).ok().map(str::to_owned))?
    }

    fn answer(&mut self, question: Question) -> Option<Answer> {
        let peer = u32::from_be_bytes(self.take()?);
        let [count, length] = self.take()?;
        let edge = self.name(length)?;
        let subflows = (0..count).map(|_| self.sibling()).collect::<Option<_>>()?;
        Some(Answer { question, peer, edge, subflows }).filter(|_| usize::from(count) <= SUBFLOWS)
    }

    fn sibling(&mut self) -> Option<Sibling> {
        let hash = u32::from_be_bytes(self.take()?);
        let [rank, stays, length] = self.take()?;
        Some(Sibling { hash, rank, stays: stays != 0, edge: self.name(length)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Nanos, discovery::announcement::Message};

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    const QUESTION: Question = Question { nonce: 0x0102_0304_0506_0708, token: 0xdead_beef };

    fn answer(count: usize) -> Inquiry {
        let sibling = |n: usize| Sibling {
            hash: n as u32,
            rank: n as u8 % 8,
            stays: n.is_multiple_of(2),
            edge: "e".repeat(n + 1),
        };
        let subflows = (0..count).map(sibling).collect();
        Inquiry::Answer(Answer { question: QUESTION, peer: 7, edge: "e2".into(), subflows })
    }

    fn parsed(frame: &[u8]) -> Option<Message> {
        Message::parse(frame, Nanos(0))
    }

    #[test]
    fn questions_and_answers_survive_the_wire_and_padding() {
        for sent in [Inquiry::Question(QUESTION), answer(0), answer(1), answer(SUBFLOWS)] {
            let mut frame = sent.frame(MAC);
            for length in [frame.len(), frame.len().max(60)] {
                frame.resize(length, 0);
                assert_eq!(parsed(&frame), Some(Message::Inquiry(sent.clone())));
            }
            assert!(frame.len() <= 1514, "{}", frame.len());
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_or_says_more_than_fits_is_none() {
        let frame = answer(3).frame(MAC);
        for length in 0..frame.len() {
            assert_eq!(parsed(&frame[..length]), None, "{length} bytes");
        }
        for (at, byte) in
            [(0, 3), (12, 8), (14, b'x'), (18, 1), (21, 4), (40, 4), (40, 200), (41, 0), (41, 65), (42, 0xff)]
        {
            let mut frame = frame.clone();
            frame[at] = byte;
            assert_eq!(parsed(&frame), None, "byte {at}");
        }
    }
}
