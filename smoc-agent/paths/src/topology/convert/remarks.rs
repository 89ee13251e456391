//! What had to be changed or left out when reading: one line for all cases of a kind.

/// Cases of one kind: how many, and the first.
#[derive(Debug, Default)]
pub(super) struct Cases {
    count: usize,
    first: String,
}

impl Cases {
    /// One more.
    pub fn add(&mut self, case: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = case();
        }
        self.count += 1;
    }

    /// A sentence about them, if there are any: made of their number with that noun, and the first.
    pub fn tell(&self, notes: &mut Vec<String>, noun: &str, say: impl FnOnce(&str, &str) -> String) {
        if self.count > 0 {
            notes.push(say(&counted(self.count, noun), &self.first));
        }
    }
}

/// `1 link`, `2 links`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "switch") => format!("{count} switches"),
        _ => format!("{count} {noun}s"),
    }
}

/// Names in a list, not more than a line holds.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = names.into_iter().collect();
    let mut text =
        names.iter().take(SHOWN).map(|name| crate::input::shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
