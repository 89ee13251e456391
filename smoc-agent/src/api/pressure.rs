//! What says that tables or processors have more to do than they are set for.

use smoc_common::event::Note;
use smoc_control::dataplane::Fill;

/// What says that tables or processors have more to do than they are set for, and what to do about it.
pub(super) fn warnings(counters: &[u64], fills: &[Fill]) -> Vec<String> {
    let count = |note: Note| counters.get(note.counter() as usize).copied().unwrap_or(0);
    let key = |table: &str| match table {
        "FLOWS_V4" | "FLOWS" => Some("tables.flows"),
        "HALF_OPEN" => Some("tables.half_open"),
        "CONNECTIONS" | "TOKENS" => Some("tables.connections"),
        _ => None,
    };
    let mut said = Vec::new();
    for Fill { table, entries, capacity, evicted } in fills.iter().filter(|fill| fill.evicted > 0) {
        let Some(key) = key(table) else { continue };
        said.push(format!(
            "{table} has {entries} of {capacity} entries, and {evicted} had to go that were in use, whose subflows or joins \
             are hashed until they are put back: raise {key} in the configuration after `smoc detach`, or look in `smoc conns` for who opens so many"
        ));
    }
    if count(Note::Stateless) > 0 {
        said.push(format!(
            "{} subflows were opened while a CPU saw more than openings a second, or more than port_openings of one port under way, \
             and are hashed: raise openings or port_openings in the configuration, or stop who floods",
            count(Note::Stateless)
        ));
    }
    if count(Note::TableFull) > 0 {
        said.push(format!(
            "{} subflows found no room in a table and are hashed: raise the sizes under tables in the configuration",
            count(Note::TableFull)
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_said_with_what_to_do_about_it() {
        let mut counters = vec![0; smoc_common::event::COUNTER_ENTRIES as usize];
        let fill = |table, evicted| Fill { table, entries: 16, capacity: 16, evicted };
        assert_eq!(warnings(&counters, &[fill("FLOWS", 0)]), [""; 0], "full, and nothing in use is lost");
        counters[Note::Stateless.counter() as usize] = 7;
        let said = warnings(&counters, &[fill("TOKENS", 3)]);
        let [tokens, stateless] = &said[..] else { panic!("{said:?}") };
        assert!(tokens.contains("3 had to go") && tokens.contains("raise tables.connections"), "{tokens}");
        assert!(stateless.starts_with("7 subflows") && stateless.contains("raise openings"), "{stateless}");
    }
}
