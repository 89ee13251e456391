//! Tables that the packet path itself writes.

use aya_ebpf::maps::LruHashMap;
use smoc_common::{
    map::{Flow, FlowKey},
    pipeline::Table,
};

use crate::maps::{FLOWS, FLOWS_V4};

/// One of the hash tables that programs write.
pub struct Lru<K: 'static, V: 'static>(pub &'static LruHashMap<K, V>);

impl<'a, K, V> Table<'a, K, V> for Lru<K, V> {
    #[inline(always)]
    fn get(self, key: &K) -> Option<&'a mut V> {
        // SAFETY: the kernel keeps the entry's memory for as long as the program runs. Another CPU may write
        // it at the same time: fields are plain numbers, and where that matters they are changed by
        // `fetch_add`.
        self.0.get_ptr_mut(key).map(|value| unsafe { &mut *value })
    }

    #[inline(always)]
    fn insert(self, key: &K, value: &V) -> bool {
        self.0.insert(key, value, 0).is_ok()
    }

    #[inline(always)]
    fn remove(self, key: &K) {
        // It may be gone already.
        let _ = self.0.remove(key);
    }
}

/// The table of established subflows that a key belongs to.
pub struct Flows;

impl<'a> Table<'a, FlowKey, Flow> for Flows {
    #[inline(always)]
    fn get(self, key: &FlowKey) -> Option<&'a mut Flow> {
        match key.v4() {
            Some(key) => Lru(&FLOWS_V4).get(&key),
            None => Lru(&FLOWS).get(key),
        }
    }

    #[inline(always)]
    fn insert(self, key: &FlowKey, value: &Flow) -> bool {
        match key.v4() {
            Some(key) => Lru(&FLOWS_V4).insert(&key, value),
            None => Lru(&FLOWS).insert(key, value),
        }
    }

    #[inline(always)]
    fn remove(self, key: &FlowKey) {
        match key.v4() {
            Some(key) => Lru(&FLOWS_V4).remove(&key),
            None => Lru(&FLOWS).remove(key),
        }
    }
}
