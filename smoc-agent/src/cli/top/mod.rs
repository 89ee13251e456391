//! `smoc top`: what a switch carries, by rate, in the terminal.

mod rows;
mod screen;

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};
use smoc_control::connections::ConnectionReport;

use super::{
    Failure, Format,
    live::{ask, wait},
    metrics::samples,
    print, print_json,
    socket::AgentSocket,
};
use crate::api::{self, Status};
use rows::{Reading, View, rows};
use screen::{Screen, draw};

/// Arguments of `smoc top`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Keys: 1 ports, 2 paths, 3 connections, 4 subflows (or Tab); < and > choose the column to sort by, r turns the order
round; / filters (Enter keeps the filter, Esc drops it); space holds the picture; up, down, page up and down scroll; q ends.

With --once, and where standard output is no terminal, one table is printed: rates over one interval.

Examples:
  smoc top
  smoc top --view subflows --interval 2s
  smoc top --once --view paths --format json"
)]
pub struct TopArgs {
    /// What to show first
    #[arg(long, value_enum, default_value_t)]
    view: View,
    /// Time between two pictures
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Print one table and end
    #[arg(long)]
    once: bool,
    /// How to print that table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    agent: AgentSocket,
}

/// Runs the verb.
///
/// # Errors
/// No agent answers, or the terminal cannot be used.
pub fn run(args: &TopArgs) -> Result<(), Failure> {
    if args.interval < Duration::from_millis(100) {
        return Err(Failure::BadInput(anyhow!("--interval: write 100ms or more")));
    }
    if args.once || !std::io::stdout().is_terminal() {
        return once(args);
    }
    let before = read(args)?;
    let mut terminal = ratatui::try_init().context("use the terminal").map_err(Failure::Failed)?;
    let ended = show(args, &mut terminal, before);
    ratatui::restore();
    ended
}

fn once(args: &TopArgs) -> Result<(), Failure> {
    let before = read(args)?;
    std::thread::sleep(args.interval);
    let table = rows(args.view, &before, &read(args)?);
    match args.format {
        Format::Table => print(table.text().trim_end()),
        Format::Json => print_json(&table.records()),
    }
}

/// What the agent says now.
fn read(args: &TopArgs) -> Result<Reading, Failure> {
    let status: Status = ask(&args.agent, "/status")?;
    let connections: Vec<ConnectionReport> = ask(&args.agent, "/conns")?;
    let metrics = samples(&wait(api::text(&args.agent.api, "/metrics"))?);
    Ok(Reading { at: Instant::now(), status, connections, metrics })
}

fn show(args: &TopArgs, terminal: &mut DefaultTerminal, mut before: Reading) -> Result<(), Failure> {
    let mut screen = Screen::new(args.view);
    let mut now = before.clone();
    let mut due = Instant::now() + args.interval;
    loop {
        let table = rows(screen.view, &before, &now);
        let name = &now.status.switch;
        terminal.draw(|frame| draw(frame, &mut screen, name, &table)).context("draw")?;
        if event::poll(due.saturating_duration_since(Instant::now())).context("wait for keys")? {
            match event::read().context("read keys")? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    let is_interrupt =
                        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    if is_interrupt || screen.press(key.code, table.columns.len()).is_break() {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        if Instant::now() >= due {
            due = Instant::now() + args.interval;
            if !screen.is_held {
                before = std::mem::replace(&mut now, read(args)?);
            }
        }
    }
}
