//! Debian's kernels for virtual machines, by series.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::apt::Apt;

/// Stands for the highest series there is.
pub const NEWEST: &str = "newest";

/// Releases with a kernel of each long-term series, and the current one's newest.
const SUITES: [&str; 7] = [
    "bullseye",
    "bullseye-security",
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "stable-backports",
];

/// From 6.19 on the image is in `linux-binary-…`, and `linux-image-…` merely depends on it.
const PREFIXES: [&str; 2] = ["linux-image-", "linux-binary-"];
const SUFFIX: &str = "-cloud-amd64";

/// A bootable kernel.
pub struct Kernel {
    /// As `uname -r` says there.
    pub release: String,
    /// Compressed image.
    pub image: PathBuf,
}

/// The newest kernel of each series, from the cache or a mirror; a series that is not to be had
/// is left out with a note.
///
/// # Errors
/// None of them is to be had.
pub fn fetch(cache: &Path, series: &[&str]) -> Result<Vec<Kernel>> {
    let images = cache.join("kernels");
    fs::create_dir_all(&images).with_context(|| format!("cannot make {}", images.display()))?;
    let apt = Apt::open(&cache.join("apt-kernels"), &SUITES, false);
    let mut packages = cached(&images)?;
    match &apt {
        Ok(apt) => packages.extend(PREFIXES.iter().flat_map(|prefix| apt.names(prefix))),
        Err(error) => eprintln!("note: only kernels fetched earlier: {error:#}"),
    }
    let mut kernels = Vec::new();
    for &series in series {
        let found = candidates(&packages, series)
            .into_iter()
            .find_map(|package| obtain(apt.as_ref().ok(), &images, package));
        match found {
            Some(kernel) => kernels.push(kernel),
            None => eprintln!("note: no kernel of series {series} found"),
        }
    }
    if kernels.is_empty() {
        bail!("no package {PREFIXES:?}*{SUFFIX} of series {series:?} found");
    }
    Ok(kernels)
}

/// Packages whose image is in the cache.
fn cached(images: &Path) -> Result<Vec<String>> {
    let names = fs::read_dir(images)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<Result<Vec<_>>>()?;
    Ok(names
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

/// Packages of a series, newest first, and of one release the one that holds the image first.
fn candidates<'a>(packages: &'a [String], series: &str) -> Vec<&'a str> {
    // `binary` sorts before `image`.
    let mut found: Vec<(Vec<u32>, Reverse<&str>)> = packages
        .iter()
        .filter_map(|package| Some((version(release(package)?), Reverse(package.as_str()))))
        .collect();
    found.sort();
    found.dedup();
    let newest: Option<Vec<u32>> = found
        .last()
        .and_then(|(version, _)| version.get(..2))
        .map(<[u32]>::to_vec);
    let wanted = if series == NEWEST {
        newest.unwrap_or_default()
    } else {
        version(series)
    };
    found.retain(|(version, _)| version.starts_with(&wanted));
    found
        .into_iter()
        .rev()
        .map(|(_, Reverse(package))| package)
        .collect()
}

/// Kernel release in a package's name, `None` for other packages.
fn release(package: &str) -> Option<&str> {
    let name = PREFIXES
        .iter()
        .find_map(|prefix| package.strip_prefix(prefix))?;
    let version = name.strip_suffix(SUFFIX)?;
    let numbered = version.starts_with(|c: char| c.is_ascii_digit());
    // `linux-image-6.1-cloud-amd64` is no kernel but a pointer to one, or a release candidate.
    (numbered && version.matches('.').count() > 1).then_some(name)
}

/// The numbers in a release.
fn version(release: &str) -> Vec<u32> {
    release
        .trim_end_matches(SUFFIX)
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The image of a package, from the cache or downloaded into it; `None`, with a note, if the
/// package is only a name that others mention.
fn obtain(apt: Option<&Apt>, images: &Path, package: &str) -> Option<Kernel> {
    let release = release(package)?.to_owned();
    let folder = images.join(package);
    let image = folder.join("vmlinuz");
    if !image.exists() {
        let unpacked = images.with_file_name("unpacked");
        let fetched = apt?.unpack(package, &unpacked).and_then(|()| {
            let boot = unpacked.join("boot").join(format!("vmlinuz-{release}"));
            let modules = unpacked
                .join("usr/lib/modules")
                .join(&release)
                .join("vmlinuz");
            let from = [boot, modules].into_iter().find(|file| file.exists());
            let from = from.with_context(|| format!("{package} holds no image"))?;
            fs::create_dir_all(&folder)?;
            fs::rename(from, &image)?;
            fs::remove_dir_all(&unpacked).context("cannot remove what was unpacked")
        });
        if let Err(error) = fetched {
            eprintln!("note: {error:#}");
            return None;
        }
    }
    Some(Kernel { release, image })
}

#[cfg(test)]
mod tests {
    use super::{NEWEST, candidates, release};

    fn packages() -> Vec<String> {
        [
            "linux-image-5.10.0-9-cloud-amd64",
            "linux-image-5.10.0-46-cloud-amd64",
            "linux-image-5.10.0-46-cloud-amd64-dbg",
            "linux-image-5.10.0-46-cloud-amd64-unsigned",
            "linux-image-7.3-cloud-amd64",
            "linux-image-7.3.4+deb13-cloud-amd64",
            "linux-binary-7.3.4+deb13-cloud-amd64",
            "linux-binary-unsigned-7.3.4+deb13-cloud-amd64",
            "linux-image-cloud-amd64",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn newest_of_a_series_comes_first() {
        let packages = packages();
        assert_eq!(
            candidates(&packages, "5.10"),
            [
                "linux-image-5.10.0-46-cloud-amd64",
                "linux-image-5.10.0-9-cloud-amd64"
            ]
        );
        assert!(candidates(&packages, "5.1").is_empty());
    }

    #[test]
    fn the_package_with_the_image_comes_before_the_one_that_depends_on_it() {
        assert_eq!(
            candidates(&packages(), NEWEST),
            [
                "linux-binary-7.3.4+deb13-cloud-amd64",
                "linux-image-7.3.4+deb13-cloud-amd64"
            ]
        );
    }

    #[test]
    fn release_is_what_uname_says() {
        let release = release("linux-binary-7.3.4+deb13-cloud-amd64");
        assert_eq!(release, Some("7.3.4+deb13-cloud-amd64"));
    }
}
