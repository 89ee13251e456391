//! The agent in trouble, and what it leaves behind: it says what to do, what runs goes on running, and who looks on sees it.

mod browser;
mod capture;
mod discovery;
mod doctor;
mod history;
mod life;
mod load;
mod metrics;
mod refusals;
mod report;
mod site;
mod survival;
mod top;
mod web;
