//! Virtual time: what happens when, in one order that depends on nothing else.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use smoc_control::clock::Nanos;

/// Events to come. Of two at the same time the one that was scheduled first comes first.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    /// Those that were scheduled for the moment in which they were scheduled: they come behind all that were scheduled for
    /// it before, and most of a flood's events are of them.
    at_once: VecDeque<E>,
    scheduled: u64,
    now: Nanos,
}

#[derive(Debug)]
struct Entry<E> {
    at: Nanos,
    order: u64,
    event: E,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), at_once: VecDeque::new(), scheduled: 0, now: Nanos(0) }
    }
}

impl<E> Queue<E> {
    /// The time of the event that was taken last.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Schedules an event; one in the past comes next.
    pub fn at(&mut self, at: Nanos, event: E) {
        if at <= self.now {
            return self.at_once.push_back(event);
        }
        self.scheduled += 1;
        self.heap.push(Reverse(Entry { at, order: self.scheduled, event }));
    }

    /// Schedules an event after a while.
    pub fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// The next event, unless it comes after `end`: then time stands at `end`.
    pub fn next(&mut self, end: Nanos) -> Option<E> {
        let is_now = |Reverse(entry): &Reverse<Entry<E>>| entry.at <= self.now;
        if !self.heap.peek().is_some_and(is_now)
            && self.now <= end
            && let Some(event) = self.at_once.pop_front()
        {
            return Some(event);
        }
        if self.heap.peek().is_none_or(|Reverse(entry)| entry.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_scheduling() {
        let mut queue = Queue::default();
        queue.at(Nanos(5), 'c');
        queue.at(Nanos(1), 'a');
        queue.at(Nanos(5), 'd');
        queue.at(Nanos(3), 'b');
        let taken: String = std::iter::from_fn(|| queue.next(Nanos(5))).collect();
        assert_eq!((taken.as_str(), queue.now()), ("abcd", Nanos(5)));
    }

    #[test]
    fn what_is_to_happen_at_once_comes_behind_what_was_scheduled_for_that_moment_before() {
        let mut queue = Queue::default();
        for event in ['a', 'b'] {
            queue.at(Nanos(5), event);
        }
        assert_eq!((queue.next(Nanos(9)), queue.now()), (Some('a'), Nanos(5)));
        queue.at(Nanos(3), 'c');
        queue.at(Nanos(6), 'e');
        queue.after(Duration::ZERO, 'd');
        let taken: String = std::iter::from_fn(|| queue.next(Nanos(9))).collect();
        assert_eq!((taken.as_str(), queue.now()), ("bcde", Nanos(9)));
    }

    #[test]
    fn time_stands_still_at_the_end_and_never_goes_back() {
        let mut queue = Queue::default();
        queue.at(Nanos(9), ());
        assert_eq!((queue.next(Nanos(7)), queue.now()), (None, Nanos(7)));
        queue.at(Nanos(2), ());
        assert_eq!((queue.next(Nanos(8)), queue.now()), (Some(()), Nanos(7)));
    }
}
