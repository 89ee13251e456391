//! Decoding as a whole: captures of others against their truth files, and captures made here.

mod connections;
mod files;
mod links;
mod options;
mod published;
mod scene;
mod tunnels;
mod unread;
