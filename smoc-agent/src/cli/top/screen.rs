//! The picture, and what keys do to it.

use std::ops::ControlFlow;

use ratatui::{
    Frame,
    crossterm::event::KeyCode,
    layout::{Constraint, Layout},
    style::{Modifier, Style},
    text::Line,
    widgets::{Cell as Field, Row, Table, TableState},
};

use super::rows::{Cell, Rows, View};

/// What is shown, and how.
#[derive(Debug)]
pub(super) struct Screen {
    pub view: View,
    /// Whether the picture stays as it is.
    pub is_held: bool,
    /// The column to sort by, unless it is the view's best.
    sort: Option<usize>,
    /// The least first.
    is_reversed: bool,
    filter: String,
    is_typing: bool,
    table: TableState,
}

impl Screen {
    pub fn new(view: View) -> Self {
        Self {
            view,
            is_held: false,
            sort: None,
            is_reversed: false,
            filter: String::new(),
            is_typing: false,
            table: TableState::default().with_selected(0),
        }
    }

    /// A key was pressed; it may be the end.
    pub fn press(&mut self, key: KeyCode, columns: usize) -> ControlFlow<()> {
        if self.is_typing {
            self.write(key);
            return ControlFlow::Continue(());
        }
        match key {
            KeyCode::Char('q') | KeyCode::Esc if self.filter.is_empty() || key == KeyCode::Char('q') => {
                return ControlFlow::Break(());
            }
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char(number @ '1'..='4') => self.show(View::ALL[number as usize - '1' as usize]),
            KeyCode::Tab => {
                let place = View::ALL.iter().position(|view| *view == self.view).unwrap_or(0);
                self.show(View::ALL[(place + 1) % View::ALL.len()]);
            }
            KeyCode::Char('<') | KeyCode::Left => {
                self.sort = Some(self.sort.unwrap_or(columns).saturating_sub(1))
            }
            KeyCode::Char('>') | KeyCode::Right => {
                self.sort = Some(self.sort.map_or(0, |sort| sort + 1).min(columns - 1));
            }
            KeyCode::Char('r') => self.is_reversed = !self.is_reversed,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char(' ') => self.is_held = !self.is_held,
            KeyCode::Down => self.table.scroll_down_by(1),
            KeyCode::Up => self.table.scroll_up_by(1),
            KeyCode::PageDown => self.table.scroll_down_by(20),
            KeyCode::PageUp => self.table.scroll_up_by(20),
            KeyCode::Home => self.table.select_first(),
            KeyCode::End => self.table.select_last(),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn write(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(character) => self.filter.push(character),
            _ => {}
        }
    }

    fn show(&mut self, view: View) {
        (self.view, self.sort, self.is_reversed) = (view, None, false);
        self.table.select_first();
    }

    /// The rows that the filter leaves, in order; a row fits if any of its texts contains the filter.
    fn chosen<'a>(&self, rows: &'a Rows) -> Vec<&'a Vec<Cell>> {
        let wanted = self.filter.to_lowercase();
        let fits = |row: &&Vec<Cell>| row.iter().any(|cell| cell.shown().to_lowercase().contains(&wanted));
        let mut chosen: Vec<&Vec<Cell>> = rows.rows.iter().filter(fits).collect();
        let column = self.column(rows);
        chosen.sort_by(|a, b| b[column].order(&a[column]));
        if self.is_reversed {
            chosen.reverse();
        }
        chosen
    }

    fn column(&self, rows: &Rows) -> usize {
        self.sort.unwrap_or(rows.best).min(rows.columns.len() - 1)
    }
}

