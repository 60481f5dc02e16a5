//! Netlink sockets in other network namespaces.

use std::{borrow::Borrow, io};

use super::{
    diag_socket::{DiagSocket, DumpError},
    netns::{EnterError, Namespace, within_each},
};

/// Namespaces whose sockets are open at the same time; bounds the file descriptors in use.
const BATCH: usize = 64;

/// Why the sockets of a namespace could not be read in this cycle.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It could not be entered.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// No netlink socket was to be had in it.
    #[error("no sock_diag socket (kernel without CONFIG_INET_DIAG?): {0}")]
    Open(io::Error),
    /// The dump ended early.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// Its sockets came without byte counters.
    #[error("kernel too old for sock_diag byte counters (needs 4.19)")]
    TooOld,
}

/// A [`SourceError`] and where it happened.
#[derive(Debug)]
pub struct NamespaceError {
    /// Inode number of the namespace.
    pub inode: u32,
    /// What happened.
    pub error: SourceError,
}

/// Opens the sockets that dumps go through. The one of our own namespace is kept. Those of other
/// namespaces are opened for one use: an open socket keeps its namespace alive, so that the
/// interfaces of a container would stay behind when it ends. Opening takes some 30 µs.
#[derive(Debug, Default)]
pub struct Sockets {
    own: Option<DiagSocket>,
}

impl Sockets {
    /// Calls `visit` with a socket of each target's namespace in turn, and returns the namespaces
    /// where that was not possible or failed.
    pub fn each<T: Borrow<Namespace> + Sync>(
        &mut self,
        targets: &[T],
        mut visit: impl FnMut(&T, &mut DiagSocket) -> Result<(), SourceError>,
    ) -> Vec<NamespaceError> {
        let mut errors = Vec::new();
        for batch in targets.chunks(BATCH) {
            let is_foreign = |target: &&T| !(*target).borrow().own;
            let foreign: Vec<&Namespace> = batch
                .iter()
                .filter(is_foreign)
                .map(Borrow::borrow)
                .collect();
            let mut opened = if foreign.is_empty() {
                Vec::new()
            } else {
                within_each(&foreign, DiagSocket::open)
            }
            .into_iter();
            for target in batch {
                let namespace: &Namespace = target.borrow();
                let visited = if namespace.own {
                    self.visit_own(|socket| visit(target, socket))
                } else {
                    match opened.next() {
                        Some(Ok(Ok(mut socket))) => visit(target, &mut socket),
                        Some(Ok(Err(error))) => Err(SourceError::Open(error)),
                        Some(Err(error)) => Err(error.into()),
                        None => Ok(()),
                    }
                };
                if let Err(error) = visited {
                    errors.push(NamespaceError {
                        inode: namespace.inode,
                        error,
                    });
                }
            }
        }
        errors
    }

    /// Whether no socket is open between two uses.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.own.is_none()
    }

    fn visit_own(
        &mut self,
        visit: impl FnOnce(&mut DiagSocket) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let mut socket = match self.own.take() {
            Some(socket) => socket,
            None => DiagSocket::open().map_err(SourceError::Open)?,
        };
        // After an error answers may be left in it: it is closed.
        visit(&mut socket)?;
        self.own = Some(socket);
        Ok(())
    }
}
