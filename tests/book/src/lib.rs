//! The pages of the book and of the repository, as tests read them: where links lead, which commands are shown, and pages
//! that are made from a command line. Programs' own tests bring their command lines and ask here what the pages say.

mod commands;
mod links;
mod made;
mod page;
mod reference;

pub use commands::{Form, Shown, faults, shown};
pub use links::{broken_links, linked_files};
pub use made::assert_made;
pub use page::{Page, pages, root};
pub use reference::reference;
