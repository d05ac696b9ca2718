//! Counts the sockets of each address.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

/// The address a request comes from, where the server was told.
pub(super) struct ClientAddress(pub(super) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(info.map(|ConnectInfo(address)| address.ip())))
    }
}

#[derive(Clone)]
pub(super) struct Addresses {
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One counted socket, until it is dropped.
pub(super) struct Counted(Option<(IpAddr, Addresses)>);

impl Addresses {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            open: Arc::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more; an error with the cap when there are too many.
    pub(super) fn count(&self, address: &ClientAddress) -> Result<Counted, usize> {
        let Some(address) = address.0 else {
            return Ok(Counted(None));
        };
        let mut open = self.open();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return Err(self.most);
        }
        *count += 1;
        Ok(Counted(Some((address, self.clone()))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some((address, addresses)) = &self.0 {
            let mut open = addresses.open();
            if let Some(count) = open.get_mut(address) {
                *count -= 1;
                if *count == 0 {
                    open.remove(address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_count() {
        let addresses = Addresses::new(1);
        let one = ClientAddress(Some([10, 0, 0, 1].into()));
        let two = ClientAddress(Some([10, 0, 0, 2].into()));
        let first = addresses.count(&one).ok().unwrap();
        assert_eq!(addresses.count(&one).err(), Some(1));
        let _second = addresses.count(&two).ok().unwrap();
        drop(first);
        assert!(addresses.count(&one).is_ok());
        assert!(addresses.count(&ClientAddress(None)).is_ok());
        assert_eq!(addresses.open().len(), 1);
    }
}