/// Draws the rows of a switch.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &mut Screen, switch: &str, rows: &Rows) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    let chosen = screen.chosen(rows);
    let views = View::ALL.iter().enumerate().map(|(place, view)| {
        let mark = if *view == screen.view { "*" } else { " " };
        format!("{} {}{mark}", place + 1, view.name())
    });
    let held = if screen.is_held { "   held" } else { "" };
    let title =
        format!("smoc {switch}   {}   {} rows{held}", views.collect::<Vec<_>>().join("  "), chosen.len());
    frame.render_widget(Line::from(title).style(Style::new().add_modifier(Modifier::BOLD)), head);

    let sorted = screen.column(rows);
    let header = rows.columns.iter().enumerate().map(|(column, name)| {
        let mark = if column == sorted { if screen.is_reversed { " ^" } else { " v" } } else { "" };
        Field::from(format!("{name}{mark}"))
    });
    let header = Row::new(header).style(Style::new().add_modifier(Modifier::REVERSED));
    let texts: Vec<Vec<String>> = chosen.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
    let width = |column: usize| {
        let widest = texts.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        Constraint::Length(widest.max(rows.columns[column].len() + 2).try_into().unwrap_or(u16::MAX))
    };
    let widths: Vec<Constraint> = (0..rows.columns.len()).map(width).collect();
    let table = Table::new(texts.into_iter().map(Row::new), widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::BOLD));
    frame.render_stateful_widget(table, body, &mut screen.table);

    let help = "1-4 Tab: view   < > r: sort   /: filter   space: hold   q: end";
    let filter = match (screen.is_typing, screen.filter.as_str()) {
        (true, text) => format!("filter: {text}_   Enter: keep   Esc: drop"),
        (false, "") => help.to_owned(),
        (false, text) => format!("filter: {text} (Esc drops it)   {help}"),
    };
    frame.render_widget(Line::from(filter), foot);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;

    fn rows() -> Rows {
        let row =
            |port, name: &str, rate| vec![Cell::Number(port), Cell::Text(name.into()), Cell::Rate(rate)];
        Rows {
            columns: vec!["port", "neighbour", "both"],
            rows: vec![row(1, "m1:1", 10.0), row(2, "m2:1", 3e6), row(9, "hosts", 2e3)],
            best: 2,
        }
    }

    fn drawn(screen: &mut Screen) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(80, 7)).unwrap();
        terminal.draw(|frame| draw(frame, screen, "e1", &rows())).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..7).map(line).collect()
    }

    #[test]
    fn rows_are_drawn_the_busiest_first_and_sorted_and_filtered_by_keys() {
        let mut screen = Screen::new(View::Ports);
        let lines = drawn(&mut screen);
        assert_eq!(lines[0], "smoc e1   1 ports*  2 paths   3 connections   4 subflows    3 rows");
        let first: Vec<&str> =
            lines[2..5].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(first, ["2", "9", "1"], "{lines:?}");
        for key in ['>', 'r'] {
            assert!(screen.press(KeyCode::Char(key), 3).is_continue());
        }
        assert!(drawn(&mut screen)[2].starts_with("1 "), "by port, the least first");
        for key in "/M2".chars() {
            assert!(screen.press(KeyCode::Char(key), 3).is_continue());
        }
        assert!(drawn(&mut screen)[6].starts_with("filter: M2_"));
        let _ = screen.press(KeyCode::Enter, 3);
        let lines = drawn(&mut screen);
        assert!(lines[0].ends_with("1 rows") && lines[2].contains("m2:1"), "{lines:?}");
        assert!(screen.press(KeyCode::Esc, 3).is_continue(), "drops the filter");
        assert!(screen.press(KeyCode::Char('3'), 3).is_continue() && screen.view == View::Connections);
        assert!(screen.press(KeyCode::Char('q'), 3).is_break());
    }

    #[test]
    fn a_screen_without_rows_or_room_is_drawn_all_the_same() {
        let mut terminal = Terminal::new(TestBackend::new(3, 1)).unwrap();
        let empty = Rows { rows: Vec::new(), ..rows() };
        for size in [(3, 1), (80, 24)] {
            terminal.backend_mut().resize(size.0, size.1);
            terminal.draw(|frame| draw(frame, &mut Screen::new(View::Paths), "e1", &empty)).unwrap();
        }
    }
}
