//! A store that all agents of a fabric share, as one of them sees it: what stands in it, and when what it says counts.
//!
//! The store holds slow facts: what each switch says of its own ports, the hosts at them, policy. It is never needed for a
//! frame: while it is away, emptied, or restored from an old backup, an agent goes on with what it knows and puts its own
//! records back. Nothing here knows a server, a socket or a clock; `smoc-agent` moves the bytes.
//!
//! | file | what |
//! |---|---|
//! | `key` | the names of records |
//! | `record` | their contents, as versioned JSON |
//! | `order` | what operators drain |
//! | `facts` | what all records together say |
//! | `speaker` | what this switch says |
//! | `mirror` | the conversation with the store: events in, effects out |
//! | `saved` | what is kept on disk for a start while the store is away |

mod facts;
mod key;
pub mod mirror;
mod order;
pub(crate) mod record;
mod saved;
mod speaker;

pub use facts::Facts;
pub use key::{Key, Prefix};
pub use order::{stored_drains, to_drain};
pub use record::{Attachment, HostRecord, RecordError, SwitchRecord, VERSION};
pub use saved::{Saved, SavedError};
pub use speaker::Speaker;

/// The contents of a record.
pub type Bytes = std::sync::Arc<[u8]>;
