//! How long tests take that run one at a time: their runner names each when it begins.

use std::time::{Duration, Instant};

/// So many are worth a word.
const SLOWEST: usize = 5;
/// And take at least so long.
const LONG: Duration = Duration::from_secs(5);

/// When tests began.
#[derive(Default)]
pub struct Times {
    /// How many bytes of the output are read.
    read: usize,
    began: Vec<(String, Instant)>,
}

impl Times {
    /// Takes in all that the runner has said so far.
    pub fn heard(&mut self, said: &str) {
        self.heard_at(said, Instant::now());
    }

    fn heard_at(&mut self, said: &str, now: Instant) {
        // What is damaged, being cut within a letter, is read again when it is whole.
        let Some(new) = said.get(self.read..) else { return };
        let mut lines = new.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            let name = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
            if let Some((name, _)) = name {
                self.began.push((name.to_owned(), now));
            } else if line.starts_with("test result: ") {
                self.began.push((String::new(), now));
            } else if !line.ends_with('\n') && lines.peek().is_none() {
                return;
            }
            self.read += line.len();
        }
    }

    /// The slowest tests with their times, if any took long.
    pub fn slowest(&self) -> Option<String> {
        let mut took: Vec<(Duration, &str)> =
            self.began.windows(2).map(|pair| (pair[1].1 - pair[0].1, pair[0].0.as_str())).collect();
        took.sort_by(|a, b| b.cmp(a));
        let told = took.iter().take(SLOWEST).filter(|(time, _)| *time >= LONG);
        let told: Vec<_> = told.map(|(time, name)| format!("{name} {:.0} s", time.as_secs_f64())).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_takes_until_the_next_one_begins() {
        let (start, mut times) = (Instant::now(), Times::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut said = String::from("running 3 tests\ntest a::long ... ");
        times.heard_at(&said, at(0));
        said += "says more\nok\ntes";
        times.heard_at(&said, at(9));
        said += "t b ... ok\ntest c ... ";
        times.heard_at(&said, at(20));
        said += "ok\n\ntest result: ok. 3 passed\n";
        times.heard_at(&said, at(27));
        assert_eq!(times.slowest().unwrap(), "a::long 20 s, c 7 s");
        assert_eq!(Times::default().slowest(), None);
    }
}
