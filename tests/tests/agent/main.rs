//! The agent in trouble, and what it leaves behind: it says what to do, and what runs goes on running.

mod discovery;
mod life;
mod load;
mod refusals;
mod site;
