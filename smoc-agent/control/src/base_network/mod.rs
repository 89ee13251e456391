//! The base network is free of loops whatever agents know: ports between switches are open only by agreement.
//!
//! Agents compute the tree ([`crate::plan::spanning_tree`]) from a file and from links that are down, and never have the same
//! of both at the same moment. So no port is opened because a tree has its link, but because the switch behind it, and all that
//! is open behind that one, have said that they use this very tree. That is the proposal and agreement of RSTP (IEEE
//! 802.1D-2004, clause 17; `synced`, `agreed` and `proposing` in 17.19), with the tree named by a digest instead of agreed on
//! bridge by bridge.
//!
//! # The rules
//!
//! A switch begins an *epoch* (a boot number and a sequence, never the same twice) whenever the tree that it wants, by its
//! digest, becomes another one, and when its agent starts. To each neighbour it says which digest it has, its epoch, the
//! neighbour's epoch that it last heard of at this port, and whether it is *synced* but for this port
//! ([`Statement`]).
//!
//! 1. A port is *confirmed* if its link is in the tree, and the neighbour has said within this epoch (it echoes the epoch)
//!    that it has the same digest and is synced but for this port. It stays so until the epoch ends.
//! 2. A switch is synced but for a port if all its other ports that may be open are confirmed.
//! 3. A port is opened only if it is confirmed, and all other ports that may be open are.
//! 4. When an epoch begins, ports whose links are not in the new tree are closed. The others stay open, unconfirmed, so that
//!    what is in both trees is not interrupted; but only for a limited time, because nothing is opened meanwhile: a port whose
//!    neighbour is silent ([`SILENCE`]) or does not come to the same digest ([`AGREEMENT_TIMEOUT`]) is closed too.
//!
//! A port *may be open* if the kernel says so or an earlier command to open it may still be under way. All that a switch does
//! is done in the order in which it was decided, so a statement never overtakes the closing that it speaks of.
//!
//! # Why there is no loop
//!
//! Claim: at no time do links that are open at both ends form a cycle. Suppose the first one, z0 z1 ... zn z0, comes to be
//! at time t because z0 opens its port to zn. Let D be the digest of z0 then, and T its tree: by 1 a port that is confirmed in
//! an epoch of digest D has its link in T. Let s(k) be the last time, up to t, at which zk had digest D and was synced but for
//! its port to z(k-1); s(0) = t. By induction over k, for k < n:
//!
//! * (a) s(k) exists, and from some time before it z(k-1) has said "synced" to zk with no other digest than D.
//! * (b) After s(k), zk opens no port and does not say "synced" to z(k+1) with another digest than D.
//! * (c) The link from zk to z(k+1) is in T.
//!
//! For z0: by 3 all its open ports are confirmed at t, that to z1 too, which gives (c). (b) is empty: t is the end. And z1 has
//! said within the epoch of z0 that it has D and is synced but for z0; z0 has had no digest but D since. That is (a) for z1.
//!
//! (b) for zk: to open another port than that to z(k-1), or to say "synced" to z(k+1), in an epoch g of another digest, which
//! began after s(k), needs by 2 and 3 that its port to z(k-1) is confirmed in g or closed. It is not confirmed: z(k-1) would
//! have said "synced" with the digest of g after s(k), against (a). If it is closed, it is opened again before t, for at t it
//! is open: in an epoch that begins not before g, confirmed, so by (a) one of digest D, in which then by 3 all open
//! ports are confirmed: but s(k) was the last such time. The same holds for opening the port to z(k-1) itself, and for opening
//! any port in a later epoch of digest D.
//! (c): by (b) the port from zk to z(k+1), open at t, was open at s(k), so confirmed then by 2 and its link in T. The
//! confirmation was said by z(k+1) within an epoch of zk of digest D; from then until s(k) zk had D, and after s(k) there is
//! (b): that is (a) for z(k+1).
//!
//! So z0 z1, ..., z(n-1) zn are in T by (c), and zn z0 is because z0 opens it. But T is a tree. ∎
//!
//! The proof uses of a message only that it was sent: lost, late, repeated and overtaken ones do no harm. A restart is an epoch
//! like others, so an agent takes over the ports that the last one left open. A dead agent opens nothing and says
//! nothing. It follows that one may not be less strict: if ports that stay open from an earlier tree need not be confirmed before
//! others are opened, even a tree that only loses links can join what two older trees left open to a loop: S + e and
//! S + f, whose e and f close it, both become S, and the parts of S are joined again.
//!
//! # What it does not cover
//!
//! Ports that others open: the kernel makes a disabled bridge port forwarding when its carrier returns, and the agent closes
//! it when it hears of that, some milliseconds later, or never if it is dead. Programs let nothing in by such a port
//! (`pipeline::base` in smoc-common), so only frames in the other direction cross its link. A bridge forwards everywhere until
//! its first agent starts; a cable that is in no topology file is nobody's port. Two trees of the same digest (64 bits) are taken for one.

mod agreement;
#[cfg(test)]
mod model;
mod statement;
#[cfg(test)]
mod tests;

pub use agreement::{AGREEMENT_TIMEOUT, Agreement, Neighbor, SILENCE, Seen, Tree, Unagreed};
pub use statement::{Epoch, Statement};
