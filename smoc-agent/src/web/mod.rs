//! The page: the fabric in a browser. `smoc web` serves it beside an agent, `web:` in its configuration from the agent itself.
//!
//! | path | answer |
//! |---|---|
//! | `/` and the files of the page | [`files`] |
//! | `/api/live`, `/api/find`, `/api/paths`, `/api/connections`, `/api/what-if` | those of [`crate::api`] under `/page` |
//! | `/api/events` | that of [`crate::api`] |
//! | `/api/session` | [`site::Session`] |
//! | `/api/drain`, POST | that of [`crate::api`], where `writes: true` says so |
//!
//! It is one more reader of what control publishes. Who may ask what is decided in [`guard`]; nothing is cached, no cookie is
//! set, and every connection carries one request, so that readers who stay do not keep others out.

mod backend;
mod files;
mod guard;
mod site;

pub use backend::Backend;
pub use site::Site;
