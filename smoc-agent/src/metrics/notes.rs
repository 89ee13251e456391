//! What the packet path notices about subflows, by path.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use smoc_common::event::Note;
use smoc_control::connections::PATHS;

/// An edge, the rule of policy that chooses the paths there (empty if none does), a rank, and what was noticed.
pub type PathNote = (String, String, u8, Note);

/// Counts notes; clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct PathNotes(Arc<Mutex<NotedPaths>>);

/// How often what was noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotedPaths {
    /// By path.
    pub counts: HashMap<PathNote, u64>,
    /// Of paths that are not known, and beyond the first [`PATHS`] notes of paths.
    pub uncounted: u64,
}

impl PathNotes {
    /// Something was noticed about a subflow of a path, if that is known.
    pub fn count(&self, path: Option<(&str, &str, u8)>, note: Note) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let NotedPaths { counts, uncounted } = &mut *noted;
        let Some((edge, rule, rank)) = path else {
            *uncounted += 1;
            return;
        };
        let key = (edge.to_owned(), rule.to_owned(), rank, note);
        if counts.len() >= PATHS && !counts.contains_key(&key) {
            *uncounted += 1;
        } else {
            *counts.entry(key).or_default() += 1;
        }
    }

    /// What was counted so far.
    pub fn all(&self) -> NotedPaths {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_counted_by_path_up_to_a_limit_and_together_beyond() {
        let notes = PathNotes::default();
        notes.count(Some(("e2", "", 1)), Note::Blackhole);
        notes.clone().count(Some(("e2", "", 1)), Note::Blackhole);
        notes.count(None, Note::Blackhole);
        for edge in 0..PATHS {
            notes.count(Some((&format!("far{edge}"), "", 0)), Note::Joined);
        }
        notes.count(Some(("e2", "", 1)), Note::Blackhole);
        let NotedPaths { counts, uncounted } = notes.all();
        assert_eq!(counts[&("e2".to_owned(), String::new(), 1, Note::Blackhole)], 3);
        assert_eq!((counts.len(), uncounted), (PATHS, 2));
    }
}
