//! What was refused, and when to ask again.

use std::{collections::BTreeMap, time::Duration};

use super::Wish;
use crate::clock::Nanos;

/// The first and the longest time between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

#[derive(Clone, Debug)]
struct Attempt {
    next: Nanos,
    pause: Duration,
    /// Why the last one failed; `None` while nobody has said that it did.
    why: Option<String>,
}

/// Wishes that are not fulfilled, each with its own back-off.
#[derive(Clone, Debug, Default)]
pub(super) struct Retries(BTreeMap<Wish, Attempt>);

impl Retries {
    /// Whether to try now to fulfil a wish that is not fulfilled; if so, the next time comes later.
    pub(super) fn admit(&mut self, wish: Wish, now: Nanos) -> bool {
        let (first, longest) = PAUSES;
        match self.0.get_mut(&wish) {
            Some(attempt) if now < attempt.next => false,
            Some(attempt) => {
                attempt.pause = (attempt.pause * 2).min(longest);
                attempt.next = now + attempt.pause;
                true
            }
            None => {
                self.0.insert(wish, Attempt { next: now + first, pause: first, why: None });
                true
            }
        }
    }

    /// Whether a wish has been tried and its next time is known.
    pub(super) fn is_waiting(&self, wish: Wish) -> bool {
        self.0.contains_key(&wish)
    }

    /// A wish was refused; whether that, or the reason, is news.
    pub(super) fn refused(&mut self, wish: Wish, why: String, now: Nanos) -> bool {
        let (first, _) = PAUSES;
        let attempt = self.0.entry(wish).or_insert(Attempt { next: now + first, pause: first, why: None });
        let is_news = attempt.why.as_ref() != Some(&why);
        attempt.why = Some(why);
        is_news
    }

    /// A wish is fulfilled or nobody has it any more; whether it had been refused.
    pub(super) fn done(&mut self, wish: Wish) -> bool {
        self.0.remove(&wish).is_some_and(|attempt| attempt.why.is_some())
    }

    /// Forgets wishes whose time has come and that nobody has tried to fulfil again.
    pub(super) fn forget_unwanted(&mut self, now: Nanos) {
        self.0.retain(|wish, attempt| *wish == Wish::Maps || attempt.next > now);
    }

    /// The wishes that were refused, with the reason.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (Wish, &str)> {
        self.0.iter().filter_map(|(wish, attempt)| Some((*wish, attempt.why.as_deref()?)))
    }

    /// When a port may be tried again.
    pub(super) fn next_port(&self) -> Option<Nanos> {
        self.0.iter().filter(|(wish, _)| **wish != Wish::Maps).map(|(_, attempt)| attempt.next).min()
    }

    /// When maps may be written again.
    pub(super) fn next_maps(&self) -> Option<Nanos> {
        self.0.get(&Wish::Maps).map(|attempt| attempt.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_tried_ever_more_seldom_until_it_is_fulfilled() {
        let (mut retries, mut tries) = (Retries::default(), Vec::new());
        for millisecond in 0..100_000u64 {
            if retries.admit(Wish::Maps, Nanos(millisecond * 1_000_000)) {
                tries.push(millisecond);
            }
        }
        assert_eq!(tries, [0, 200, 600, 1400, 3000, 6200, 12_600, 25_400, 51_000, 81_000]);
        assert!(!retries.done(Wish::Maps), "nobody refused it");
        assert!(retries.admit(Wish::Maps, Nanos(1)), "another time it is tried at once");
    }

    #[test]
    fn only_a_new_reason_is_news() {
        let mut retries = Retries::default();
        assert!(retries.refused(Wish::Maps, "full".into(), Nanos(0)));
        assert!(!retries.refused(Wish::Maps, "full".into(), Nanos(1)));
        assert!(retries.refused(Wish::Maps, "gone".into(), Nanos(2)));
        assert_eq!(retries.refusals().collect::<Vec<_>>(), [(Wish::Maps, "gone")]);
    }
}
