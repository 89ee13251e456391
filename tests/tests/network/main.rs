//! What switches agree on: cabling, hosts, keys, policy, the store; and who tries to deceive them. Needs root.

mod discover;
mod drain;
mod etcd;
mod hosts;
mod links;
mod policy;
mod strangers;
mod trust;
