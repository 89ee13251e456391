//! Joins at an edge that has not seen their connection, or not all of its subflows: a host may be attached to several.
//!
//! Such a join goes on at once, by hash or by number. Once both hosts have agreed on it, its edge asks the others over the
//! fabric which connection its token belongs to ([`crate::discovery::inquiry`]). Who knows answers with the subflows that it
//! has, and the edge of the join's initiator, which has the last word about its path, moves it if that overlaps others. The
//! other edge follows the label. It asks again a few times, for siblings that were opened together may have moved
//! together: every other time the one with the lower hash stays, and the other one moves.
//!
//! An answer counts if it has the nonce of a question that is open. Two answers that name different connections leave the subflow where
//! it is: tokens are unique within a host only.

mod choice;
mod rate;

use std::{collections::BTreeMap, time::Duration};

use smoc_common::{
    map::{EdgeIndex, FlowKey},
    pipeline::rank::flow_hash,
    route::PortNumber,
};
use smoc_paths::topology::generate::Random;

use crate::{
    clock::Nanos,
    discovery::inquiry::{Answer, Question},
};
pub use choice::choose;
use rate::Rate;

/// How long answers are waited for.
const WAIT: Duration = Duration::from_millis(150);
/// Time from one question to the next about the same subflow.
const AGAIN: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];
/// Subflows that are asked for at a time. More stay where they are.
const MOST_OPEN: usize = 256;
/// Questions of others whose answers find their way back, and for how long.
const PASSED_ON: (usize, Duration) = (4096, Duration::from_secs(1));
/// Answers to one question that are taken or passed on: no connection has more edges than subflows.
const MOST_ANSWERS: u8 = 32;
/// Questions that this switch asks, a second and at once.
const ASKED: (u32, u32) = (20, 20);
/// Questions of others that it passes on and looks into.
const PASSED: (u32, u32) = (200, 100);

/// A join that both hosts have agreed on, at an edge that does not know all its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The subflow.
    pub flow: FlowKey,
    /// When it was opened: nanoseconds of CLOCK_MONOTONIC, which tell it from another one with the same addresses and ports.
    pub opened: u64,
    /// The token of its SYN.
    pub token: u32,
    /// The edge at its other end.
    pub edge: EdgeIndex,
    /// The rank of its path.
    pub rank: u8,
    /// Whether the local host opened it: then this edge decides about its path.
    pub is_ours: bool,
}

impl Stray {
    /// What it is called in answers.
    pub fn hash(&self) -> u32 {
        flow_hash(&self.flow, 0)
    }
}

/// What answers say of a stray: its connection, and where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The subflow.
    pub stray: Stray,
    /// The other token of its connection.
    pub peer: u32,
    /// How many subflows the connection has, this one included.
    pub subflows: u32,
    /// The rank on which it goes on.
    pub rank: u8,
}

/// What to do with an answer that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was for this switch.
    Taken,
    /// Send it out of this port.
    PassOn(PortNumber),
    /// It answers nothing that was asked.
    Unasked,
}

#[derive(Clone, Debug)]
struct Open {
    stray: Stray,
    round: usize,
    due: Nanos,
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug)]
struct Passed {
    from: PortNumber,
    at: Nanos,
    answers: u8,
}

/// The questions that are open, of this switch and of others.
#[derive(Clone, Debug)]
pub struct Inquiries {
    random: Random,
    /// Strays to be asked for, when, and for which time.
    waiting: Vec<(Nanos, Stray, usize)>,
    open: BTreeMap<u64, Open>,
    passed: BTreeMap<u64, Passed>,
    asking: Rate,
    passing: Rate,
}

