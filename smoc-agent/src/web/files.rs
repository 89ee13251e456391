//! The files of the page, which are part of the binary: ours as they were written, and libraries as their authors publish them.

/// A file.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    /// Where the browser finds it.
    pub path: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
}

/// Files of a folder, by name.
macro_rules! files {
    ($($folder:literal: $($name:literal),+;)+) => {
        &[$($(File { path: concat!("/", $folder, $name), bytes: include_bytes!(concat!("page/", $folder, $name)) }),+),+]
    };
}

/// All files.
const FILES: &[File] = files! {
    "": "index.html", "style.css", "icon.svg";
    "js/": "main.js", "agent.js", "model.js", "layout.js", "drawing.js", "glide.js", "overlay.js", "details.js", "panels.js", "finder.js", "heat.js",
        "timeline.js", "units.js";
    "vendor/": "sigma.min.js", "graphology.umd.min.js", "d3-dispatch.min.js", "d3-force.min.js", "d3-quadtree.min.js",
        "d3-timer.min.js";
};

impl File {
    /// By the end of its name.
    pub(super) fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        }
    }
}

/// The file at a path.
pub(super) fn find(path: &str) -> Option<File> {
    let path = if path == "/" { "/index.html" } else { path };
    FILES.iter().copied().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use sha2::{Digest, Sha256};

    use super::*;

    fn text(path: &str) -> &'static str {
        std::str::from_utf8(find(path).unwrap().bytes).unwrap()
    }

    #[test]
    fn libraries_are_those_of_the_table_unchanged_and_with_their_licences() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/page/vendor");
        let table = fs::read_to_string(folder.join("README.md")).unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let cells: Vec<&str> =
                line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            (cells[0], (cells[3], cells[4]))
        });
        let rows: BTreeMap<_, _> = rows.collect();
        let vendored: Vec<File> =
            FILES.iter().copied().filter(|file| file.path.starts_with("/vendor/")).collect();
        assert_eq!(rows.len(), vendored.len());
        for file in vendored {
            let (licence, sum) = rows[file.path.trim_start_matches("/vendor/")];
            let found: String = Sha256::digest(file.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, sum, "{}", file.path);
            assert!(folder.join(licence).is_file(), "{licence}");
        }
    }

    #[test]
    fn nothing_in_the_page_is_inline_or_comes_from_elsewhere() {
        let page = text("/index.html");
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains(" onclick"), "inline");
        for part in page.split("<script").skip(1) {
            let (tag, rest) = part.split_once('>').unwrap();
            assert!(tag.contains("src=") && rest.starts_with("</script>"), "{tag}");
        }
        for file in FILES.iter().filter(|file| !file.path.starts_with("/vendor/")) {
            let text = std::str::from_utf8(file.bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http:") && !text.contains("https:"), "{}", file.path);
            assert!(!text.contains("innerHTML"), "{}: what agents say is text", file.path);
        }
    }

    #[test]
    fn every_module_that_is_imported_is_there() {
        for file in FILES.iter().filter(|file| file.path.starts_with("/js/")) {
            for line in text(file.path).lines().filter(|line| line.starts_with("import ")) {
                let name = line.rsplit('"').nth(1).unwrap().trim_start_matches("./");
                assert!(find(&format!("/js/{name}")).is_some(), "{}: {name}", file.path);
            }
        }
    }
}
