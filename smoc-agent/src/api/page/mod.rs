//! What the page of `smoc web` asks: everything it draws, in few requests and in bounded size. Links and switches are numbered by
//! their position in [`Shape`].

mod connections;
mod find;
mod live;
mod paths;
mod routes;
mod shape;
mod what_if;

pub use live::Board;
pub(super) use routes::routes;
