//! What the packages are called and how old everything in them is.

use std::env;

use anyhow::{Context, Result};

use crate::workspace::{command, output};

/// The version of a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As Debian compares it: `0.1.0` at the tag `v0.1.0`, before that `0.1.0~git20261127175212.ec52691`.
    pub text: String,
    /// The time of everything that is packed, in seconds since 1970: `SOURCE_DATE_EPOCH`, else that of the last commit.
    pub epoch: u64,
    /// Whether files differ from the last commit.
    pub is_dirty: bool,
}

impl Version {
    /// # Errors
    /// This is no git checkout, and `SOURCE_DATE_EPOCH` is not set.
    pub fn of_checkout() -> Result<Self> {
        let release = env!("CARGO_PKG_VERSION");
        let given = env::var("SOURCE_DATE_EPOCH").ok();
        let given = given
            .map(|text| text.parse().with_context(|| format!("SOURCE_DATE_EPOCH={text}: write seconds")));
        let given: Option<u64> = given.transpose()?;
        let Ok(commit) =
            git(&["log", "-1", "--format=%ct %cd %h", "--date=format-local:%Y%m%d%H%M%S", "--abbrev=8"])
        else {
            let epoch =
                given.context("this is no git checkout: set SOURCE_DATE_EPOCH, in seconds since 1970")?;
            return Ok(Self { text: release.to_owned(), epoch, is_dirty: false });
        };
        let is_dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        let tags = git(&["tag", "--points-at", "HEAD"])?;
        Self::of_commit(release, &commit, &tags, is_dirty, given)
    }

    fn of_commit(
        release: &str,
        commit: &str,
        tags: &str,
        is_dirty: bool,
        given: Option<u64>,
    ) -> Result<Self> {
        let mut fields = commit.split_whitespace();
        let mut field = || fields.next().with_context(|| format!("not what git says of a commit: {commit}"));
        let (time, date, hash) = (field()?, field()?, field()?);
        let is_release = !is_dirty && tags.lines().any(|tag| tag == format!("v{release}"));
        let dirty = if is_dirty { ".dirty" } else { "" };
        Ok(Self {
            text: if is_release { release.to_owned() } else { format!("{release}~git{date}.{hash}{dirty}") },
            epoch: given.map_or_else(|| time.parse().context("the time of the last commit"), Ok)?,
            is_dirty,
        })
    }

    /// The same, called newer: for trying out upgrades.
    pub fn next(&self) -> Self {
        Self { text: format!("{}+next", self.text), ..self.clone() }
    }
}

fn git(arguments: &[&str]) -> Result<String> {
    Ok(output(command("git").env("TZ", "UTC").args(arguments))?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "1795801932 20261127175212 ec526910";

    fn version(tags: &str, is_dirty: bool) -> String {
        Version::of_commit("0.1.0", COMMIT, tags, is_dirty, None).unwrap().text
    }

    #[test]
    fn only_the_tagged_commit_has_the_bare_version_and_what_is_before_sorts_before() {
        assert_eq!(version("v0.1.0", false), "0.1.0");
        assert_eq!(version("v0.1.0", true), "0.1.0~git20261127175212.ec526910.dirty");
        assert_eq!(version("v0.0.9", false), "0.1.0~git20261127175212.ec526910");
    }

    #[test]
    fn everything_is_as_old_as_the_commit_unless_told_otherwise() {
        let epoch = |given| Version::of_commit("0.1.0", COMMIT, "", false, given).unwrap().epoch;
        assert_eq!((epoch(None), epoch(Some(7))), (1_795_801_932, 7));
    }

    #[test]
    fn debian_takes_the_next_version_for_newer() {
        let version = Version::of_commit("0.1.0", COMMIT, "", false, None).unwrap();
        let newer = std::process::Command::new("dpkg")
            .args(["--compare-versions", &version.next().text, "gt", &version.text])
            .status();
        // Elsewhere than on Debian there is no dpkg to ask.
        assert!(newer.map_or(true, |status| status.success()));
    }
}