impl Inquiries {
    /// None yet. `seed` is a number that nobody else has.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            waiting: Vec::new(),
            open: BTreeMap::new(),
            passed: BTreeMap::new(),
            asking: Rate::new(ASKED),
            passing: Rate::new(PASSED),
        }
    }

    /// A join is to be asked for.
    pub fn strayed(&mut self, stray: Stray, now: Nanos) {
        if self.waiting.len() + self.open.len() < MOST_OPEN {
            self.waiting.push((now, stray, 0));
        }
    }

    /// The questions to be asked now.
    pub fn due(&mut self, now: Nanos) -> Vec<Question> {
        let mut questions = Vec::new();
        while let Some(place) = self.waiting.iter().position(|(due, ..)| *due <= now) {
            if !self.asking.admit(now) {
                break;
            }
            let (_, stray, round) = self.waiting.swap_remove(place);
            let question = Question { nonce: self.random.bits(), token: stray.token };
            self.open.insert(question.nonce, Open { stray, round, due: now + WAIT, answers: Vec::new() });
            questions.push(question);
        }
        questions
    }

    /// The strays whose answers have been waited for, with these and how often they have been asked for before.
    pub fn answered(&mut self, now: Nanos) -> Vec<(Stray, usize, Vec<Answer>)> {
        let done: Vec<u64> =
            self.open.iter().filter(|(_, open)| open.due <= now).map(|(nonce, _)| *nonce).collect();
        let mut all = Vec::new();
        for Open { stray, round, answers, .. } in done.iter().filter_map(|nonce| self.open.remove(nonce)) {
            all.push((stray, round, answers));
        }
        all
    }

    /// A stray that is at this rank now is asked for again, if it was not often enough yet.
    pub fn again(&mut self, stray: Stray, round: usize, now: Nanos) {
        if let Some(pause) = AGAIN.get(round)
            && self.waiting.len() + self.open.len() < MOST_OPEN
        {
            self.waiting.push((now + *pause, stray, round + 1));
        }
    }

    /// Whether a question is new, and so to be passed on and looked into.
    pub fn hear(&mut self, question: &Question, from: PortNumber, now: Nanos) -> bool {
        let (most, long) = PASSED_ON;
        if self.open.contains_key(&question.nonce) || self.passed.contains_key(&question.nonce) {
            return false;
        }
        if self.passed.len() >= most {
            self.passed.retain(|_, passed| now.since(passed.at) < long);
        }
        if self.passed.len() >= most || !self.passing.admit(now) {
            return false;
        }
        self.passed.insert(question.nonce, Passed { from, at: now, answers: 0 });
        true
    }

    /// What to do with an answer that came in through a port, or that this switch itself gives.
    pub fn take(&mut self, answer: &Answer, from: Option<PortNumber>, now: Nanos) -> Heard {
        let nonce = answer.question.nonce;
        if let Some(open) = self.open.get_mut(&nonce) {
            let fits =
                open.stray.token == answer.question.token && open.answers.len() < usize::from(MOST_ANSWERS);
            if !fits {
                return Heard::Unasked;
            }
            open.answers.push(answer.clone());
            return Heard::Taken;
        }
        match self.passed.get_mut(&nonce) {
            Some(passed)
                if from != Some(passed.from)
                    && passed.answers < MOST_ANSWERS
                    && now.since(passed.at) < PASSED_ON.1 =>
            {
                passed.answers += 1;
                Heard::PassOn(passed.from)
            }
            _ => Heard::Unasked,
        }
    }

    /// When something is due, if nothing else happens.
    pub fn next(&self) -> Option<Nanos> {
        let asked = self.waiting.iter().map(|(due, ..)| (*due).max(self.asking.free_at()));
        asked.chain(self.open.values().map(|open| open.due)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoc_common::wire::ip::Address;

    const TOKEN: u32 = 7;

    fn port(number: u16) -> PortNumber {
        PortNumber::new(number).unwrap()
    }

    fn stray(n: u16) -> Stray {
        let (local, remote) = (Address::from_v4([10, 0, 0, 1]), Address::from_v4([10, 0, 0, 2]));
        Stray {
            flow: FlowKey::new(local, n, remote, 80),
            opened: 1,
            token: TOKEN,
            edge: 1,
            rank: 0,
            is_ours: true,
        }
    }

    fn answer(question: Question, edge: &str) -> Answer {
        Answer { question, peer: 9, edge: edge.into(), subflows: Vec::new() }
    }

    fn at(milliseconds: u64) -> Nanos {
        Nanos(milliseconds * 1_000_000)
    }

    #[test]
    fn a_stray_is_asked_for_four_times_and_what_is_answered_meanwhile_counts() {
        let mut inquiries = Inquiries::new(1);
        inquiries.strayed(stray(1), at(0));
        let mut asked = Vec::new();
        for millisecond in 0..10_000 {
            for question in inquiries.due(at(millisecond)) {
                asked.push(millisecond);
                assert_eq!(
                    inquiries.take(&answer(question, "e2"), Some(port(1)), at(millisecond)),
                    Heard::Taken
                );
            }
            for (stray, round, answers) in inquiries.answered(at(millisecond)) {
                assert_eq!(answers.len(), 1);
                inquiries.again(stray, round, at(millisecond));
            }
        }
        assert_eq!(asked, [0, 450, 1600, 4750]);
        assert_eq!(inquiries.next(), None);
    }

    #[test]
    fn answers_go_back_where_the_question_came_from_and_nowhere_without_one() {
        let (mut inquiries, question) = (Inquiries::new(1), Question { nonce: 5, token: TOKEN });
        let answer = answer(question, "e2");
        assert_eq!(inquiries.take(&answer, Some(port(2)), at(0)), Heard::Unasked);
        assert!(inquiries.hear(&question, port(1), at(0)));
        assert!(!inquiries.hear(&question, port(2), at(0)), "a copy that came by another way");
        assert_eq!(inquiries.take(&answer, Some(port(2)), at(1)), Heard::PassOn(port(1)));
        assert_eq!(inquiries.take(&answer, Some(port(1)), at(1)), Heard::Unasked, "from the asker");
        assert_eq!(inquiries.take(&answer, None, at(1)), Heard::PassOn(port(1)));
        assert_eq!(inquiries.take(&answer, Some(port(2)), at(2000)), Heard::Unasked, "too late");
        for _ in 0..100 {
            inquiries.take(&answer, Some(port(2)), at(2));
        }
        assert_eq!(inquiries.take(&answer, Some(port(2)), at(2)), Heard::Unasked, "too many");
    }

    #[test]
    fn an_answer_with_another_token_than_was_asked_for_is_not_believed() {
        let mut inquiries = Inquiries::new(1);
        inquiries.strayed(stray(1), at(0));
        let question = inquiries.due(at(0))[0];
        let other = answer(Question { token: 8, ..question }, "e2");
        assert_eq!(inquiries.take(&other, Some(port(1)), at(0)), Heard::Unasked);
    }

    #[test]
    fn floods_of_strays_and_questions_stay_within_their_budgets() {
        let mut inquiries = Inquiries::new(1);
        let (mut asked, mut passed) = (0, 0);
        for millisecond in 0..10_000 {
            for n in 0..10 {
                inquiries.strayed(stray(n), at(millisecond));
                let question = Question { nonce: 100 + millisecond * 10 + u64::from(n), token: 1 };
                passed += u32::from(inquiries.hear(&question, port(1), at(millisecond)));
            }
            asked += inquiries.due(at(millisecond)).len();
            inquiries.answered(at(millisecond));
        }
        assert!((200..=240).contains(&asked), "{asked} questions in ten seconds");
        assert!((2000..=2110).contains(&passed), "{passed} questions of others in ten seconds");
    }
}
