//! An update whose object values have their members in order.
//!
//! yrs keeps them in a hash map and writes them as they come out of it, in another order each time.

use super::ScanError;
use super::scan::walk;

/// The update with the members of each object in the order of their bytes. It means the same, and is the same for all
/// documents that hold the same, if yrs has written it.
///
/// # Errors
/// Those of [`super::scan()`].
pub fn canonical(update: &[u8]) -> Result<Vec<u8>, ScanError> {
    let mut objects = Vec::new();
    walk(update, Some(&mut objects))?;
    let mut ordered = update.to_vec();
    // Inner ones come first: they stay in their place within a member of the outer one, which is moved as a whole.
    for members in objects {
        let (Some(first), Some(last)) = (members.first(), members.last()) else {
            continue;
        };
        let all = first.start..last.end;
        let mut texts: Vec<Vec<u8>> = members
            .iter()
            .map(|at| ordered[at.clone()].to_vec())
            .collect();
        texts.sort();
        ordered[all].copy_from_slice(&texts.concat());
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use yrs::types::ToJson;
    use yrs::{Any, Doc, Map, ReadTxn, StateVector, Transact};

    use super::*;

    fn update() -> Vec<u8> {
        let doc = Doc::with_client_id(1);
        let map = doc.get_or_insert_map("blobs");
        let object = |entries: &[(&str, Any)]| {
            // Each map has an order of its own.
            let entries = entries
                .iter()
                .map(|(key, value)| ((*key).into(), value.clone()));
            Any::from(entries.collect::<HashMap<String, Any>>())
        };
        let inner = object(&[("x", 1.into()), ("y", "two".into()), ("z", true.into())]);
        let entries = [
            ("sha256", "abc".into()),
            ("bytes", 12.into()),
            ("by", "Ada".into()),
            ("inner", inner),
        ];
        map.insert(&mut doc.transact_mut(), "file", object(&entries));
        let txn = doc.transact();
        txn.encode_state_as_update_v1(&StateVector::default())
    }

    #[test]
    fn what_is_the_same_is_written_in_the_same_way() {
        let all: Vec<_> = (0..50).map(|_| update()).collect();
        let differ = all.iter().any(|other| *other != all[0]);
        assert!(differ, "yrs orders them by now: nothing is needed any more");
        let first = canonical(&all[0]).unwrap();
        for other in &all {
            assert_eq!(canonical(other).unwrap(), first);
        }
        // It says what it said.
        let doc = Doc::with_client_id(2);
        let map = doc.get_or_insert_map("blobs");
        let decoded = yrs::updates::decoder::Decode::decode_v1(&first).unwrap();
        doc.transact_mut().apply_update(decoded).unwrap();
        let stored = map.to_json(&doc.transact());
        assert!(stored.to_string().contains("two"), "{stored}");
    }
}
