//! A unix socket in the file system: who may use it, and whose file it is.

use std::{
    ffi::OsString,
    fs::{self, Permissions},
    io::ErrorKind,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Its user and its group.
const MODE: u32 = 0o660;

/// The file of a socket we listen on; removed when dropped, if it is still ours.
#[derive(Debug)]
pub(in crate::expose) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens. The file appears with its permissions, in place of one that nobody listens on.
    ///
    /// # Errors
    /// Somebody listens there, something else is there, or the file cannot be made.
    pub(super) fn listen(path: &Path) -> anyhow::Result<(UnixListener, Self)> {
        let shown = path.display();
        refuse_taken(path)?;
        // Made beside it and renamed: it is never there with other permissions, and a stale one is
        // replaced at once.
        let temporary = beside(path);
        let _ = fs::remove_file(&temporary);
        let listener = UnixListener::bind(&temporary)
            .with_context(|| format!("cannot listen on unix:{shown} (is its directory there and writable, the path below 100 bytes?)"))?;
        let made = fs::set_permissions(&temporary, Permissions::from_mode(MODE))
            .and_then(|()| fs::symlink_metadata(&temporary))
            .and_then(|metadata| {
                fs::rename(&temporary, path)?;
                listener.set_nonblocking(true)?;
                Ok((metadata.dev(), metadata.ino()))
            })
            .inspect_err(|_| drop(fs::remove_file(&temporary)));
        let identity = made.with_context(|| format!("cannot listen on unix:{shown}"))?;
        let path = path.to_owned();
        Ok((listener, Self { path, identity }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An error if something is at `path` that must not be replaced.
fn refuse_taken(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            bail!(
                "cannot listen on unix:{shown}: there is something else than a socket (remove it, or choose another path with --listen)"
            )
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        // Left behind by a process that was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        _ => bail!(
            "cannot listen on unix:{shown}: another process does (stop it, or choose another path with --listen)"
        ),
    }
}

/// A name of our own in the same directory.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}
