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

use super::{Failure, Format, metrics::samples, print, print_json, socket::AgentSocket, span::span};
use crate::{
    api::Status,
    cli::gather::{Agents, RemoteArgs},
};
use rows::{Reading, Readings, View, all_rows};
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
  smoc top --once --view paths --format json
  smoc top --fabric --view connections"
)]
pub struct TopArgs {
    /// What to show first
    #[arg(long, value_enum, default_value_t)]
    view: View,
    /// Time between two pictures
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = span)]
    interval: Duration,
    /// Print one table and end
    #[arg(long)]
    once: bool,
    /// How to print that table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// All switches of the fabric, as `smoc fabric conns` finds their agents
    #[arg(long)]
    fabric: bool,
    #[command(flatten)]
    remote: RemoteArgs,
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
    let mut agents = find(args)?;
    let before = read(&mut agents)?;
    let mut terminal = ratatui::try_init().context("use the terminal").map_err(Failure::Failed)?;
    let ended = show(args, &mut agents, &mut terminal, before);
    ratatui::restore();
    ended
}

fn once(args: &TopArgs) -> Result<(), Failure> {
    let mut agents = find(args)?;
    let before = read(&mut agents)?;
    std::thread::sleep(args.interval);
    let now = read(&mut agents)?;
    let table = all_rows(args.view, &before, &now, args.fabric);
    if args.fabric {
        let answered = now.keys().cloned().collect();
        agents.gaps(&answered).iter().for_each(|gap| eprintln!("{gap}"));
    }
    match args.format {
        Format::Table => print(table.text().trim_end()),
        Format::Json => print_json(&table.records()),
    }
}

/// The agents that are asked: the one behind the socket, or all.
fn find(args: &TopArgs) -> Result<Agents, Failure> {
    Agents::find(&args.agent.api, &[], args.fabric.then_some(&args.remote), true)
}

/// What the agents say now, by switch.
fn read(agents: &mut Agents) -> Result<Readings, Failure> {
    let silent = std::mem::take(&mut agents.silent);
    let all = agents.ask(|agent| async move {
        let status: Status = agent.get("/status").await?;
        let connections: Vec<ConnectionReport> = agent.get("/conns").await?;
        let metrics = samples(&agent.text("/metrics").await?);
        Ok(Reading { at: Instant::now(), status, connections, metrics })
    })?;
    match agents.silent.first_key_value() {
        Some((_, why)) if all.is_empty() => Err(Failure::Failed(anyhow!("{why}"))),
        _ => {
            // Why there is no way to some stays so.
            agents.silent.extend(silent.into_iter().filter(|(who, _)| !agents.all.contains_key(who)));
            Ok(all)
        }
    }
}

/// What the picture is of.
fn title(agents: &Agents, now: &Readings, is_fabric: bool) -> String {
    match (is_fabric, agents.silent.len() + agents.missing(&now.keys().cloned().collect()).len()) {
        (false, _) => now.keys().next().cloned().unwrap_or_default(),
        (true, 0) => format!("{} switches", now.len()),
        (true, silent) => format!("{} switches, {silent} silent", now.len()),
    }
}

fn show(
    args: &TopArgs,
    agents: &mut Agents,
    terminal: &mut DefaultTerminal,
    mut before: Readings,
) -> Result<(), Failure> {
    let mut screen = Screen::new(args.view);
    let mut now = before.clone();
    let mut due = Instant::now() + args.interval;
    loop {
        let table = all_rows(screen.view, &before, &now, args.fabric);
        let name = title(agents, &now, args.fabric);
        terminal.draw(|frame| draw(frame, &mut screen, &name, &table)).context("draw")?;
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
                before = std::mem::replace(&mut now, read(agents)?);
            }
        }
    }
}
