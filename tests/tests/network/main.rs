//! What switches agree on: cabling, hosts, keys, policy, the store; and who tries to deceive them. Needs root.

mod ageing;
mod discover;
mod drain;
mod end_hosts;
mod etcd;
mod hosts;
mod introduce;
mod links;
mod operators;
mod policy;
mod routes;
mod strangers;
mod trust;
mod whole_fabric;
